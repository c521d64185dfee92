/** An activity as far as it matters for being a copy of another. */
export interface Twin {
  activity_id: string;
  file_id: string;
  sport: string;
  start_time_in_seconds: number;
  elapsed_time_in_seconds: number | null;
  created_at: number;
}

/** Two devices of one person start within this time; a second ride does not begin so soon. */
export const TWIN_START_TOLERANCE_SECONDS = 60;

/** Sports that two devices may name differently for the same outing. */
const FAMILIES: Record<string, string> = {
  e_biking: "cycling",
  walking: "on_foot",
  hiking: "on_foot",
  running: "on_foot",
};

function familyOf(sport: string): string {
  return FAMILIES[sport] ?? sport;
}

/** Seconds that both last, against the longer of the two: a warm-up inside a long ride is no copy of it. */
function overlapsByHalf(a: Twin, b: Twin): boolean {
  if (a.elapsed_time_in_seconds === null || b.elapsed_time_in_seconds === null) return false;
  const start = Math.max(a.start_time_in_seconds, b.start_time_in_seconds);
  const end = Math.min(
    a.start_time_in_seconds + a.elapsed_time_in_seconds,
    b.start_time_in_seconds + b.elapsed_time_in_seconds,
  );
  return end - start > Math.max(a.elapsed_time_in_seconds, b.elapsed_time_in_seconds) / 2;
}

function cameBefore(a: Twin, b: Twin): boolean {
  return a.created_at < b.created_at || (a.created_at === b.created_at && a.activity_id < b.activity_id);
}

/**
 * The earliest activity of the same user that this one may be a copy of, or null. Only the later of two
 * points to the other, so that whoever leaves copies out keeps one.
 */
export function possibleDuplicateOf(activity: Twin, others: readonly Twin[]): string | null {
  let first: Twin | null = null;
  for (const other of others) {
    const copied =
      other.file_id !== activity.file_id &&
      cameBefore(other, activity) &&
      Math.abs(other.start_time_in_seconds - activity.start_time_in_seconds) <=
        TWIN_START_TOLERANCE_SECONDS &&
      familyOf(other.sport) === familyOf(activity.sport) &&
      overlapsByHalf(activity, other);
    if (copied && (first === null || cameBefore(other, first))) first = other;
  }
  return first?.activity_id ?? null;
}
