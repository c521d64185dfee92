import { afterEach, expect, test, vi } from "vitest";
import { storedSummary } from "../../src/activities/storedSummary.pure.ts";
import { idPrefix, rangeEnd } from "../../src/identifiers.ts";
import {
  BASELINE_ACTIVITIES,
  baselineSchema,
  MAX_BASELINE_BYTES,
  SEARCHED_ACTIVITIES,
} from "../../src/training/baseline.ts";
import { readBaseline } from "../../src/training/read.ts";
import { databaseOf } from "../support/databases.ts";
import { answerOf, problemOf, send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { BARE_SUMMARY, NOON, seedActivity, seedUser } from "../support/rows.ts";

const USER = "user-1";
const NOW = Date.parse("2026-06-17T12:00:00Z");
const DAY = 86_400;

const names = (partner: TestPartner, summaryId: string, source = "watch") => ({
  partnerId: partner.partnerId,
  userId: USER,
  source,
  summaryId,
});

const training = async (partner: TestPartner) =>
  answerOf(await send(partner, "GET", `/api/users/${USER}/training/`), 200, baselineSchema);

/** Seconds of a time of day on 2026-06-17 minus days. */
const at = (daysAgo: number, time = "08:00:00Z") => Date.parse(`2026-06-17T${time}`) / 1_000 - daysAgo * DAY;

async function newAthlete(settings: Parameters<typeof newPartner>[0] = {}): Promise<TestPartner> {
  vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
  const partner = await newPartner(settings);
  await seedUser(partner.partnerId, USER);
  return partner;
}

const seed = async (
  partner: TestPartner,
  summaryId: string,
  summary: Partial<typeof BARE_SUMMARY>,
  source?: string,
) => seedActivity(names(partner, summaryId, source), summary);

afterEach(() => {
  vi.useRealTimers();
});

test("a user without activities has an empty baseline", async () => {
  const baseline = await training(await newAthlete());
  expect(baseline).toMatchObject({
    user_id: USER,
    as_of: "2026-06-17",
    activities: 0,
    last_date: null,
    days_since_last_activity: null,
    heart_rate_bounds: null,
    longest_sessions: [],
    fitness: { fitness: 0, fatigue: 0, form: 0, activities: 0 },
  });
  expect(baseline.weeks.first_days).toHaveLength(52);
  expect(baseline.weeks.first_days.at(-1)).toBe("2026-06-15");
  expect(baseline.days.load).toEqual(Array.from({ length: 90 }, () => 0));
});

test("activities count on their local date, or in UTC when it is unknown, and once for each ride", async () => {
  const partner = await newAthlete();
  const load = { training_stress_score: 50, timer_time_in_seconds: 3_600 };
  // 01:00 of the next day in Kathmandu.
  await seed(partner, "local", {
    ...load,
    start_time_in_seconds: at(2, "19:15:00Z"),
    utc_offset_in_seconds: 20_700,
  });
  await seed(partner, "utc", { ...load, start_time_in_seconds: at(3, "23:30:00Z") });
  await seed(partner, "copy", { ...load, start_time_in_seconds: at(3, "23:30:20Z") }, "app");
  await seed(partner, "excluded", { ...load, start_time_in_seconds: at(5) });
  await editRow(partner, "excluded", { exclude_from_training: true });
  await seed(partner, "unknown", { ...load, start_time_in_seconds: null });
  await seed(partner, "future", { ...load, start_time_in_seconds: Date.UTC(2033, 0) / 1_000 });
  const baseline = await training(partner);
  expect(baseline).toMatchObject({
    as_of: "2026-06-17",
    activities: 2,
    activities_with_local_date: 1,
    first_date: "2026-06-14",
    last_date: "2026-06-16",
    days_since_last_activity: 1,
    left_out: { duplicates: 1, excluded: 1, without_start: 1, in_future: 1, too_many: 0, more: false },
    load_bases: [{ basis: "device_training_stress_score", activities: 2, load: 100 }],
  });
  expect(baseline.days.load.slice(-4)).toEqual([50, 0, 50, 0]);
  expect(baseline.averages.map(({ load_per_day }) => load_per_day)).toEqual([14.29, 3.57, 2.38]);
  const [week] = baseline.weeks.sports;
  expect(week?.load.slice(-2)).toEqual([50, 50]);
  expect(week?.duration_in_seconds.slice(-2)).toEqual([3_600, 3_600]);
});

test("a deletion, an edit and an exclusion change the baseline at the next read", async () => {
  const partner = await newAthlete();
  const ride = { start_time_in_seconds: at(1), timer_time_in_seconds: 3_600 };
  const best = await seed(partner, "best", {
    ...ride,
    average_power_in_watts: 200,
    distance_in_meters: 40_000,
  });
  await seed(partner, "other", { ...ride, distance_in_meters: 39_000 }, "app");
  const counted = async () => {
    const { activities, left_out, longest_sessions } = await training(partner);
    const [longest] = longest_sessions;
    return [activities, left_out.duplicates, left_out.excluded, longest?.sport, longest?.distance_in_meters];
  };
  expect(await counted()).toEqual([1, 1, 0, "cycling", 40_000]);
  await editRow(partner, "best", { exclude_from_training: true });
  expect(await counted()).toEqual([1, 0, 1, "cycling", 39_000]);
  await editRow(partner, "best", { sport: "rowing" });
  expect((await training(partner)).weeks.sports.map(({ sport }) => sport)).toEqual(["cycling", "rowing"]);
  await editRow(partner, "best", {});
  expect(await counted()).toEqual([1, 1, 0, "cycling", 40_000]);
  expect((await send(partner, "DELETE", `/api/files/${best.split(".")[0]}/`)).status).toBe(202);
  expect(await counted()).toEqual([1, 0, 0, "cycling", 39_000]);
  expect((await send(partner, "DELETE", `/api/users/${USER}/`)).status).toBe(202);
  await problemOf(await send(partner, "GET", `/api/users/${USER}/training/`), 404, "not_found");
});

test("if a user has more activities than a baseline reads, the newest count, and it reports the others as left out", async () => {
  const partner = await newAthlete();
  await seed(partner, "s", {
    start_time_in_seconds: at(0),
    timer_time_in_seconds: 60,
    elapsed_time_in_seconds: 60,
  });
  await copies(partner, BASELINE_ACTIVITIES + 9);
  const started = performance.now();
  const baseline = await training(partner);
  expect(performance.now() - started).toBeLessThan(5_000);
  expect(baseline).toMatchObject({
    activities: BASELINE_ACTIVITIES,
    last_date: "2026-06-17",
    left_out: { duplicates: 0, too_many: 10, more: false },
  });
  expect(baseline.left_out.too_many_before).toBe(baseline.first_date);
});

test.each([
  { activities: 1, most: 3 },
  { activities: 500, most: 1_010 },
  { activities: 501, most: 2_600 },
  { activities: BASELINE_ACTIVITIES, most: 16_100 },
])("the baseline of $activities activities reads at most $most rows", async ({ activities, most }) => {
  const partner = await newAthlete();
  await seed(partner, "s", { start_time_in_seconds: at(0) });
  if (activities > 1) await copies(partner, activities - 1);
  const { baseline, rowsRead } = await readBaseline(databaseOf(partner), partner.partner, USER, NOW);
  expect(baseline).toMatchObject({ activities, left_out: { too_many: 0, more: false } });
  expect(rowsRead).toBeLessThanOrEqual(most);
});

test("of 20,000 activities the newest 5,000 count, and of more the baseline says that there are more", async () => {
  const partner = await newAthlete();
  await seed(partner, "s", { start_time_in_seconds: at(0) });
  await copies(partner, SEARCHED_ACTIVITIES - 1);
  const left_out = { too_many: SEARCHED_ACTIVITIES - BASELINE_ACTIVITIES, more: false };
  expect(await training(partner)).toMatchObject({ activities: BASELINE_ACTIVITIES, left_out });
  await seed(partner, "older", { start_time_in_seconds: at(10_000) });
  expect(await training(partner)).toMatchObject({ left_out: { ...left_out, more: true } });
});

test("a baseline has at most 64 KiB, whatever the partner sends", async () => {
  const partner = await newAthlete();
  const sports = Array.from({ length: 100 }, (_, sport) => `a_sport_with_a_very_long_name_${sport}`);
  const values = (value: number) => Array.from({ length: 7 }, () => value);
  const hostile = {
    start_time_in_seconds: at(0),
    elapsed_time_in_seconds: 600,
    timer_time_in_seconds: 4_294_967.294,
    distance_in_meters: 42_949_672.94,
    training_stress_score: 6_553.5,
    workout_name: "語".repeat(80),
    profile_name: "語".repeat(80),
    streams: Array.from({ length: 30 }, (_, field) => `developer.${"語".repeat(64)}${field}`),
    best_efforts: {
      durations_in_seconds: [5, 30, 60, 300, 600, 1_200, 3_600],
      power_in_watts: values(65_535),
      heart_rate_in_beats_per_minute: values(230),
      speed_in_meters_per_second: values(65.535),
    },
  };
  for (const [index, sport] of sports.entries())
    await seed(partner, sport, { ...hostile, sport, start_time_in_seconds: at(0) - index * 900 });
  // Each sport on each of 49 weeks.
  await copies(partner, 48, 7 * DAY);
  const response = await send(partner, "GET", `/api/users/${USER}/training/`);
  const text = await response.text();
  const baseline = baselineSchema.parse(JSON.parse(text));
  expect(baseline.activities).toBe(4_900);
  expect(baseline.weeks.sports.at(-1)?.sport).toBeNull();
  expect(baseline.best_efforts.length).toBe(5 * 3 * 7);
  expect(new TextEncoder().encode(text).byteLength).toBeLessThanOrEqual(MAX_BASELINE_BYTES);
});

test("other users and partners do not change a user's baseline", async () => {
  const [partner, other] = [await newAthlete(), await newAthlete()];
  await seed(partner, "s", { start_time_in_seconds: at(1) });
  const before = await training(partner);
  await seed(other, "s", { start_time_in_seconds: at(2) });
  await seedActivity({ ...names(partner, "s"), userId: "user-2" }, { start_time_in_seconds: at(2) });
  expect(await training(partner)).toEqual(before);
});

/** Stores an edit of the activity of a file in the read model. */
async function editRow(partner: TestPartner, summaryId: string, activity: object): Promise<void> {
  const edits = JSON.stringify({ version: 1, file_version: NOON, activities: { 0: activity } });
  await databaseOf(partner)
    .prepare("UPDATE files SET edits = ? WHERE partner_id = ? AND summary_id = ?")
    .bind(edits, partner.partnerId, summaryId)
    .run();
}

/** Copies each activity of the user, each copy some time earlier than the one before. */
async function copies(partner: TestPartner, count: number, apart = 3_600): Promise<void> {
  const prefix = idPrefix(partner.partnerId, USER, undefined);
  const db = databaseOf(partner);
  const values = [partner.partnerId, prefix, rangeEnd(prefix), count, apart] as const;
  const numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?4)";
  await db
    .prepare(
      `INSERT INTO files (partner_id, file_id, user_id, source, summary_id, priority, overwrite_mode,
         start_time_in_seconds, status, version, revision, received_at, updated_at, activity_count)
       ${numbers}
       SELECT f.partner_id, f.file_id || '-' || printf('%05d', n.i), f.user_id, f.source, n.i, 1, 0, '0', 'imported', 1, 1, 1, 1, 1
       FROM files f, n WHERE f.partner_id = ?1 AND f.file_id >= ?2 AND f.file_id < ?3 AND ?5 > 0`,
    )
    .bind(...values)
    .run();
  await db
    .prepare(
      `INSERT INTO activities (partner_id, file_id, session_index, version, sport, start_time_in_seconds, summary, created_at)
       ${numbers}
       SELECT a.partner_id, a.file_id || '-' || printf('%05d', n.i), 0, 1, a.sport, a.start_time_in_seconds - n.i * ?5, a.summary, 1
       FROM activities a, n WHERE a.partner_id = ?1 AND a.file_id >= ?2 AND a.file_id < ?3`,
    )
    .bind(...values)
    .run();
}

test("a summary with long lists of names keeps its load", async () => {
  const partner = await newAthlete();
  const evidence = {
    start_time_in_seconds: at(1),
    load_evidence: { ...BARE_SUMMARY.load_evidence, functional_threshold_power_in_watts: 251 },
  };
  const streams = Array.from({ length: 255 }, (_, field) => `developer.field ${field}`);
  expect(storedSummary({ ...BARE_SUMMARY, streams }).length).toBeGreaterThan(2_000);
  await seed(partner, "long", { ...evidence, streams });
  await seed(partner, "short", { ...evidence, start_time_in_seconds: at(2) });
  expect((await training(partner)).thresholds.stated).toMatchObject([
    { kind: "functional_threshold_power_in_watts", value: 251, activities: 2 },
  ]);
});
