import type { Streams } from "../../../fit/types.ts";
import { Laps, type LapActivity } from "./laps.tsx";
import { Pool } from "./pool.tsx";
import { PowerCurve, type BestEfforts } from "./powerCurve.tsx";
import type { Ride } from "./ride.tsx";
import { Splits } from "./splits.tsx";
import { TimeInZones, type ZonesOfFile } from "./zones.tsx";

type Columns = Streams["columns"];

const NO_COLUMNS: Columns = {};
const NO_GAPS: ReadonlySet<number> = new Set();

/** Bars of laps, lengths, splits, power and zones, with their tables. */
export function Cards({
  activity,
  ride,
  isThinned,
}: {
  activity: LapActivity & { time_in_zones: ZonesOfFile; best_efforts?: BestEfforts };
  ride?: Ride;
  isThinned: boolean;
}) {
  const { sport, pool_length_in_meters: pool } = activity;
  const columns = ride?.columns ?? NO_COLUMNS;
  return (
    <>
      <Pool activity={activity} />
      <Laps activity={activity} {...(ride === undefined ? {} : { ride })} />
      <div class="cards">
        {ride !== undefined && <Splits ride={ride} sport={sport} isPool={pool !== null} />}
        <PowerCurve columns={columns} isThinned={isThinned} bestEfforts={activity.best_efforts ?? null} />
        <TimeInZones
          zones={activity.time_in_zones}
          sport={sport}
          columns={columns}
          gaps={ride?.gaps ?? NO_GAPS}
        />
      </div>
    </>
  );
}
