import { useState } from "preact/hooks";
import type { ActivityWithParts } from "../../activities/activity.ts";
import type { File } from "../../files/file.ts";
import type { Api, Streams } from "../api.ts";
import { kilometers, startOf, words } from "../format.ts";
import { useLoad } from "../load.ts";
import { Empty, Heading, Loading, ProblemBox } from "../parts.tsx";
import { addressOf } from "../router.ts";
import { Charts } from "./charts.tsx";
import { Derived, Lengths, Laps, Totals } from "./quantities.tsx";
import { Route } from "./route.tsx";
import { Warnings } from "./file.tsx";

/** More points than a wide screen has pixels; the extremes stay. */
const POINTS = 2_000;

export function ActivityView({ api, id }: { api: Api; id: string }) {
  const path = `/api/activities/${encodeURIComponent(id)}/`;
  const activity = useLoad<ActivityWithParts>(api, path);
  const streams = useLoad<Streams>(api, `${path}streams/?resolution=${POINTS}`);
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
        title={value.activity_name ?? `${words(value.sport)}, ${kilometers(value.distance_in_meters)}`}
      >
        <span class="soft">
          {words(value.sport)}
          {value.sub_sport === null ? "" : `, ${words(value.sub_sport)}`} · {startOf(value)} · {value.user_id}
        </span>
      </Heading>
      <Totals of={value} />
      <ProblemBox problem={streams.problem} />
      {streams.value === null ? (
        streams.problem === null && <Loading />
      ) : (
        <div class="ride">
          <Route streams={streams.value} at={at} />
          <Charts streams={streams.value} at={at} onAt={setAt} />
        </div>
      )}
      {value.streams.length === 0 && <Empty>This activity has no records to draw.</Empty>}
      <Laps of={value.laps} />
      <Lengths of={value.lengths} />
      <div class="columns">
        <section>
          <Derived of={value} />
        </section>
        <section>
          <h2>Where it comes from</h2>
          <p>
            <a href={addressOf(["files", value.file_id])}>File {value.summary_id}</a> from {value.source},
            session {value.session_index + 1} of {value.session_count}.
          </p>
          {value.possible_duplicate_of !== null && (
            <p class="note">
              It looks like{" "}
              <a href={addressOf(["activities", value.possible_duplicate_of])}>
                an activity that came earlier
              </a>{" "}
              in another file.
            </p>
          )}
          <Warnings of={file.value?.warnings ?? []} />
        </section>
      </div>
    </>
  );
}
