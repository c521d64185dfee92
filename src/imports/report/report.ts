import type { Env } from "../../env.ts";
import { faultName, logLine } from "../../log.ts";
import type { Partner } from "../../partners/partner.ts";
import { readImport } from "../read.ts";
import type { ReportEnd, ReportError, ReportLine } from "./lines.ts";
import { readReportPage, type ReportPage } from "./read.ts";
import { Starts } from "./starts.pure.ts";

type Reader = Pick<Partner, "partner_id" | "database" | "event_url">;

/**
 * Returns the pages of an import's report, as text of JSON lines, or null for an unknown import. Throws when the first page
 * cannot be read. A later fault becomes the last line. `count` receives the number of rows that each page read.
 */
export async function openReport(
  env: Env,
  partner: Reader,
  importId: string,
  count: (rows: number) => void,
): Promise<AsyncGenerator<string, void> | null> {
  if ((await readImport(env, partner, importId)) === null) return null;
  const first = await readReportPage(env, partner, importId, "");
  return pagesOf(env, partner, importId, first, count);
}

async function* pagesOf(
  env: Env,
  partner: Reader,
  importId: string,
  first: ReportPage,
  count: (rows: number) => void,
): AsyncGenerator<string, void> {
  const starts = new Starts();
  try {
    for (let page = first; ; page = await readReportPage(env, partner, importId, page.next)) {
      count(page.rowsRead);
      for (const file of page.files) {
        if (file.start_time_in_seconds !== null) starts.add(file.start_time_in_seconds);
      }
      yield textOf(page.files);
      if (page.next === null) break;
    }
    yield textOf([await lastLine(env, partner, importId, starts)]);
  } catch (fault) {
    const { partner_id } = partner;
    logLine({
      unit: "setback",
      outcome: "report_ended",
      partner_id,
      import_id: importId,
      fault: faultName(fault),
    });
    const error: ReportError = {
      type: "error",
      code: "store_unavailable",
      detail: "A data store became unavailable, so the report is incomplete. Request it again.",
    };
    yield textOf([error]);
  }
}

/** Returns the summary with the newest counts, or an error when the import was erased meanwhile. */
async function lastLine(
  env: Env,
  partner: Reader,
  importId: string,
  starts: Starts,
): Promise<ReportEnd | ReportError> {
  const found = await readImport(env, partner, importId);
  if (found === null) {
    return { type: "error", code: "not_found", detail: "The import was deleted while the report was read." };
  }
  const { first, last, gap } = starts.summary();
  const { status, files, missing_summary_ids } = found;
  return {
    type: "end",
    import_id: importId,
    status,
    files,
    first_start_time_in_seconds: first,
    last_start_time_in_seconds: last,
    longest_gap: gap,
    ...(missing_summary_ids === undefined ? {} : { missing_summary_ids }),
  };
}

function textOf(lines: readonly ReportLine[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
}
