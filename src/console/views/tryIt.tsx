import { useMemo, useState } from "preact/hooks";
import type { Inspection } from "../../activities/inspection.ts";
import { MAX_FILE_BYTES } from "../../contract/limits.ts";
import type { Api, Problem } from "../api.ts";
import { bytes, counted, startTime, titled } from "../format.ts";
import { Heading, Loading, ProblemBox } from "../parts/page.tsx";
import { Beats } from "../parts/beats.tsx";
import { Warnings } from "../parts/warnings.tsx";
import { Cards } from "../parts/activity/cards.tsx";
import { Totals } from "../parts/activity/numbers.tsx";
import { RideView } from "../parts/activity/ride.tsx";
import { thinned } from "../parts/activity/traces.ts";
import { Athlete, DeveloperFields, Sets } from "../parts/details.tsx";
import { Derived, Devices } from "../parts/quantities.tsx";

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
    // Some systems give .fit the media type of another format.
    const bytes = file.slice(0, file.size, "application/octet-stream");
    const result = await api.post<Inspection>("/api/fit/inspect/?streams=true", bytes);
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
  const columns = useMemo(() => thinned(activity.stream_data ?? {}), [activity]);
  return (
    <section>
      <h2>
        {titled(activity.sport)} · {startTime(activity)}
        {activity.recorded_with === null ? "" : ` · ${activity.recorded_with}`}
      </h2>
      <Totals activity={activity} />
      <RideView activity={activity} columns={columns}>
        {(ride) => <Cards activity={activity} ride={ride} />}
      </RideView>
      <Sets sets={activity.sets} />
      {activity.rr_intervals !== undefined && activity.has_rr_intervals && (
        <Beats intervals={activity.rr_intervals} name={`session-${activity.session_index}`} />
      )}
      <Athlete athlete={activity.athlete} />
      <DeveloperFields fields={activity.developer_fields} />
      <Devices devices={activity.devices} />
      <Derived derived={activity.derived} />
    </section>
  );
}
