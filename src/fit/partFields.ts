import type { Wire } from "./summaryFields.ts";

/**
 * Fields of laps, lengths and strength sets that need no rule of their own. Each function calls `number`, `index` or
 * `name` for each field and returns the results by name: profile, types, schemas, rounding and documentation all derive
 * from these lists. `wire` is the field of the message in the FIT profile. Partners read `description`.
 */
export interface PartFields<N, T> {
  number: (decimals: number, description: string, wire: Wire) => N;
  /** An index of another message. The upper bits are flags. */
  index: (description: string, wire: Wire) => N;
  /** An entry of a list of names of the profile. */
  name: (names: readonly string[], description: string, wire: Wire) => T;
}

export function lapFields<N, T>({ number, index, name }: PartFields<N, T>) {
  return {
    intensity: name(
      ["active", "rest", "warmup", "cooldown", "recovery", "interval", "other"],
      "Intensity, as the FIT profile names it, such as `warmup`. Null when the file has none.",
      [23],
    ),
    workout_step_index: index(
      "Index of the executed step of the workout. Null when the file has none.",
      [71],
    ),
    stroke: name(SWIM_STROKES, STROKE, [38]),
    number_of_active_lengths: number(
      0,
      "Number of pool lengths that were swum. Null when not in a pool.",
      [40],
    ),
  };
}

export function lengthFields<N, T>({ number, name }: PartFields<N, T>) {
  return {
    stroke: name(SWIM_STROKES, STROKE, [7]),
    strokes: number(0, "Number of strokes. Null when not counted.", [5]),
    average_speed_in_meters_per_second: number(3, "Average speed. Null when not measured.", [6, 1000]),
    average_cadence_in_cycles_per_minute: number(
      0,
      "Average cadence, in strokes per minute. Null when not measured.",
      [9],
    ),
  };
}

export function setFields<N, T>({ number, index, name }: PartFields<N, T>) {
  return {
    type: name(["rest", "active"], "`active`: an exercise. `rest`: a rest. Null when unknown.", [5]),
    repetitions: number(0, "Number of repetitions. Null when not counted.", [3]),
    weight_in_kilograms: number(4, "Weight that was moved. Null when the file has none.", [4, 16]),
    duration_in_seconds: number(3, "Duration. Null when unknown.", [0, 1000]),
    workout_step_index: index(
      "Index of the executed step of the workout. Null when the file has none.",
      [11],
    ),
  };
}

const STROKE = "Swim stroke, as the FIT profile names it, such as `freestyle`. Null when unknown.";
const SWIM_STROKES = [
  "freestyle",
  "backstroke",
  "breaststroke",
  "butterfly",
  "drill",
  "mixed",
  "im",
  "im_by_round",
  "rimo",
] as const;

/** Null for an unknown field. */
export type LapFields = ReturnType<typeof lapFields<number | null, string | null>>;
export type LengthFields = ReturnType<typeof lengthFields<number | null, string | null>>;
export type SetFields = ReturnType<typeof setFields<number | null, string | null>>;
