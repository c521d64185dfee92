import type { ActivityWithParts } from "../../../activities/activity.ts";
import { BestAverages } from "./bestAverages.tsx";
import { Laps, type LapActivity } from "./laps.tsx";
import { Pool } from "./pool.tsx";
import type { Ride } from "./ride.tsx";
import { Splits } from "./splits.tsx";
import type { Columns } from "./traces.ts";
import { TimeInZones } from "./zones.tsx";

const NO_COLUMNS: Columns = {};
const NO_GAPS: ReadonlySet<number> = new Set();

/** Bars of laps, lengths, splits, best averages and zones, with their tables. */
export function Cards({
  activity,
  ride,
}: {
  activity: LapActivity & Pick<ActivityWithParts, "time_in_zones" | "best_efforts">;
  ride?: Ride;
}) {
  const { sport, pool_length_in_meters: pool } = activity;
  return (
    <>
      <Pool activity={activity} />
      <Laps activity={activity} {...(ride === undefined ? {} : { ride })} />
      <div class="cards">
        {ride !== undefined && <Splits ride={ride} sport={sport} isPool={pool !== null} />}
        <BestAverages efforts={activity.best_efforts} sport={sport} isPool={pool !== null} />
        <TimeInZones
          zones={activity.time_in_zones}
          sport={sport}
          columns={ride?.columns ?? NO_COLUMNS}
          gaps={ride?.gaps ?? NO_GAPS}
        />
      </div>
    </>
  );
}
