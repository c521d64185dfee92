import type { Activity } from "../../../activities/activity.ts";
import type { Api, Page } from "../../api.ts";
import { duration, NONE, titled } from "../../format.ts";
import { useLoad } from "../../load.ts";
import { addressOf } from "../../router.ts";
import { distance, speed } from "../../units.ts";
import { withQuery } from "../../withQuery.ts";

/** The other sessions of a file begin within this time of each other. */
const SESSIONS_SECONDS = 2 * 86_400;

type Leg = Pick<
  Activity,
  | "activity_id"
  | "file_id"
  | "session_index"
  | "sport"
  | "distance_in_meters"
  | "elapsed_time_in_seconds"
  | "timer_time_in_seconds"
  | "average_speed_in_meters_per_second"
>;

type LegActivity = Leg & Pick<Activity, "user_id" | "source" | "start_time_in_seconds" | "session_count">;

const timeOf = (leg: Leg) => leg.timer_time_in_seconds ?? leg.elapsed_time_in_seconds ?? 0;

/** The sessions of a file, such as the legs of a triathlon, with their sum. */
export function Legs({ api, activity }: { api: Api; activity: LegActivity }) {
  const start = activity.start_time_in_seconds ?? 0;
  const path = withQuery("/api/activities/", {
    user_id: activity.user_id,
    source: activity.source,
    start_after: String(Math.floor(start - SESSIONS_SECONDS)),
    start_before: String(Math.ceil(start + SESSIONS_SECONDS)),
    limit: "100",
  });
  const list = useLoad<Page<Leg>>(api, path);
  const found = (list.value?.data ?? []).filter(({ file_id }) => file_id === activity.file_id);
  const legs = (found.length === 0 ? [activity] : found).sort((a, b) => a.session_index - b.session_index);
  const meters = legs.reduce((sum, leg) => sum + (leg.distance_in_meters ?? 0), 0);
  const isTriathlon = ["swimming", "cycling", "running"].every((sport) =>
    legs.some((leg) => leg.sport === sport),
  );
  return (
    <nav class="legs" aria-label="Sessions of this file">
      <p>
        <strong>{isTriathlon ? "Triathlon" : `${activity.session_count} sessions`}</strong>{" "}
        {found.length === 0
          ? ""
          : `${distance(meters)} · ${duration(legs.reduce((sum, leg) => sum + timeOf(leg), 0))}`}
      </p>
      <ol>
        {Array.from({ length: activity.session_count }, (_, index) => {
          const leg = legs.find(({ session_index }) => session_index === index);
          return (
            <li key={index} class={leg?.sport}>
              <a
                href={addressOf(["activities", `${activity.file_id}.${index}`])}
                aria-current={index === activity.session_index ? "page" : undefined}
              >
                <strong>{leg === undefined ? `Session ${index + 1}` : nameOf(leg, legs)}</strong>
                <span>
                  {leg === undefined ? "" : `${distance(leg.distance_in_meters)} · ${duration(timeOf(leg))}`}
                </span>
                <span class="soft">{leg === undefined ? "" : paceOf(leg)}</span>
              </a>
            </li>
          );
        })}
      </ol>
    </nav>
  );
}

/** Returns the sport of a leg, or `T1` and `T2` for the transitions. */
function nameOf(leg: Leg, legs: readonly Leg[]): string {
  if (leg.sport !== "transition") return titled(leg.sport);
  const before = legs.filter(
    ({ sport, session_index: index }) => sport === "transition" && index < leg.session_index,
  );
  return `T${before.length + 1}`;
}

function paceOf(leg: Leg): string {
  const text = leg.sport === "transition" ? NONE : speed(leg.average_speed_in_meters_per_second, leg.sport);
  return text === NONE ? "" : text;
}
