/** The fields of an activity that decide whether it is a recording of the same ride as another, and which one counts. */
export interface Recording {
  activity_id: string;
  file_id: string;
  source: string;
  sport: string;
  start_time_in_seconds: number;
  /** Null when unknown. Then only a recording with the same bytes is a duplicate. */
  duration_in_seconds: number | null;
  /** Of the file's bytes. Null when unknown. */
  sha256: string | null;
  is_excluded: boolean;
  has_power: boolean;
  has_rr_intervals: boolean;
  has_position: boolean;
  number_of_laps: number;
}

/** The role of an activity in its group. */
export interface Membership {
  /** Id of the group, or null for an activity without duplicates. */
  duplicate_group: string | null;
  is_canonical: boolean;
  /** The canonical activity when this one is not it, else null. */
  possible_duplicate_of: string | null;
}

export const ALONE: Membership = { duplicate_group: null, is_canonical: true, possible_duplicate_of: null };

/** Maximum difference between the starts of two recordings of one ride, also when one of them is trimmed. */
export const MAX_START_DIFFERENCE_SECONDS = 3_600;
/** Two recordings of one ride overlap for more than this share of the longer one. */
const LEAST_OVERLAP = 0.5;
/** The same if one of the two has an unspecific sport. */
const LEAST_OVERLAP_OF_UNSPECIFIC = 0.8;
/** Maximum number of later recordings that each one is compared with. It bounds the cost of many at the same time. */
const MAX_COMPARISONS = 100;

/** Sports that two devices may name differently for the same activity. */
const FAMILIES: Record<string, string> = {
  e_biking: "cycling",
  walking: "on_foot",
  hiking: "on_foot",
  running: "on_foot",
};
/** Sports of devices and apps that do not know the sport, such as a watch beside an indoor trainer. */
const UNSPECIFIC: ReadonlySet<string> = new Set(["generic", "training", "fitness_equipment"]);

function familyOf(sport: string): string {
  return FAMILIES[sport] ?? sport;
}

/** Returns the largest difference between the start of a recording and that of a duplicate of it. */
export function startDifferenceOf(durationInSeconds: number | null): number {
  return Math.min(MAX_START_DIFFERENCE_SECONDS, durationInSeconds ?? 0);
}

/** Returns the share of the longer recording in which both were recording. Null when a duration is unknown. */
function overlapOf(a: Recording, b: Recording): number | null {
  if (a.duration_in_seconds === null || b.duration_in_seconds === null) return null;
  const start = Math.max(a.start_time_in_seconds, b.start_time_in_seconds);
  const end = Math.min(
    a.start_time_in_seconds + a.duration_in_seconds,
    b.start_time_in_seconds + b.duration_in_seconds,
  );
  const longer = Math.max(a.duration_in_seconds, b.duration_in_seconds);
  return longer <= 0 ? null : (end - start) / longer;
}

/**
 * Returns whether two activities of a user are recordings of the same ride. A warm-up inside a long ride, the legs of a
 * triathlon and the second session of a day are not: they overlap too little.
 */
export function isSameRide(a: Recording, b: Recording): boolean {
  if (a.file_id === b.file_id) return false;
  const difference = Math.abs(a.start_time_in_seconds - b.start_time_in_seconds);
  if (difference === 0 && a.sha256 !== null && a.sha256 === b.sha256 && a.sport === b.sport) return true;
  const overlap = overlapOf(a, b);
  if (overlap === null || difference > MAX_START_DIFFERENCE_SECONDS) return false;
  if (familyOf(a.sport) === familyOf(b.sport)) return overlap > LEAST_OVERLAP;
  return (UNSPECIFIC.has(a.sport) || UNSPECIFIC.has(b.sport)) && overlap > LEAST_OVERLAP_OF_UNSPECIFIC;
}

/** Kinds of data that make a recording better, the most important first. */
const has = (recording: Recording): boolean[] => [
  recording.has_power,
  recording.has_rr_intervals,
  recording.has_position,
  recording.number_of_laps > 1,
];

/** Returns numbers that order recordings of a ride. At the first number that differs, the higher one wins. */
function rankOf(recording: Recording, sourceOrder: readonly string[]): number[] {
  const kinds = has(recording).map(Number);
  const place = sourceOrder.indexOf(recording.source);
  return [
    recording.is_excluded ? 0 : 1,
    kinds.reduce((sum, kind) => sum + kind, 0),
    place === -1 ? -sourceOrder.length : -place,
    ...kinds,
    recording.duration_in_seconds ?? 0,
    recording.number_of_laps,
  ];
}

/** Returns the recording that counts for the ride. Does not depend on the order of arrival. */
function canonicalOf(
  recordings: readonly Recording[],
  sourceOrder: readonly string[],
): Recording | undefined {
  const ranked = recordings.map((recording) => ({ recording, rank: rankOf(recording, sourceOrder) }));
  ranked.sort((a, b) => {
    for (const [index, value] of a.rank.entries()) {
      const difference = (b.rank[index] ?? 0) - value;
      if (difference !== 0) return difference;
    }
    return a.recording.activity_id < b.recording.activity_id ? -1 : 1;
  });
  return ranked[0]?.recording;
}

const byStart = (a: Recording, b: Recording) =>
  a.start_time_in_seconds - b.start_time_in_seconds || (a.activity_id < b.activity_id ? -1 : 1);

/** Returns the recordings of each ride with several. Recordings that share a duplicate belong together. */
function ridesOf(recordings: readonly Recording[]): Recording[][] {
  const sorted = recordings.toSorted(byStart);
  const parents = sorted.map((_, index) => index);
  const rootOf = (index: number): number => {
    let root = index;
    for (let parent = parents[root]; parent !== undefined && parent !== root; parent = parents[root]) {
      parents[root] = parents[parent] ?? parent;
      root = parent;
    }
    return root;
  };
  for (const [index, recording] of sorted.entries()) {
    const last = recording.start_time_in_seconds + startDifferenceOf(recording.duration_in_seconds);
    for (let next = index + 1; next <= index + MAX_COMPARISONS; next += 1) {
      const other = sorted[next];
      if (other === undefined || other.start_time_in_seconds > last) break;
      if (isSameRide(recording, other)) parents[rootOf(next)] = rootOf(index);
    }
  }
  const rides = Map.groupBy(sorted, (_, index) => rootOf(index));
  return [...rides.values()].filter((ride) => ride.length > 1);
}

/**
 * Returns the memberships of a user's activities that have duplicates, by id. The others are `ALONE`. A group's id comes
 * from the smallest id of its activities, so it does not depend on the order of arrival.
 */
export function membershipsOf(
  recordings: readonly Recording[],
  sourceOrder: readonly string[],
): Map<string, Membership> {
  const memberships = new Map<string, Membership>();
  for (const ride of ridesOf(recordings)) {
    const canonical = canonicalOf(ride, sourceOrder)?.activity_id ?? null;
    const smallest = ride.map(({ activity_id }) => activity_id).reduce((a, b) => (a < b ? a : b));
    for (const { activity_id } of ride) {
      const is_canonical = activity_id === canonical;
      memberships.set(activity_id, {
        duplicate_group: `group_${smallest}`,
        is_canonical,
        possible_duplicate_of: is_canonical ? null : canonical,
      });
    }
  }
  return memberships;
}
