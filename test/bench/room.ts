import { readdirSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { clockFor } from "../../src/collector/clock.pure.ts";
import { unwrap } from "../../src/files/unwrap.ts";
import { decodeActivities } from "../../src/fit/index.ts";
import { corpusFolder, folderExists, readBytes } from "../support/fitFolders.ts";
import { rideFile } from "../support/rideFile.ts";
import { expectStatus, send } from "./client.ts";
import { startHost } from "./files.ts";
import { inParallel, median, timed, type Figure } from "./figures.ts";
import { Benched } from "./imports.ts";
import { ENVIRONMENT, startWorkerd, type Workerd } from "./workerd.ts";

/** Each user imports every file of the folder. */
const USERS = 20;
/** Share of a user's files that are live rides, each pinged and listed alone. */
const LIVE_SHARE = 0.1;
/** Pause between a user's rides, so that each has a projection of its own. */
const RIDE_PAUSE_MS = 2 * clockFor(ENVIRONMENT).projectionDelayMs;
/** Time after which the last ride's alarms have rung. */
const LAST_ALARM_MS = 6_000;
const TARGET_BYTES = 1_500;

/** A ride of an hour, as large as a file with many fields per record. */
const LARGE_RIDE = { seconds: 3_600, heartRate: 140, paddingBytes: 70 };
const READS = 100;
const MOST_READ_MS = 30;

/** Returns a user id of the usual length. */
const userId = (user: number) => `5c9f0a1e-77b2-4c1d-9a3e-${String(user).padStart(12, "0")}`;

/** Imports real files and measures the pages of D1 that they occupy, in all tables and indexes. */
export async function roomFigures(): Promise<Figure[]> {
  if (!folderExists(corpusFolder)) return [];
  const files = activityFiles();
  const host = await startHost(files);
  const service = await startWorkerd({ entry: "src/index.ts", consumers: true });
  try {
    const benched = new Benched(service, host);
    const settled = service.database.prepare(
      "SELECT count(*) found FROM files WHERE status IN ('imported', 'failed')",
    );
    const until = async (count: number) =>
      benched.until(async () => (await settled.first<{ found: number }>())?.found === count);
    const before = pagesOf(service.state);
    const live = Math.round(files.length * LIVE_SHARE);
    const held = files.length - live;
    await inParallel(USERS, 2, async (user) => {
      await benched.hold(userId(user), held);
      await benched.release(userId(user));
    });
    await until(USERS * held);
    for (let ride = 0; ride < live; ride += 1) {
      await inParallel(USERS, 4, async (user) => benched.pingLive(userId(user), `live-${ride}`));
      await until(USERS * (held + ride + 1));
      await delay(RIDE_PAUSE_MS);
    }
    await delay(LAST_ALARM_MS);
    const figures = figuresOf(before, pagesOf(service.state), USERS * files.length, files.length);
    return [...figures, ...(await readFigures(service))];
  } finally {
    await service.stop();
    await host.close();
  }
}

/** Measures the response time for an activity, which is decoded from its stored bytes, and for a list. */
async function readFigures(service: Workerd): Promise<Figure[]> {
  const host = await startHost([rideFile(LARGE_RIDE)]);
  try {
    const benched = new Benched(service, host);
    const file = await benched.pingLive("reader", "ride");
    const url = new URL(`/api/activities/${file}.0/`, service.url);
    await benched.until(async () => (await send("GET", url, service.credentials)).status === 200);
    const medianOf = async (path: string) => {
      const took: number[] = [];
      for (let read = 0; read < READS; read += 1) {
        took.push(
          await timed(async () => expectStatus(200, "GET", new URL(path, service.url), service.credentials)),
        );
      }
      return median(took);
    };
    const size = `${Math.round(host.bytesEach / 1000)} KB`;
    return [
      {
        section: "room",
        name: `GET of an activity of ${size}, median`,
        value: await medianOf(url.pathname),
        unit: "ms",
        target: { at: "most", value: MOST_READ_MS },
        note: "laps, lengths and devices are decoded from the stored bytes",
      },
      {
        section: "room",
        name: "GET of a list with this activity, median",
        value: await medianOf("/api/activities/?user_id=reader"),
        unit: "ms",
      },
    ];
  } finally {
    await host.close();
  }
}

/** Returns the files of the folder that are activities. */
function activityFiles(): Uint8Array[] {
  return readdirSync(corpusFolder)
    .filter((file) => file.endsWith(".fit"))
    .map((file) => readBytes(corpusFolder, file))
    .filter((bytes) => {
      const unwrapped = unwrap(bytes);
      return unwrapped.ok && decodeActivities(unwrapped.fit, { fallbackStartInSeconds: 0 }).ok;
    });
}

const pageRows = z.array(
  z.object({ name: z.string(), of_table: z.string(), bytes: z.number(), unused: z.number() }),
);
type Pages = z.infer<typeof pageRows>;

/** Returns the bytes of the pages of each table and index of the database that has the files. */
function pagesOf(state: string): Pages {
  const folder = path.join(state, "d1/miniflare-D1DatabaseObject");
  const files = readdirSync(folder).filter((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite");
  const found = files.map((file) => {
    const database = new DatabaseSync(path.join(folder, file), { readOnly: true });
    try {
      return pageRows.parse(
        database
          .prepare(
            `SELECT d.name, coalesce(s.tbl_name, d.name) of_table, sum(d.pgsize) bytes, sum(d.unused) unused
             FROM dbstat d LEFT JOIN sqlite_schema s ON s.name = d.name GROUP BY d.name ORDER BY d.name`,
          )
          .all(),
      );
    } finally {
      database.close();
    }
  });
  const sizeOf = (pages: Pages) => pages.reduce((sum, { bytes }) => sum + bytes, 0);
  return found.toSorted((a, b) => sizeOf(b) - sizeOf(a))[0] ?? [];
}

function figuresOf(before: Pages, after: Pages, files: number, distinct: number): Figure[] {
  const section = "room";
  const empty = new Map(before.map(({ name, bytes }) => [name, bytes]));
  const grown = after
    .map((row) => ({ ...row, bytes: row.bytes - (empty.get(row.name) ?? 0) }))
    .filter(({ bytes }) => bytes > 0);
  const total = grown.reduce((sum, { bytes }) => sum + bytes, 0);
  return [
    ...grown
      .toSorted((a, b) => b.bytes - a.bytes)
      .map((row): Figure => ({
        section,
        name: `D1 a file: ${row.name}`,
        value: Math.round(row.bytes / files),
        unit: "bytes",
        note: `${Math.round((100 * row.unused) / Math.max(1, row.bytes))} % of its pages are unused`,
      })),
    {
      section,
      name: "D1 a file: all tables and indexes",
      value: Math.round(total / files),
      unit: "bytes",
      target: { at: "most", value: TARGET_BYTES },
      note: `${files} imports of ${distinct} files, 10 % of them live rides; an empty database takes ${Math.round(
        before.reduce((sum, { bytes }) => sum + bytes, 0) / 1024,
      )} KiB more`,
    },
  ];
}
