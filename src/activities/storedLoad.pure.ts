import { EFFORT_SECONDS, type BestEfforts } from "../fit/bestEfforts.ts";
import type { LoadEvidence } from "../fit/trainingLoad.ts";

/**
 * Best efforts and evidence of the training load as one line of a stored summary: values at fixed positions between tabs,
 * lists with commas. Null is written as nothing. A new value goes to the end.
 */
const FIELD_END = "\t";
const LIST_END = ",";

export interface StoredLoad {
  best_efforts: BestEfforts;
  load_evidence: LoadEvidence;
}

/** `threshold` is the activity's own threshold power: an equal one is not written again. */
export function loadLine(
  { best_efforts: best, load_evidence: evidence }: StoredLoad,
  threshold: number | null,
): string {
  const { functional_threshold_power_in_watts: functional } = evidence;
  return [
    listText(best.power_in_watts),
    listText(best.heart_rate_in_beats_per_minute),
    listText(best.speed_in_meters_per_second),
    evidence.power_coverage ?? "",
    evidence.heart_rate_histogram,
    functional === null || functional === threshold ? "" : functional,
    evidence.threshold_heart_rate_in_beats_per_minute ?? "",
    evidence.max_heart_rate_in_beats_per_minute ?? "",
    evidence.resting_heart_rate_in_beats_per_minute ?? "",
  ]
    .join(FIELD_END)
    .trimEnd();
}

/** Returns the values of a line. An older release has written none. */
export function parseLoadLine(line: string | undefined, threshold: number | null): StoredLoad {
  const values = (line ?? "").split(FIELD_END).values();
  const text = () => values.next().value ?? "";
  return {
    best_efforts: {
      durations_in_seconds: [...EFFORT_SECONDS],
      power_in_watts: listOf(text()),
      heart_rate_in_beats_per_minute: listOf(text()),
      speed_in_meters_per_second: listOf(text()),
    },
    load_evidence: {
      power_coverage: numberOf(text()),
      heart_rate_histogram: text(),
      functional_threshold_power_in_watts: numberOf(text()) ?? threshold,
      threshold_heart_rate_in_beats_per_minute: numberOf(text()),
      max_heart_rate_in_beats_per_minute: numberOf(text()),
      resting_heart_rate_in_beats_per_minute: numberOf(text()),
    },
  };
}

function listText(list: readonly (number | null)[] | null): string {
  return (list ?? [])
    .map((value) => value ?? "")
    .join(LIST_END)
    .replace(/,+$/, "");
}

function listOf(text: string): (number | null)[] | null {
  if (text === "") return null;
  const values = text.split(LIST_END);
  return EFFORT_SECONDS.map((_, i) => numberOf(values[i] ?? ""));
}

function numberOf(text: string): number | null {
  const value = text === "" ? NaN : Number(text);
  return Number.isFinite(value) ? value : null;
}
