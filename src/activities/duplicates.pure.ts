/** The fields of an activity that decide whether it duplicates another. */
export interface DuplicateCandidate {
  activity_id: string;
  file_id: string;
  sport: string;
  start_time_in_seconds: number;
  elapsed_time_in_seconds: number | null;
  created_at: number;
}

/** Maximum difference between the starts of two recordings of one ride. A second ride starts later. */
export const START_TOLERANCE_SECONDS = 60;

/** Sports that two devices may name differently for the same activity. */
const FAMILIES: Record<string, string> = {
  e_biking: "cycling",
  walking: "on_foot",
  hiking: "on_foot",
  running: "on_foot",
};

function familyOf(sport: string): string {
  return FAMILIES[sport] ?? sport;
}

/** Whether the two overlap for more than half of the longer one: a warm-up inside a long ride is no duplicate of it. */
function overlapsByHalf(a: DuplicateCandidate, b: DuplicateCandidate): boolean {
  if (a.elapsed_time_in_seconds === null || b.elapsed_time_in_seconds === null) return false;
  const start = Math.max(a.start_time_in_seconds, b.start_time_in_seconds);
  const end = Math.min(
    a.start_time_in_seconds + a.elapsed_time_in_seconds,
    b.start_time_in_seconds + b.elapsed_time_in_seconds,
  );
  return end - start > Math.max(a.elapsed_time_in_seconds, b.elapsed_time_in_seconds) / 2;
}

function cameBefore(a: DuplicateCandidate, b: DuplicateCandidate): boolean {
  return a.created_at < b.created_at || (a.created_at === b.created_at && a.activity_id < b.activity_id);
}

/**
 * Returns the id of the earliest activity that this one may duplicate, or null. `others` belong to the same user. Only
 * the later of two names the other, so a partner that skips duplicates keeps one.
 */
export function possibleDuplicateOf(
  activity: DuplicateCandidate,
  others: readonly DuplicateCandidate[],
): string | null {
  let first: DuplicateCandidate | null = null;
  for (const other of others) {
    const isDuplicate =
      other.file_id !== activity.file_id &&
      cameBefore(other, activity) &&
      Math.abs(other.start_time_in_seconds - activity.start_time_in_seconds) <= START_TOLERANCE_SECONDS &&
      familyOf(other.sport) === familyOf(activity.sport) &&
      overlapsByHalf(activity, other);
    if (isDuplicate && (first === null || cameBefore(other, first))) first = other;
  }
  return first?.activity_id ?? null;
}
