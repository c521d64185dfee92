import process from "node:process";
import { gzipSync } from "node:zlib";
import { MAX_FILE_BYTES, MAX_RR_INTERVALS } from "../../src/contract/limits.ts";
import { membershipsOf, type Recording } from "../../src/activities/duplicates/groups.pure.ts";
import { parseSummary, storedSummary } from "../../src/activities/storedSummary.pure.ts";
import { unwrap } from "../../src/files/unwrap.ts";
import { decodeActivities, decodeRrIntervals, decodeStreams, decodeWithData } from "../../src/fit/index.ts";
import { judgePings, judgeRejected } from "../../src/pings/judgeItems.ts";
import { pingRequestSchema } from "../../src/pings/ping.ts";
import { baselineOf, type TrainingRow } from "../../src/training/baselineOf.pure.ts";
import { rideFile } from "../support/rideFile.ts";
import { HOSTILE_FILES, sparseRows } from "../support/fitHostile.ts";
import { median, type Figure } from "./figures.ts";

const ROUNDS = 5;
/** Target for a request. More CPU would delay other requests of the isolate. */
const CPU_MS = 1_000;
/** Target for any FIT file of 32 MiB: its import, its inspection or its streams. */
const FILE_CPU_MS = 2_000;
/** Target for sparse rows thinned to any number of points. */
const THINNED_BYTES = 560_000;
const THINNED_CPU_MS = 200;
const RESOLUTIONS = [1, 2, 10, 100, 1_000, 10_000, 100_000];
const ITEMS = 1_000;
const RECORDINGS = 5_000;
const NO_FALLBACK = { fallbackStartInSeconds: null };
const rules = { local: false, allowedHosts: [], ownHosts: [] };

/** Returns a gzip of a FIT header and zeros that unpacks to one byte more than the largest file. */
function gzipBomb(): Uint8Array {
  const content = new Uint8Array(MAX_FILE_BYTES + 1);
  content.set([14, 0x20, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0x2e, 0x46, 0x49, 0x54]);
  return gzipSync(content);
}

function gzipOfManyMembers(): Uint8Array {
  const member = gzipSync(new Uint8Array(4 * 1024 * 1024));
  return new Uint8Array(Buffer.concat(Array.from({ length: 200 }, () => member)));
}

/** Returns a body of 1,000 items of maximum length. Only the last characters of each URL are invalid. */
const longBody = (): string =>
  JSON.stringify({
    activity_files: Array.from({ length: ITEMS }, (_, index) => ({
      file_type: "FIT",
      activity_name: "n".repeat(1_024),
      priority: 0,
      user_id: "u".repeat(255),
      source: "s".repeat(255),
      overwrite_mode: false,
      start_time_in_seconds: "1760000000",
      callback_url: `https://files.example.com/${"%2F".repeat(2_600)}${index}/../x`,
      summary_id: String(index),
    })),
  });

/** Returns a body of 1,000 items with every field wrong. */
const wrongBody = (): string =>
  JSON.stringify({
    activity_files: Array.from({ length: ITEMS }, () => ({
      file_type: "TCX",
      activity_name: 1,
      priority: "1",
      user_id: "\u0001".repeat(5_000),
      source: "\ud800",
      overwrite_mode: "no",
      start_time_in_seconds: "1".repeat(5_000),
      callback_url: "=".repeat(8_000),
      summary_id: null,
    })),
  });

async function judge(body: string): Promise<void> {
  const value: unknown = JSON.parse(body);
  const parsed = pingRequestSchema.safeParse(value);
  if (parsed.success) await judgePings(parsed.data.activity_files, rules);
  else await judgeRejected(value, parsed.error.issues, rules);
}

/** Returns recordings that all start at the same time: the worst case for the search for duplicates. */
function recordings(): Recording[] {
  return Array.from({ length: RECORDINGS }, (_, index) => ({
    activity_id: `${index}.0`,
    file_id: String(index),
    source: "garmin",
    sport: "cycling",
    start_time_in_seconds: 1_760_000_000,
    duration_in_seconds: 3_600,
    sha256: null,
    is_excluded: false,
    has_power: true,
    has_rr_intervals: false,
    has_position: true,
    number_of_laps: 1,
  }));
}

const OF_USER = {
  user_id: "rider-1",
  nowMs: 1_760_000_000_000,
  source_order: [],
  unread: { too_many: 0, too_many_before: null, more: false },
};

