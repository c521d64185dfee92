import { useState } from "preact/hooks";
import type { ReportLine } from "../../imports/report/lines.ts";
import type { Api, Problem } from "../api.ts";
import { download } from "./download.ts";
import { ProblemBox } from "./page.tsx";

/** A button that downloads the report of an import. Offers no file when the report is incomplete. */
export function DownloadReport({ api, path, name }: { api: Api; path: string; name: string }) {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const read = async () => {
    setBusy(true);
    const result = await api.getText(`${path}report/`);
    const found = result.ok ? problemOf(result.value) : result.problem;
    setProblem(found);
    if (result.ok && found === null) download(`${name}.ndjson`, "application/x-ndjson", result.value);
    setBusy(false);
  };
  return (
    <div class="action">
      <button type="button" disabled={isBusy} onClick={() => void read()}>
        Download the report
      </button>
      <span role="status">{isBusy ? "Reading the report…" : ""}</span>
      <ProblemBox problem={problem} />
    </div>
  );
}

/** Returns why a report is incomplete. Null for a complete report, which ends with a line of the type `end`. */
function problemOf(report: string): Problem | null {
  const title = "The report is incomplete";
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the service that served this page sends it
    const last = JSON.parse(report.trimEnd().split("\n").at(-1) ?? "") as ReportLine;
    if (last.type === "end") return null;
    if (last.type === "error") return { code: last.code, title, detail: last.detail };
  } catch {
    // The connection was closed within a line.
  }
  return { code: "no_response", title, detail: "The connection was closed too early. Download it again." };
}
