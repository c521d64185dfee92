import type { Clock } from "./clock.ts";
import { athleteOf } from "./athlete.ts";
import { developerValuesOf } from "./developerValues.ts";
import { exerciseOf } from "./exercises.ts";
import { startOf, type SessionLaps } from "./laps.ts";
import { listedName } from "./names.ts";
import { numbersOf, quantitiesOf } from "./numbers.ts";
import { lapFields, lengthFields, setFields, type PartFields } from "./partFields.ts";
import {
  LAP_TRIGGERS,
  LENGTH_TYPES,
  MESSAGE_INDEX_MASK,
  type LAP,
  type LENGTH,
  type SESSION,
  type SET,
  type Values,
} from "./profile.ts";
import { QUANTITY_DECIMALS } from "./quantities.ts";
import { messageOfSession } from "./sessionMessages.ts";
import { windowFinder, type SessionWindows } from "./sessionWindows.ts";
import type { ActivityParts, DecodedLap, DecodedLength, DecodedSet } from "./types.ts";
import { rounded } from "./values.ts";
import { timeInZonesOf, zoneMessagesFinder } from "./zones.ts";

/** Parts of an activity that need no records: its laps, lengths, sets, devices, athlete, zones and developer fields. */

const SWIMMING = 5;

/** Returns the recorded value, or else the computed one, and then adds its name to the activity's `derived`. */
export type Derive = <T>(name: string, recorded: T | null | undefined, computed: T | null) => T | null;

/** What the parts of all sessions of a chained file share. */
export interface SharedParts {
  readonly sessionWindows: SessionWindows;
  readonly devices: ActivityParts["devices"];
  /** Strength sets of each session. */
  readonly sets: readonly DecodedSet[][];
  readonly zoneMessageOf: ReturnType<typeof zoneMessagesFinder>;
}

/** What the parts of one session are made from. */
interface PartsEvidence extends SharedParts {
  readonly index: number;
  readonly ofSession: SessionLaps;
  readonly sport: number | null;
  readonly isOnFoot: boolean;
}

export function sharedPartsOf(sessionWindows: SessionWindows): SharedParts {
  const { chained } = sessionWindows;
  return {
    sessionWindows,
    devices: chained.devices.list(),
    sets: setsOf(sessionWindows),
    zoneMessageOf: zoneMessagesFinder(chained),
  };
}

export function partsOfSession(evidence: PartsEvidence, derive: Derive): ActivityParts {
  const { sessionWindows, ofSession, devices, sets, index, sport, zoneMessageOf } = evidence;
  const { chained, clock, windows } = sessionWindows;
  const session: Values<typeof SESSION> = windows[index]?.session ?? {};
  const { laps, lengths } = ofSession;
  const zones = zoneMessageOf(session);
  return {
    laps: laps.map((lap, i) => lapOf(lap, i, evidence, derive)),
    lengths: lengths.map((length, i) => lengthOf(length, i, clock, derive)),
    sets: sets[index] ?? [],
    devices,
    athlete: athleteOf({
      sport,
      session,
      zones: [zones, ...laps.map(zoneMessageOf)],
      target: messageOfSession(chained.zonesTargets, index, windows.length) ?? {},
      profile: chained.userProfile,
    }),
    time_in_zones: timeInZonesOf(session, zones, chained.deviceZones),
    developer_fields: developerValuesOf(chained.developerMessages.get(session), chained.developerFields),
  };
}

/** Returns the fields of a list in `partFields.ts` that a message has; `names` are those of the list. */
function reader(
  names: readonly string[],
  message: Readonly<Record<string, unknown>>,
): PartFields<number | null, string | null> {
  let position = 0;
  const next = () => {
    const value = message[names[position] ?? ""];
    position += 1;
    return typeof value === "number" ? value : undefined;
  };
  return {
    number: (decimals) => rounded(next(), decimals),
    index: () => {
      const value = next();
      return value === undefined ? null : value & MESSAGE_INDEX_MASK;
    },
    name: (list) => listedName(list, next()),
  };
}
const NO_VALUES = reader([], {});
const LAP_NAMES = Object.keys(lapFields(NO_VALUES));
const LENGTH_NAMES = Object.keys(lengthFields(NO_VALUES));
const SET_NAMES = Object.keys(setFields(NO_VALUES));

function lapOf(lap: Values<typeof LAP>, index: number, evidence: PartsEvidence, derive: Derive): DecodedLap {
  const { sessionWindows, zoneMessageOf, isOnFoot } = evidence;
  const { chained, clock } = sessionWindows;
  const numbers = numbersOf(lap, isOnFoot);
  const { distance_in_meters: distance, timer_time_in_seconds: timer } = numbers;
  if (Number.isNaN(numbers.average_speed_in_meters_per_second) && distance > 0 && timer > 0) {
    numbers.average_speed_in_meters_per_second = distance / timer;
  }
  return {
    lap_index: index,
    start_time_in_seconds: startTimeOf("laps", lap, clock, derive),
    trigger: listedName(LAP_TRIGGERS, lap.lap_trigger),
    ...quantitiesOf(numbers),
    ...lapFields(reader(LAP_NAMES, lap)),
    strokes: (lap.sport ?? evidence.sport) === SWIMMING ? rounded(lap.total_cycles, 0) : null,
    time_in_zones: timeInZonesOf(lap, zoneMessageOf(lap), chained.deviceZones),
    developer_fields: developerValuesOf(chained.developerMessages.get(lap), chained.developerFields),
  };
}

function lengthOf(
  { length, lapIndex }: SessionLaps["lengths"][number],
  index: number,
  clock: Clock,
  derive: Derive,
): DecodedLength {
  return {
    length_index: index,
    lap_index: lapIndex,
    type: length.length_type === undefined ? null : (LENGTH_TYPES[length.length_type] ?? null),
    start_time_in_seconds: startTimeOf("lengths", length, clock, derive),
    elapsed_time_in_seconds: rounded(
      length.total_elapsed_time ?? length.total_timer_time,
      QUANTITY_DECIMALS.elapsed_time_in_seconds,
    ),
    ...lengthFields(reader(LENGTH_NAMES, length)),
  };
}

/** Returns the strength sets of each session, in file order. */
function setsOf({ chained, clock, windows }: SessionWindows): DecodedSet[][] {
  const found: DecodedSet[][] = windows.map(() => []);
  const windowAt = windowFinder(windows);
  for (const set of chained.sets) {
    const ofSession = found[windowAt(clock.place(set.start_time ?? set.timestamp ?? NaN))];
    ofSession?.push(setOf(set, ofSession.length, clock));
  }
  return found;
}

function setOf(set: Values<typeof SET>, index: number, clock: Clock): DecodedSet {
  const { start_time: start, category = [], category_subtype: numbers = [] } = set;
  const known = category.findIndex((one) => !Number.isNaN(one));
  return {
    set_index: index,
    start_time_in_seconds: start === undefined ? null : clock.unix(clock.place(start)),
    exercise: known < 0 ? null : exerciseOf(category[known] ?? NaN, numbers[known]),
    ...setFields(reader(SET_NAMES, set)),
  };
}

/** Returns the start of a lap or length, or else the time that its end and duration give. */
function startTimeOf(
  list: "laps" | "lengths",
  message: Values<typeof LAP> | Values<typeof LENGTH>,
  clock: Clock,
  derive: Derive,
): number | null {
  const { start_time: start } = message;
  const recorded = start === undefined ? null : clock.unix(clock.place(start));
  return derive(`${list}.start_time_in_seconds`, recorded, clock.unix(startOf(message, clock)));
}
