import type { ActivityStreams, ActivityWithParts } from "../../activities/activity.ts";
import type { File } from "../../files/file.ts";
import type { Api } from "../api.ts";
import { startTime, spaced, titled } from "../format.ts";
import { useLoad } from "../load.ts";
import { Cards } from "../parts/activity/cards.tsx";
import { Duplicates } from "../parts/activity/duplicates.tsx";
import { Exports } from "../parts/activity/exports.tsx";
import { Legs } from "../parts/activity/legs.tsx";
import { Totals } from "../parts/activity/numbers.tsx";
import { RideSkeleton, RideView } from "../parts/activity/ride.tsx";
import { ActivityBeats } from "../parts/beats.tsx";
import { Athlete, DeveloperFields, Sets } from "../parts/details.tsx";
import { UserLink } from "../parts/id.tsx";
import { EditFlag, EditText } from "../parts/edit.tsx";
import { Empty, Heading, Loading, ProblemBox } from "../parts/page.tsx";
import { Derived, Devices } from "../parts/quantities.tsx";
import { Warnings } from "../parts/warnings.tsx";
import { addressOf } from "../router.ts";
import { distance } from "../units.ts";

const SPORT_FIELDS = [
  ["sport", "Sport"],
  ["sub_sport", "Sub-sport"],
] as const;

/** Maximum number of rows of a stream: two hours at one a second. Longer ones are thinned by the service. */
const ROWS = 7_200;

function titleOf({ activity_name, sport, distance_in_meters: meters }: ActivityWithParts): string {
  return (
    activity_name ??
    (meters === null || meters === 0 ? titled(sport) : `${titled(sport)}, ${distance(meters)}`)
  );
}

export function ActivityView({ api, id }: { api: Api; id: string }) {
  const path = `/api/activities/${encodeURIComponent(id)}/`;
  const activity = useLoad<ActivityWithParts>(api, path);
  const streams = useLoad<ActivityStreams>(api, `${path}streams/?resolution=${ROWS}`);
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
      <Heading title={titleOf(value)}>
        <span class="soft">
          {titled(value.sport)}
          {value.sub_sport === null || value.sub_sport === "generic"
            ? ""
            : `, ${spaced(value.sub_sport)}`} · {startTime(value)} · <UserLink id={value.user_id} />
          {value.recorded_with === null ? "" : ` · ${value.recorded_with}`}
        </span>
      </Heading>
      {value.session_count > 1 && <Legs api={api} activity={value} />}
      <Totals activity={value} />
      <ProblemBox problem={streams.problem} />
      {streams.value === null && streams.problem === null ? (
        <RideSkeleton streams={value.streams} />
      ) : (
        <Loaded api={api} path={path} value={value} streams={streams.value} reload={activity.reload} />
      )}
    </>
  );
}

/** What follows the numbers. It appears at once when the streams are here, so that nothing moves. */
function Loaded({
  api,
  path,
  value,
  streams,
  reload,
}: {
  api: Api;
  path: string;
  value: ActivityWithParts;
  streams: ActivityStreams | null;
  reload: () => Promise<void>;
}) {
  return (
    <>
      {streams === null || value.streams.length === 0 ? (
        <Cards activity={value} />
      ) : (
        <RideView activity={value} columns={streams}>
          {(ride) => <Cards activity={value} ride={ride} />}
        </RideView>
      )}
      {value.streams.length === 0 && (
        <Empty>This activity has no records, so it has no map and no charts.</Empty>
      )}
      <Sets sets={value.sets} />
      {value.has_rr_intervals && <ActivityBeats api={api} path={path} name={value.activity_id} />}
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
              onDone={reload}
            />
          ))}
          <EditFlag
            api={api}
            path={path}
            name="exclude_from_training"
            label="Exclude from training"
            value={value.exclude_from_training}
            onDone={reload}
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
          <Exports api={api} fileId={value.file_id} activityId={value.activity_id} />
          <Duplicates api={api} activity={value} />
          <FileWarnings api={api} fileId={value.file_id} />
        </section>
      </div>
    </>
  );
}

function FileWarnings({ api, fileId }: { api: Api; fileId: string }) {
  const file = useLoad<File>(api, `/api/files/${encodeURIComponent(fileId)}/`);
  return <Warnings warnings={file.value?.warnings ?? []} />;
}
