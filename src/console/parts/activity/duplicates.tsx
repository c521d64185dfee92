import type { Activity } from "../../../activities/activity.ts";
import type { Api, Page } from "../../api.ts";
import { useLoad } from "../../load.ts";
import { addressOf } from "../../router.ts";
import { withQuery } from "../../withQuery.ts";

/** Recordings of one ride begin within this time of each other. */
const APART_SECONDS = 86_400;

type Recording = Pick<
  Activity,
  "activity_id" | "source" | "recorded_with" | "summary_id" | "duplicate_group" | "is_canonical"
>;
type DuplicateActivity = Recording & Pick<Activity, "user_id" | "start_time_in_seconds">;

/** Links to the other recordings of the same ride. */
export function Duplicates({ api, activity }: { api: Api; activity: DuplicateActivity }) {
  return activity.duplicate_group === null ? null : <Recordings api={api} activity={activity} />;
}

function Recordings({ api, activity }: { api: Api; activity: DuplicateActivity }) {
  const start = activity.start_time_in_seconds ?? 0;
  const path = withQuery("/api/activities/", {
    user_id: activity.user_id,
    start_after: String(Math.floor(start - APART_SECONDS)),
    start_before: String(Math.ceil(start + APART_SECONDS)),
    limit: "100",
  });
  const list = useLoad<Page<Recording>>(api, path);
  const others = (list.value?.data ?? []).filter(
    (other) =>
      other.duplicate_group === activity.duplicate_group && other.activity_id !== activity.activity_id,
  );
  return (
    <div class="note">
      {activity.is_canonical
        ? "Other recordings of the same ride. This one counts."
        : "Another recording of the same ride counts instead of this one."}
      <ul class="plainlist">
        {others.map((other) => (
          <li key={other.activity_id}>
            <a href={addressOf(["activities", other.activity_id])}>{other.summary_id}</a> from {other.source}
            {other.recorded_with === null ? "" : ` · ${other.recorded_with}`}
            {other.is_canonical ? " · counts" : ""}
          </li>
        ))}
      </ul>
    </div>
  );
}
