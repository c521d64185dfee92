import type { Activity } from "../../activities/activity.ts";
import type { Api } from "../api.ts";
import { withQuery } from "../withQuery.ts";
import { duration, kilometers, NONE, number, startTime, spaced } from "../format.ts";
import { useList } from "../load.ts";
import { FilterField, List, Table } from "../parts/list.tsx";
import { Heading } from "../parts/page.tsx";
import { addressOf, go, type Place } from "../router.ts";

export function ActivitiesView({ api, place }: { api: Api; place: Place }) {
  const { user_id = "", source = "", sport = "" } = place.query;
  const list = useList<Activity>(api, withQuery("/api/activities/", { user_id, source, sport }));
  const narrow = (change: Record<string, string>) => go(["activities"], { ...place.query, ...change });
  return (
    <>
      <Heading title="Activities" />
      <div class="filters">
        <FilterField label="User" value={user_id} onValue={(value) => narrow({ user_id: value })} />
        <FilterField label="Source" value={source} onValue={(value) => narrow({ source: value })} />
        <FilterField label="Sport" value={sport} onValue={(value) => narrow({ sport: value })} />
      </div>
      <List
        list={list}
        empty={user_id + source + sport === "" ? "No activities yet." : "No activities match these filters."}
      >
        {(rows) => (
          <Table
            label="Activities"
            head={[
              "Start",
              "Sport",
              "Name",
              "User",
              "Recorded with",
              ["Time", "number"],
              ["Distance", "number"],
              ["Heart rate", "number"],
            ]}
          >
            {rows.map((row) => (
              <tr key={row.activity_id}>
                <td>
                  <a href={addressOf(["activities", row.activity_id])}>{startTime(row)}</a>
                </td>
                <td>{spaced(row.sport)}</td>
                <td class="wide">{row.activity_name ?? row.summary_id}</td>
                <td>{row.user_id}</td>
                <td>{row.recorded_with ?? NONE}</td>
                <td class="number">{duration(row.timer_time_in_seconds ?? row.elapsed_time_in_seconds)}</td>
                <td class="number">{kilometers(row.distance_in_meters)}</td>
                <td class="number">{number(row.average_heart_rate_in_beats_per_minute, 0, "bpm")}</td>
              </tr>
            ))}
          </Table>
        )}
      </List>
    </>
  );
}
