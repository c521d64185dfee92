import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ALONE, membershipsOf, type Recording } from "../../src/activities/duplicates/groups.pure.ts";
import { decodeActivities } from "../../src/fit/index.ts";
import type { DecodedActivity } from "../../src/fit/types.ts";
import { corpusFolder, folderExists, readBytes } from "../support/fitFolders.ts";

/** Returns numbers from 0 to 1 that are the same in every run (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const BASE: Recording = {
  activity_id: "a.0",
  file_id: "a",
  source: "watch",
  sport: "cycling",
  start_time_in_seconds: 1_760_000_000,
  duration_in_seconds: 3_600,
  sha256: null,
  is_excluded: false,
  has_power: false,
  has_rr_intervals: false,
  has_position: false,
  number_of_laps: 1,
};
const recording = (name: string, changes: Partial<Recording> = {}): Recording => ({
  ...BASE,
  file_id: name,
  activity_id: `${name}.0`,
  ...changes,
});

const found = folderExists(corpusFolder);

/** Activities of at least 10 minutes in the public files. */
function publicRecordings(): Recording[] {
  const files = found
    ? readdirSync(corpusFolder)
        .filter((name) => name.endsWith(".fit"))
        .sort()
    : [];
  return files.flatMap((name) => {
    const decoded = decodeActivities(readBytes(corpusFolder, name), { fallbackStartInSeconds: null });
    if (!decoded.ok) return [];
    return decoded.activities.flatMap((activity: DecodedActivity) => {
      const start = activity.start_time_in_seconds;
      const duration = activity.elapsed_time_in_seconds ?? activity.timer_time_in_seconds;
      if (start === null || duration === null || duration < 600) return [];
      return {
        ...recording(`${name}-${activity.session_index}`),
        sport: activity.sport,
        start_time_in_seconds: start,
        duration_in_seconds: duration,
        sha256: name,
        has_power: (activity.average_power_in_watts ?? 0) > 0,
        has_rr_intervals: activity.has_rr_intervals,
        has_position: activity.start_latitude_in_degrees !== null,
        number_of_laps: activity.laps.length,
      };
    });
  });
}

type Change = (ride: Recording, duration: number, random: () => number) => Partial<Recording>;
const between = (random: () => number, from: number, to: number) => from + random() * (to - from);

/** Other recordings of the same ride. */
const SAME: Record<string, Change> = {
  "a dual recording": (ride, duration, random) => ({
    start_time_in_seconds: ride.start_time_in_seconds + between(random, -120, 120),
    duration_in_seconds: duration * between(random, 0.97, 1.03),
    sport: { running: "walking", walking: "hiking", cycling: "e_biking" }[ride.sport] ?? ride.sport,
  }),
  "a trimmed recording": (ride, duration, random) => {
    const [head, tail] = [between(random, 0, 0.25), between(random, 0, 0.22)];
    return {
      start_time_in_seconds: ride.start_time_in_seconds + duration * head,
      duration_in_seconds: duration * (1 - head - tail),
    };
  },
  "a recording shifted by seconds": (ride, _duration, random) => ({
    start_time_in_seconds: ride.start_time_in_seconds + between(random, -90, 90),
  }),
  "an indoor ride beside the head unit": (ride, duration, random) => ({
    start_time_in_seconds: ride.start_time_in_seconds + between(random, -30, 30),
    duration_in_seconds: duration * between(random, 0.93, 1.05),
    sport: random() < 0.5 ? "fitness_equipment" : "generic",
    has_position: false,
  }),
  "the same bytes under another name": (ride) => ({ sha256: ride.sha256 }),
};
/** Other activities of the same day. */
const OTHERS: Record<string, Change> = {
  "the next leg of a brick": (ride, duration, random) => ({
    start_time_in_seconds: ride.start_time_in_seconds + duration + between(random, -5, 300),
    duration_in_seconds: between(random, 600, 5_400),
    sport: ride.sport === "running" ? "cycling" : "running",
  }),
  "the second session of a day": (ride, duration, random) => ({
    start_time_in_seconds: ride.start_time_in_seconds + duration + between(random, 60, 30_000),
    duration_in_seconds: duration * between(random, 0.8, 1.2),
  }),
  "a warm-up in a file of its own": (ride, _duration, random) => {
    const warmUp = between(random, 300, 1_200);
    return {
      start_time_in_seconds: ride.start_time_in_seconds - warmUp + between(random, -60, 20),
      duration_in_seconds: warmUp,
    };
  },
};

const PAIRS = 400;

const rides = publicRecordings();

