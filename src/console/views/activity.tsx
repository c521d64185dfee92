import { useState } from "preact/hooks";
import type { ActivityStreams, ActivityWithParts } from "../../activities/activity.ts";
import type { File } from "../../files/file.ts";
import type { Api } from "../api.ts";
import { kilometers, startTime, spaced } from "../format.ts";
import { useLoad } from "../load.ts";
import { Empty, Heading, Loading, ProblemBox } from "../parts/page.tsx";
import { addressOf } from "../router.ts";
import { ActivityBeats } from "../parts/beats.tsx";
import { EditFlag, EditText } from "../parts/edit.tsx";
import { Charts } from "../parts/charts.tsx";
import { Athlete, DeveloperFields, Sets, Zones } from "../parts/details.tsx";
import { Derived, Devices, Lengths, Laps, Totals } from "../parts/quantities.tsx";
import { Route } from "../parts/route.tsx";
import { Warnings } from "../parts/warnings.tsx";

const SPORT_FIELDS = [
  ["sport", "Sport"],
  ["sub_sport", "Sub-sport"],
] as const;

/** Number of points of a stream: about one per pixel of a wide screen. */
const POINTS = 2_000;

export function ActivityView({ api, id }: { api: Api; id: string }) {
  const path = `/api/activities/${encodeURIComponent(id)}/`;
  const activity = useLoad<ActivityWithParts>(api, path);
  const streams = useLoad<ActivityStreams>(api, `${path}streams/?resolution=${POINTS}`);
  const file = useLoad<File>(api, `/api/files/${encodeURIComponent(id.split(".")[0] ?? "")}/`);
  const [at, setAt] = useState<number | null>(null);
  const { value } = activity;
  if (value === null) {
    return (
      <>
        <Heading title="Activity" />
        {activity.problem === null ? <Loading /> : <ProblemBox problem={activity.problem} />}
      </>
    );
  }
  return (
    <>
      <Heading
        title={value.activity_name ?? `${spaced(value.sport)}, ${kilometers(value.distance_in_meters)}`}
      >
        <span class="soft">
          {spaced(value.sport)}
          {value.sub_sport === null ? "" : `, ${spaced(value.sub_sport)}`} · {startTime(value)} ·{" "}
          {value.user_id}
          {value.recorded_with === null ? "" : ` · ${value.recorded_with}`}
        </span>
      </Heading>
      <Totals activity={value} />
      <ProblemBox problem={streams.problem} />
      {streams.value === null ? (
        streams.problem === null && <Loading />
      ) : (
        <div class="ride">
          <Route streams={streams.value} at={at} />
          <Charts streams={streams.value} at={at} onAt={setAt} />
        </div>
      )}
      {value.streams.length === 0 && (
        <Empty>This activity has no records, so it has no map and no charts.</Empty>
      )}
      {value.has_rr_intervals && <ActivityBeats api={api} path={path} name={value.activity_id} />}
      <Zones zones={value.time_in_zones} />
      <Sets sets={value.sets} />
      <Laps laps={value.laps} />
      <Lengths lengths={value.lengths} />
      <Athlete athlete={value.athlete} />
      <DeveloperFields fields={value.developer_fields} />
      <Devices devices={value.devices} />
      <div class="columns">
        <section>
          <h2>Edit</h2>
          {SPORT_FIELDS.map(([name, label]) => (
            <EditText
              key={name}
              api={api}
              path={path}
              name={name}
              label={label}
              value={value[name]}
              isEdited={value.edited.includes(name)}
              onDone={activity.reload}
            />
          ))}
          <EditFlag
            api={api}
            path={path}
            name="exclude_from_training"
            label="Exclude from training"
            value={value.exclude_from_training}
            onDone={activity.reload}
          />
          <p class="soft">
            Use names of the FIT profile: <a href="/docs/#sports">sports</a> and{" "}
            <a href="/docs/#sub-sports">sub-sports</a>.
          </p>
          <Derived derived={value.derived} />
        </section>
        <section>
          <h2>Origin</h2>
          <p>
            <a href={addressOf(["files", value.file_id])}>File {value.summary_id}</a> from {value.source},
            session {value.session_index + 1} of {value.session_count}.
          </p>
          {value.possible_duplicate_of !== null && (
            <p class="note">
              Possible duplicate of{" "}
              <a href={addressOf(["activities", value.possible_duplicate_of])}>an activity in another file</a>
              .
            </p>
          )}
          <Warnings warnings={file.value?.warnings ?? []} />
        </section>
      </div>
    </>
  );
}