/** Returns what the baseline reads of an activity: one each 100 minutes. */
function trainingRow(recording: Recording, index: number, stored: string): TrainingRow {
  const start_time_in_seconds = recording.start_time_in_seconds - index * 6_000;
  return {
    ...parseSummary(stored),
    activity_id: recording.activity_id,
    sport: recording.sport,
    is_excluded: false,
    recording: { ...recording, start_time_in_seconds },
  };
}

/** Returns the stored summary of a ride with readings of power and heart rate. */
function storedRide(): string {
  const decoded = decodeActivities(rideFile(), NO_FALLBACK);
  const [activity] = decoded.ok ? decoded.activities : [];
  if (activity === undefined) throw new Error("the ride has no activity");
  return storedSummary(activity);
}

async function cpuOf(work: () => unknown): Promise<number> {
  const start = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1_000;
}

/** Measures the most expensive kinds of 32 MiB files, for each way to read them. */
async function fileFigures(): Promise<Figure[]> {
  const streams = (bytes: Uint8Array, resolution: number | null) =>
    decodeStreams(bytes, { ...NO_FALLBACK, sessionIndex: 0, keys: null, resolution });
  const ways: Record<string, (bytes: Uint8Array) => unknown> = {
    import: (bytes) => decodeActivities(bytes, NO_FALLBACK),
    inspect: (bytes) => JSON.stringify(decodeWithData(bytes, { ...NO_FALLBACK, most: MAX_RR_INTERVALS })),
    streams: (bytes) => JSON.stringify(streams(bytes, null)),
    intervals: (bytes) =>
      JSON.stringify(decodeRrIntervals(bytes, { ...NO_FALLBACK, sessionIndex: 0, most: MAX_RR_INTERVALS })),
    "1,000 points": (bytes) => JSON.stringify(streams(bytes, 1_000)),
  };
  const dearest = new Map<string, { cpu: number; kind: string }>();
  for (const [kind, make] of Object.entries(HOSTILE_FILES)) {
    const bytes = make(MAX_FILE_BYTES);
    for (const [way, work] of Object.entries(ways)) {
      const cpu = await cpuOf(() => work(bytes));
      if (cpu > (dearest.get(way)?.cpu ?? 0)) dearest.set(way, { cpu, kind });
    }
  }
  const sparse = sparseRows(THINNED_BYTES, 1);
  let thinning = 0;
  for (const resolution of RESOLUTIONS) {
    streams(sparse, resolution);
    thinning = Math.max(thinning, await cpuOf(() => streams(sparse, resolution)));
  }
  const section = "hostile";
  return [
    ...[...dearest].map(([way, { cpu, kind }]): Figure => {
      const name = `most expensive of ${Object.keys(HOSTILE_FILES).length} FIT files: ${way}`;
      return {
        section,
        name,
        value: cpu,
        unit: "ms CPU",
        target: { at: "most", value: FILE_CPU_MS },
        note: kind,
      };
    }),
    {
      section,
      name: "0.56 MB of sparse rows, at the most expensive of 7 resolutions",
      value: thinning,
      unit: "ms CPU",
      target: { at: "most", value: THINNED_CPU_MS },
    },
  ];
}

/** Measures hostile input: CPU time, and memory allocated outside the heap. */
export async function hostileFigures(): Promise<Figure[]> {
  const [bomb, members, long, wrong, together, summary] = [
    gzipBomb(),
    gzipOfManyMembers(),
    longBody(),
    wrongBody(),
    recordings(),
    storedRide(),
  ];
  const cases: Record<string, () => unknown> = {
    "a gzip that unpacks to more than 32 MiB": () => unwrap(bomb),
    "a gzip of 200 members of 4 MiB": () => unwrap(members),
    "1,000 pings of maximum length": async () => judge(long),
    "1,000 pings with every field wrong": async () => judge(wrong),
    "duplicates among 5,000 activities that start together": () => membershipsOf(together, []),
    "the baseline of 5,000 activities": () =>
      baselineOf(
        together.map((recording, index) => trainingRow(recording, index, summary)),
        OF_USER,
      ),
  };
  const figures: Figure[] = [];
  for (const [name, work] of Object.entries(cases)) {
    const cpu: number[] = [];
    let bytes = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = process.memoryUsage().arrayBuffers;
      cpu.push(await cpuOf(work));
      bytes = Math.max(bytes, process.memoryUsage().arrayBuffers - before);
    }
    const section = "hostile";
    figures.push(
      { section, name, value: median(cpu), unit: "ms CPU", target: { at: "most", value: CPU_MS } },
      { section, name: `${name}: buffers`, value: bytes / 2 ** 20, unit: "MiB" },
    );
  }
  return [...figures, ...(await fileFigures())];
}
