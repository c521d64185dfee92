import { useState } from "preact/hooks";
import type { Inspection } from "../../activities/inspection.ts";
import type { Api, Problem } from "../api.ts";
import { startOf, spaced } from "../format.ts";
import { Heading, Loading, ProblemBox } from "../parts/page.tsx";
import { Charts } from "../parts/charts.tsx";
import { Warnings } from "../parts/warnings.tsx";
import { Derived, Laps, Lengths, Totals } from "../parts/quantities.tsx";
import { Route } from "../parts/route.tsx";

export function TryItView({ api }: { api: Api }) {
  const [name, setName] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [found, setFound] = useState<Inspection | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [over, setOver] = useState(false);
  const inspect = async (file: File | undefined) => {
    if (file === undefined) return;
    setName(file.name);
    setBusy(true);
    setFound(null);
    setProblem(null);
    const result = await api.post<Inspection>("/api/fit/inspect/?streams=true", file);
    setBusy(false);
    if (result.ok) setFound(result.value);
    else setProblem(result.problem);
  };
  return (
    <>
      <Heading title="Try it">
        <span class="soft">What an import would make of a file. Nothing is stored.</span>
      </Heading>
      <label
        class={over ? "drop over" : "drop"}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault();
          setOver(false);
          void inspect(event.dataTransfer?.files[0]);
        }}
      >
        <strong>Drop a FIT file here, or choose one</strong>
        <span class="soft">.fit, or a gzip or zip of one; up to 32 MiB</span>
        <input type="file" onChange={(event) => void inspect(event.currentTarget.files?.[0])} />
      </label>
      {busy && <Loading />}
      <ProblemBox problem={problem} />
      {found === null ? null : (
        <>
          <p role="status" class="note">
            {name}: {found.activities.length === 1 ? "one activity" : `${found.activities.length} activities`}
            .
          </p>
          <Warnings of={found.warnings} />
          {found.activities.map((activity) => (
            <Inspected key={activity.session_index} of={activity} />
          ))}
        </>
      )}
    </>
  );
}

function Inspected({ of }: { of: Inspection["activities"][number] }) {
  const [at, setAt] = useState<number | null>(null);
  return (
    <section>
      <h2>
        {spaced(of.sport)} · {startOf(of)}
      </h2>
      <Totals of={of} />
      {of.stream_data === undefined ? null : (
        <div class="ride">
          <Route streams={of.stream_data} at={at} />
          <Charts streams={of.stream_data} at={at} onAt={setAt} />
        </div>
      )}
      <Laps of={of.laps} />
      <Lengths of={of.lengths} />
      <Derived of={of} />
    </section>
  );
}
