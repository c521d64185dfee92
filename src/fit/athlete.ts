import type { SESSION, TIME_IN_ZONE, USER_PROFILE, Values, ZONES_TARGET } from "./profile.ts";
import { rounded } from "./values.ts";

/** Messages that describe the athlete, for one session. */
export interface AthleteEvidence {
  readonly sport: number | null;
  readonly session: Values<typeof SESSION>;
  /** Of the session, then of its laps, which repeat the athlete. */
  readonly zones: readonly Values<typeof TIME_IN_ZONE>[];
  readonly target: Values<typeof ZONES_TARGET>;
  readonly profile: Values<typeof USER_PROFILE>;
}
type Sources = (evidence: AthleteEvidence) => (number | undefined)[];

const RUNNING = 1;
const CYCLING = 2;
/** `user_profile.weight` while the device computes it. */
const CALCULATING = 6553.4;

/**
 * The athlete as the device knew them. Calls `of` for each field and returns the results by name: types, schemas, rounding
 * and documentation derive from this list. The first of `sources` above 0 counts: devices write 0 for a value that is not
 * set. What holds for the session's sport comes before what holds for all sports.
 */
export function athleteFields<T>(of: (decimals: number, description: string, sources: Sources) => T) {
  return {
    max_heart_rate_in_beats_per_minute: of(
      0,
      "Maximum heart rate of the athlete. Null when the file has none.",
      ({ zones, target, profile, sport }) => [
        ...zones.map((zone) => zone.max_heart_rate),
        target.max_heart_rate,
        sport === RUNNING ? profile.default_max_running_heart_rate : undefined,
        sport === CYCLING ? profile.default_max_biking_heart_rate : undefined,
        profile.default_max_heart_rate,
      ],
    ),
    threshold_heart_rate_in_beats_per_minute: of(
      0,
      "Heart rate at the lactate threshold. Null when the file has none.",
      ({ zones, target }) => [...zones.map((zone) => zone.threshold_heart_rate), target.threshold_heart_rate],
    ),
    resting_heart_rate_in_beats_per_minute: of(
      0,
      "Resting heart rate. Null when the file has none.",
      ({ zones, profile }) => [...zones.map((zone) => zone.resting_heart_rate), profile.resting_heart_rate],
    ),
    functional_threshold_power_in_watts: of(
      0,
      "Functional threshold power. Null when the file has none.",
      ({ zones, session, target }) => [
        session.threshold_power_in_watts,
        ...zones.map((zone) => zone.functional_threshold_power),
        target.functional_threshold_power,
      ],
    ),
    weight_in_kilograms: of(1, "Weight of the athlete. Null when the file has none.", ({ profile }) => [
      profile.weight === CALCULATING ? undefined : profile.weight,
    ]),
  };
}

/** Null for an unknown field. */
export type Athlete = ReturnType<typeof athleteFields<number | null>>;

export function athleteOf(evidence: AthleteEvidence): Athlete {
  return athleteFields((decimals, _description, sources) =>
    rounded(
      sources(evidence).find((value) => value !== undefined && value > 0),
      decimals,
    ),
  );
}
