import type { Activity } from "../../activities/activity.ts";
import { duration, number, spaced, startTime } from "../format.ts";
import { addressOf } from "../router.ts";
import { distance, speed } from "../units.ts";
import { UserLink } from "./id.tsx";
import { Table } from "./list.tsx";

/** Activities of one file that follow each other in a list, in the order in which they were done. */
interface Group {
  legs: Activity[];
  /** The file's activity, or its sum if the file has several. */
  isOfMany: boolean;
}

/** Returns the activities of a list, with those of one file together. */
function groupsOf(rows: readonly Activity[]): Group[] {
  const groups: Group[] = [];
  for (const row of rows) {
    const last = groups.at(-1);
    if (last?.legs[0]?.file_id === row.file_id) last.legs.push(row);
    else groups.push({ legs: [row], isOfMany: row.session_count > 1 });
  }
  for (const { legs } of groups) legs.sort((a, b) => a.session_index - b.session_index);
  return groups;
}

const timeOf = (row: Activity) => row.timer_time_in_seconds ?? row.elapsed_time_in_seconds;

/** A table of activities. The legs of a triathlon stand together under their sum. */
export function ActivityTable({
  label,
  activities,
  isOfUser = false,
}: {
  label: string;
  activities: readonly Activity[];
  isOfUser?: boolean;
}) {
  return (
    <Table
      label={label}
      head={[
        "Activity",
        "Sport",
        "Start",
        ...(isOfUser ? [] : ["User"]),
        ["Time", "number"],
        ["Distance", "number"],
        ["Speed or pace", "number"],
        ["Heart rate", "number"],
      ]}
    >
      {groupsOf(activities).map(({ legs, isOfMany }) => {
        const [first] = legs;
        if (first === undefined) return null;
        return (
          <>
            {isOfMany && <SumRow key={`${first.activity_id} sum`} legs={legs} isOfUser={isOfUser} />}
            {legs.map((row) => (
              <Row key={row.activity_id} row={row} isLeg={isOfMany} isOfUser={isOfUser} />
            ))}
          </>
        );
      })}
    </Table>
  );
}

/** A value of zero says that the device had no sensor. */
const some = (value: number | null) => (value === 0 ? null : value);

function Row({ row, isLeg, isOfUser }: { row: Activity; isLeg: boolean; isOfUser: boolean }) {
  const isPool = row.sub_sport === "lap_swimming";
  return (
    <tr class={isLeg ? "leg" : undefined}>
      <td class="main">
        <a class="name" href={addressOf(["activities", row.activity_id])}>
          {isLeg
            ? `Leg ${row.session_index + 1} of ${row.session_count}`
            : (row.activity_name ?? row.summary_id)}
        </a>
      </td>
      <td class="bare">{spaced(row.sport)}</td>
      <td class="bare">{startTime(row)}</td>
      {!isOfUser && <td class="bare">{isLeg ? "" : <UserLink id={row.user_id} />}</td>}
      <td class="bare number">{duration(timeOf(row))}</td>
      <td class="bare number">{distance(some(row.distance_in_meters), isPool)}</td>
      <td class="bare number">{speed(some(row.average_speed_in_meters_per_second), row.sport)}</td>
      <td class="bare number">{number(some(row.average_heart_rate_in_beats_per_minute), 0, "bpm")}</td>
    </tr>
  );
}

/** The sum of the legs that the list shows. Says how many there are if it does not show all. */
function SumRow({ legs, isOfUser }: { legs: readonly Activity[]; isOfUser: boolean }) {
  const [first] = legs;
  if (first === undefined) return null;
  const isWhole = legs.length === first.session_count;
  const sum = (of: (row: Activity) => number | null) =>
    legs.reduce((total, row) => total + (of(row) ?? 0), 0);
  const others = legs.filter(({ sport }) => sport !== "transition");
  return (
    <tr class="sum">
      <td class="main">
        <a class="name" href={addressOf(["files", first.file_id])}>
          {first.activity_name ?? first.summary_id}
        </a>
        <span class="soft second">
          {isWhole
            ? others.map(({ sport }) => spaced(sport)).join(" → ")
            : `${legs.length} of ${first.session_count} legs`}
        </span>
      </td>
      <td class="bare">multisport</td>
      <td class="bare">{isWhole ? startTime(first) : ""}</td>
      {!isOfUser && (
        <td class="bare">
          <UserLink id={first.user_id} />
        </td>
      )}
      <td class="bare number">{isWhole ? duration(sum(timeOf)) : ""}</td>
      <td class="bare number">{isWhole ? distance(some(sum((row) => row.distance_in_meters))) : ""}</td>
      <td />
      <td />
    </tr>
  );
}