describe.skipIf(!found)("pairs made from public files", () => {
  const random = randomNumbers(26);
  const kinds = [...Object.entries(SAME), ...Object.entries(OTHERS)];
  const pairs = Array.from({ length: PAIRS }, (_, index) => {
    const [kind = "", change = () => ({})] = kinds[index % kinds.length] ?? [];
    const ride = rides[Math.floor(random() * rides.length)] ?? BASE;
    const changed = change(ride, ride.duration_in_seconds ?? 0, random);
    const other = {
      ...ride,
      file_id: "other",
      activity_id: "other.0",
      source: "app",
      sha256: null,
      ...changed,
    };
    const isGrouped = membershipsOf([ride, other], []).size === 2;
    return { kind, isSame: Object.hasOwn(SAME, kind), isGrouped };
  });
  const count = (isSame: boolean, isGrouped: boolean) =>
    pairs.filter((pair) => pair.isSame === isSame && pair.isGrouped === isGrouped).length;

  test("are grouped with a precision of at least 0.99 and a recall of at least 0.95", () => {
    expect(new Set(rides.map(({ sport }) => sport)).size).toBeGreaterThan(4);
    expect(rides.length).toBeGreaterThan(20);
    const [right, wrong, missed] = [count(true, true), count(false, true), count(true, false)];
    expect(right / (right + wrong)).toBeGreaterThanOrEqual(0.99);
    expect(right / (right + missed)).toBeGreaterThanOrEqual(0.95);
  });

  test.for(Object.keys(SAME))("with %s are mostly grouped", (kind) => {
    const ofKind = pairs.filter((pair) => pair.kind === kind);
    expect(ofKind.filter(({ isGrouped }) => isGrouped).length / ofKind.length).toBeGreaterThan(0.9);
  });

  test.for(Object.keys(OTHERS))("with %s are not grouped", (kind) => {
    const ofKind = pairs.filter((pair) => pair.kind === kind);
    expect(ofKind.filter(({ isGrouped }) => isGrouped)).toEqual([]);
  });
});

test("the sessions of each public file are different activities", () => {
  const files = Map.groupBy(rides, ({ sha256 }) => sha256);
  for (const sessions of files.values()) expect(membershipsOf(sessions, []).size).toBe(0);
});

describe("recordings of one ride", () => {
  const canonicalOf = (recordings: Recording[], order: string[] = []) =>
    [...membershipsOf(recordings, order)].filter(([, { is_canonical }]) => is_canonical).map(([id]) => id);

  test("form one group of three whose first and last overlap too little, in any order", () => {
    const whole = recording("whole");
    const early = recording("early", { duration_in_seconds: 2_000, has_power: true });
    const late = recording("late", {
      start_time_in_seconds: BASE.start_time_in_seconds + 1_600,
      duration_in_seconds: 2_000,
    });
    expect(membershipsOf([early, late], []).size).toBe(0);
    const expected = membershipsOf([whole, early, late], []);
    expect(expected.size).toBe(3);
    expect(new Set([...expected.values()].map(({ duplicate_group }) => duplicate_group))).toEqual(
      new Set(["group_early.0"]),
    );
    for (const order of [
      [late, early, whole],
      [early, whole, late],
      [late, whole, early],
    ])
      expect(membershipsOf(order, [])).toEqual(expected);
  });

  test("keep the group's id when a later recording becomes the canonical one", () => {
    const [a, b] = [recording("a"), recording("b", { has_power: true })];
    const two = membershipsOf([a, b], []);
    const three = membershipsOf([a, b, recording("c", { has_power: true, has_position: true })], []);
    expect(two.get("b.0")).toEqual({
      duplicate_group: "group_a.0",
      is_canonical: true,
      possible_duplicate_of: null,
    });
    expect(three.get("b.0")).toEqual({
      duplicate_group: "group_a.0",
      is_canonical: false,
      possible_duplicate_of: "c.0",
    });
  });

  test("count by the most kinds of data, then by the partner's order, then by the more important kind and the duration", () => {
    const rich = recording("rich", { has_rr_intervals: true, has_position: true, source: "app" });
    const power = recording("power", { has_power: true, source: "watch" });
    expect(canonicalOf([power, rich], ["watch", "app"])).toEqual(["rich.0"]);
    const laps = recording("laps", { number_of_laps: 5, source: "app" });
    expect(canonicalOf([laps, power])).toEqual(["power.0"]);
    expect(canonicalOf([laps, power], ["app", "watch"])).toEqual(["laps.0"]);
    expect(canonicalOf([laps, power], ["app"])).toEqual(["laps.0"]);
    const trimmed = recording("trimmed", { duration_in_seconds: 3_000 });
    expect(canonicalOf([trimmed, recording("whole")])).toEqual(["whole.0"]);
    expect(canonicalOf([{ ...rich, is_excluded: true }, power])).toEqual(["power.0"]);
  });

  test("may have no duration if their bytes are the same", () => {
    const [a, b] = [
      recording("a", { duration_in_seconds: null }),
      recording("b", { duration_in_seconds: null }),
    ];
    expect(membershipsOf([a, b], []).size).toBe(0);
    expect(
      membershipsOf(
        [
          { ...a, sha256: "x" },
          { ...b, sha256: "x" },
        ],
        [],
      ).size,
    ).toBe(2);
    expect(
      membershipsOf(
        [
          { ...a, sha256: "x" },
          { ...b, sha256: "y" },
        ],
        [],
      ).size,
    ).toBe(0);
  });

  test("of a large number at the same time form one group in limited time", () => {
    const all = Array.from({ length: 20_000 }, (_, index) => recording(String(index).padStart(5, "0")));
    const started = performance.now();
    const memberships = membershipsOf(all, []);
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(new Set([...memberships.values()].map(({ duplicate_group }) => duplicate_group)).size).toBe(1);
    expect([...memberships.values()].filter(({ is_canonical }) => is_canonical)).toHaveLength(1);
  });
});

test("a warm-up inside a long ride, another sport and another file at another time stay alone", () => {
  const others = [
    recording("warm-up", { duration_in_seconds: 1_500 }),
    recording("run", { sport: "running" }),
    recording("strength", { sport: "training", duration_in_seconds: 2_000 }),
    recording("later", { start_time_in_seconds: BASE.start_time_in_seconds + 3_601 }),
  ];
  for (const other of others)
    expect(membershipsOf([recording("ride"), other], []).get("ride.0") ?? ALONE).toEqual(ALONE);
});
