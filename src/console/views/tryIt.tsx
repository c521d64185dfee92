import { useState } from "preact/hooks";
import type { Inspection } from "../../activities/inspection.ts";
import { MAX_FILE_BYTES } from "../../contract/limits.ts";
import type { Api, Problem } from "../api.ts";
import { bytes, counted, startTime, spaced } from "../format.ts";
import { Heading, Loading, ProblemBox } from "../parts/page.tsx";
import { Beats } from "../parts/beats.tsx";
import { Charts } from "../parts/charts.tsx";
import { Warnings } from "../parts/warnings.tsx";
import { Athlete, DeveloperFields, Sets, Zones } from "../parts/details.tsx";
import { Derived, Devices, Laps, Lengths, Totals } from "../parts/quantities.tsx";
import { Route } from "../parts/route.tsx";

export function TryItView({ api }: { api: Api }) {
  const [name, setName] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [found, setFound] = useState<Inspection | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isDraggedOver, setDraggedOver] = useState(false);
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
        <span class="soft">Shows the activities that an import would create. Nothing is stored.</span>
      </Heading>
      <label
        class={isDraggedOver ? "drop over" : "drop"}
        onDragOver={(event) => {
          event.preventDefault();
          setDraggedOver(true);
        }}
        onDragLeave={() => setDraggedOver(false)}
        onDrop={(event) => {
          event.preventDefault();
          setDraggedOver(false);
          void inspect(event.dataTransfer?.files[0]);
        }}
      >
        <strong>Drop a FIT file here, or choose one</strong>
        <span class="soft">
          A FIT file, or a gzip or zip archive with one FIT file; up to {bytes(MAX_FILE_BYTES)}
        </span>
        <input type="file" onChange={(event) => void inspect(event.currentTarget.files?.[0])} />
      </label>
      {busy && <Loading />}
      <ProblemBox problem={problem} />
      {found === null ? null : (
        <>
          <p role="status" class="note">
            {name}: {counted(found.activities.length, "activity", "activities")}.
          </p>
          <Warnings warnings={found.warnings} />
          {found.activities.map((activity) => (
            <InspectedActivity key={activity.session_index} activity={activity} />
          ))}
        </>
      )}
    </>
  );
}

function InspectedActivity({ activity }: { activity: Inspection["activities"][number] }) {
  const [at, setAt] = useState<number | null>(null);
  return (
    <section>
      <h2>
        {spaced(activity.sport)} · {startTime(activity)}
        {activity.recorded_with === null ? "" : ` · ${activity.recorded_with}`}
      </h2>
      <Totals activity={activity} />
      {activity.stream_data === undefined ? null : (
        <div class="ride">
          <Route streams={activity.stream_data} at={at} />
          <Charts streams={activity.stream_data} at={at} onAt={setAt} />
        </div>
      )}
      {activity.rr_intervals !== undefined && activity.has_rr_intervals && (
        <Beats intervals={activity.rr_intervals} name={`session-${activity.session_index}`} />
      )}
      <Zones zones={activity.time_in_zones} />
      <Sets sets={activity.sets} />
      <Laps laps={activity.laps} />
      <Lengths lengths={activity.lengths} />
      <Athlete athlete={activity.athlete} />
      <DeveloperFields fields={activity.developer_fields} />
      <Devices devices={activity.devices} />
      <Derived derived={activity.derived} />
    </section>
  );
}
