import type { Activity } from "../../activities/activity.ts";
import type { Api } from "../api.ts";
import { dayRange } from "../days.ts";
import { useList } from "../load.ts";
import { ActivityTable } from "../parts/activityTable.tsx";
import { DayFields, FilterField, Filters, List, UserField } from "../parts/list.tsx";
import { Heading } from "../parts/page.tsx";
import { addressOf, go, type Place } from "../router.ts";
import { SPORTS } from "../sports.ts";
import { withQuery } from "../withQuery.ts";
import { NoMatch } from "./files.tsx";

const seconds = (at: Date | null) => (at === null ? "" : String(at.getTime() / 1_000));

export function ActivitiesView({ api, place }: { api: Api; place: Place }) {
  const { user_id = "", source = "", sport = "", name = "", from = "", to = "" } = place.query;
  const { start, end } = dayRange(from, to);
  const list = useList<Activity>(
    api,
    withQuery("/api/activities/", {
      user_id,
      source,
      sport,
      name_contains: name,
      start_after: seconds(start),
      start_before: seconds(end),
    }),
  );
  const narrow = (change: Record<string, string>) => go(["activities"], { ...place.query, ...change });
  const isFiltered = user_id + source + sport + name + from + to !== "";
  return (
    <>
      <Heading title="Activities">
        {isFiltered && <a href={addressOf(["activities"])}>Clear filters</a>}
      </Heading>
      <Filters isFiltered={isFiltered}>
        <FilterField
          label="Name"
          value={name}
          placeholder="Part of a name"
          onValue={(value) => narrow({ name: value })}
        />
        <UserField api={api} value={user_id} onValue={(value) => narrow({ user_id: value })} />
        <FilterField label="Source" value={source} onValue={(value) => narrow({ source: value })} />
        <FilterField
          label="Sport"
          value={sport}
          options={sport === "" || SPORTS.includes(sport) ? SPORTS : [sport, ...SPORTS]}
          onValue={(value) => narrow({ sport: value })}
        />
        <DayFields what="Started" from={from} to={to} onChange={narrow} />
      </Filters>
      <List list={list} empty={isFiltered ? <NoMatch of="activities" /> : "No activities yet."}>
        {(rows) => <ActivityTable label="Activities" activities={rows} />}
      </List>
    </>
  );
}
