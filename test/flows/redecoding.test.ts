import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { parseSummary } from "../../src/activities/storedSummary.pure.ts";
import { allDatabases } from "../../src/database/databases.ts";
import { DECODER_VERSION } from "../../src/fit/index.ts";
import { idPrefix } from "../../src/identifiers.ts";
import { sendJobs } from "../../src/operator/jobs/consume.ts";
import { parseJob, READ_JOB } from "../../src/operator/jobs/write.ts";
import {
  createRedecode,
  deliverJobs,
  deliverTo,
  expireClaims,
  failuresOf,
  finishJob,
  jobOf,
} from "../support/jobs.ts";
import { leapingSessions } from "../support/fitHostile.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { playOutside } from "../support/outside.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, settle } from "../support/world.ts";
import { base64, HOST, ping, read, SOURCE, task } from "./partnerActs.ts";
import { databaseOf } from "../support/databases.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const redecode = async (since: number, code: string | null = null) =>
  finishJob(await createRedecode(since, code));

/** Changes the rows as if an older decoder had read every ride as a swim. */
async function asOlderDecoder(who: TestPartner): Promise<void> {
  await databaseOf(who).batch([
    databaseOf(who).prepare("UPDATE files SET decoder_version = 0 WHERE partner_id = ?").bind(who.partnerId),
    databaseOf(who)
      .prepare("UPDATE activities SET sport = 'swimming' WHERE partner_id = ?")
      .bind(who.partnerId),
  ]);
}

const sportOf = async (who: TestPartner) =>
  (
    await databaseOf(who)
      .prepare("SELECT sport FROM activities WHERE partner_id = ?")
      .bind(who.partnerId)
      .first()
  )?.["sport"];

test("a newer decoder decodes stored files again: no download, no event, the same version", async () => {
  const who = await newPartner();
  const outside = playOutside({});
  const since = Date.now();
  const [file] = await ping(who, { summary_id: "ride", callback_url: base64(rideFile()) });
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  const before = await read(who, `/api/activities/${file?.file_id}.0/`);
  await asOlderDecoder(who);

  expect(await redecode(since)).toMatchObject({ changed: 1, failed: 0 });
  expect(await sportOf(who)).toBe("cycling");
  const after = await read(who, `/api/activities/${file?.file_id}.0/`);
  expect(after).toEqual({ ...before, updated_at: after["updated_at"] });
  expect(outside.sent).toHaveLength(0);

  expect((await redecode(since)).looked_at).toBe(0);
  const row = await databaseOf(who)
    .prepare("SELECT decoder_version FROM files WHERE partner_id = ?")
    .bind(who.partnerId)
    .first();
  expect(row).toEqual({ decoder_version: DECODER_VERSION });
});

test("a file that is overwritten meanwhile keeps the activities of the newer version", async () => {
  const who = await newPartner();
  const since = Date.now();
  await ping(who, { summary_id: "ride", callback_url: base64(rideFile()) });
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  await settle(collector);
  await asOlderDecoder(who);
  const get = env.FILES.get.bind(env.FILES);
  vi.spyOn(env.FILES, "get").mockImplementationOnce(async (key: string) => {
    const object = await get(key);
    await ping(who, {
      summary_id: "ride",
      callback_url: base64(rideFile({ seconds: 30 })),
      overwrite_mode: true,
    });
    await settle(collector);
    return object;
  });
  expect(await redecode(since)).toMatchObject({ looked_at: 1, changed: 0 });
  const row = await databaseOf(who)
    .prepare("SELECT summary FROM activities WHERE partner_id = ?")
    .bind(who.partnerId)
    .first<{ summary: string }>();
  expect(parseSummary(row?.summary ?? "").elapsed_time_in_seconds).toBe(30);
});

test("a file that crashes its decoder is skipped and counted, and the others are decoded", async () => {
  const who = await newPartner();
  const since = Date.now();
  const pinged = [];
  for (const summary_id of ["1", "2", "3"]) {
    pinged.push((await ping(who, { summary_id, callback_url: base64(rideFile()) }))[0]);
  }
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  await asOlderDecoder(who);
  const failing = pinged.map((file) => file?.file_id ?? "").toSorted()[1] ?? "";

  // From the failing file on, nothing in a run ends, as after a crash of its isolate.
  let dead = Promise.withResolvers<null>();
  const get = env.FILES.get.bind(env.FILES);
  vi.spyOn(env.FILES, "get").mockImplementation(async (key: string) => {
    const { resolve, promise } = dead;
    if (key.includes(failing)) resolve(null);
    const object = await get(key);
    return (await Promise.race([promise, Promise.resolve("alive")])) === null
      ? new Promise(() => {})
      : object;
  });
  const jobId = await createRedecode(since);
  const runs = [];
  for (let run = 0; run < 3; run += 1) {
    dead = Promise.withResolvers();
    runs.push(await Promise.race([deliverJobs(), dead.promise]));
    await expireClaims();
  }

  expect(runs).toEqual([null, null, true]);
  const job = await jobOf(jobId);
  expect(job).toMatchObject({ looked_at: 3, changed: 2, failed: 1, isFinished: true });
  expect(await failuresOf(jobId)).toMatchObject([{ file_id: failing, code: "crashed" }]);
});

test("files that cannot be decoded are listed, and files of a store that fails are decoded later", async () => {
  const who = await newPartner();
  const since = Date.now();
  for (const summary_id of ["good", "bad", "lost"]) {
    await ping(who, { summary_id, callback_url: base64(rideFile()) });
  }
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  await asOlderDecoder(who);
  const rows = await databaseOf(who)
    .prepare("SELECT summary_id, file_id, object_key FROM files WHERE partner_id = ?")
    .bind(who.partnerId)
    .all<{ summary_id: string; file_id: string; object_key: string }>();
  const fileOf = (name: string) => rows.results.find((row) => row.summary_id === name);
  await env.FILES.put(fileOf("bad")?.object_key ?? "", "<html></html>");
  await env.FILES.delete(fileOf("lost")?.object_key ?? "");

  const jobId = await createRedecode(since);
  const down = vi.spyOn(env.FILES, "get").mockRejectedValue(new Error("get: R2 is down (10001)"));
  for (let run = 0; run < 3; run += 1) expect(await deliverJobs()).toBe(false);
  expect(await jobOf(jobId)).toMatchObject({ looked_at: 0, failed: 0, isFinished: false });
  down.mockRestore();

  expect(await finishJob(jobId)).toMatchObject({ looked_at: 3, changed: 1, failed: 2 });
  expect(await failuresOf(jobId)).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ file_id: fileOf("bad")?.file_id, code: "not_fit" }),
      expect.objectContaining({ file_id: fileOf("lost")?.file_id, code: "original_missing" }),
    ]),
  );
});

test("a job is sent on until it has finished, and by the clock if its message is lost", async () => {
  const who = await newPartner();
  await seedFiles(who, 250);
  const sent = vi.spyOn(env.JOBS, "send").mockResolvedValue(undefined as never);
  const jobId = await createRedecode(LATER_THAN_OTHERS);
  const database = databaseOf(who);
  await database
    .prepare("UPDATE operator_jobs SET claimed_until = ? WHERE job_id = ?")
    .bind(Date.now() + 60_000, jobId)
    .run();
  expect(await sendJobs(env, Date.now())).toBe(1);
  expect(sent.mock.calls).not.toContainEqual([{ database: who.partner.database }]);
  expect(await sendJobs(env, Date.now() + 120_000)).toBe(2);
  expect(sent.mock.calls).toContainEqual([{ database: who.partner.database }]);
  await expireClaims();

  const statements: number[] = [];
  const batch = database.batch.bind(database);
  vi.spyOn(database, "batch").mockImplementation(async <T>(list: D1PreparedStatement[]) => {
    statements.push(list.length);
    return batch<T>(list);
  });
  expect(await finishJob(jobId)).toMatchObject({ looked_at: 250, changed: 250, failed: 0 });
  expect(Math.max(...statements)).toBeLessThan(10);
  expect(statements.length).toBeLessThan(20);
});

test("messages that built up in a pause of the queue do not multiply: only one is sent on", async () => {
  const who = await newPartner();
  await seedFiles(who, 250);
  const sent = vi.spyOn(env.JOBS, "send").mockResolvedValue(undefined as never);
  const jobId = await createRedecode(LATER_THAN_OTHERS);
  const { database } = who.partner;
  // The time of a run is used up after its first page: its start is the first reading of the clock.
  const clock = Date.now.bind(Date);
  const start = clock();
  let readings = 0;
  vi.spyOn(Date, "now").mockImplementation(() => clock() + (readings++ === 0 ? 0 : 5_000));
  for (let minute = 30; minute > 0; minute -= 1) {
    readings = 0;
    expect(await deliverTo(database, start - minute * 60_000)).toBe(true);
  }
  expect((await jobOf(jobId)).looked_at).toBe(100);
  expect(sent.mock.calls).toEqual([[{ database }]]);
  vi.restoreAllMocks();
  await expireClaims();
  await finishJob(jobId);
});

test("a database that fails does not stop the job in the others", async () => {
  const jobId = await createRedecode(LATER_THAN_OTHERS);
  const down = vi.spyOn(env.DB, "prepare").mockImplementation(() => {
    throw new Error("D1_ERROR: Network connection lost.");
  });
  expect(await deliverJobs()).toBe(false);
  down.mockRestore();
  const jobs = await Promise.all(
    allDatabases(env).map(async (database) => database.prepare(READ_JOB).bind(jobId).first()),
  );
  expect(jobs.map((row) => parseJob(row).finished_at !== null)).toEqual([false, true]);
});

test("a start after the receipt still has its warning after the file is decoded again", async () => {
  const who = await newPartner();
  const since = Date.now();
  const startInSeconds = Math.floor(since / 1_000) + 7_200;
  const [file] = await ping(who, {
    summary_id: "ride",
    start_time_in_seconds: String(startInSeconds),
    callback_url: base64(rideFile({ startInSeconds })),
  });
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  const warnings = async () => (await read(who, `/api/files/${file?.file_id}/`))["warnings"];
  expect(await warnings()).toEqual(["start_time_mismatch"]);
  await asOlderDecoder(who);
  expect(await redecode(since)).toMatchObject({ changed: 1 });
  expect(await warnings()).toEqual(["start_time_mismatch"]);
});

/** Receipt of files that jobs of other tests' files do not reach. */
const LATER_THAN_OTHERS = Date.parse("2100-01-01T00:00:00Z");

/** Inserts readable files of an older decoder, all with the same bytes. */
async function seedFiles(who: TestPartner, count: number): Promise<void> {
  await env.FILES.put("redecoding/ride", rideFile());
  const { partnerId } = who;
  const prefix = idPrefix(partnerId, "u", "s");
  await databaseOf(who)
    .prepare(
      `INSERT INTO files (partner_id, file_id, user_id, source, summary_id, priority, overwrite_mode, start_time_in_seconds,
       status, version, revision, stored_version, object_key, size_in_bytes, activity_count, received_at, updated_at)
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?3)
     SELECT ?1, ?2 || printf('%022d', i), 'u', 's', i, 1, 0, '1760000000', 'imported', 1, 1, 1, 'redecoding/ride', 500, 1, ?4, 1
     FROM n`,
    )
    .bind(partnerId, prefix, count, LATER_THAN_OTHERS)
    .run();
}

test("files that failed with a code are decoded again from their bytes, and the counts of their import change", async () => {
  const who = await newPartner();
  const outside = playOutside({ [`${HOST}/page`]: () => new Response("<html></html>") });
  const since = Date.now();
  const [file] = await ping(who, { summary_id: "page", callback_url: `${HOST}/page`, priority: 0 });
  const started = await task(who);
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  await settle(collector);
  expect(await read(who, `/api/imports/${started.import_id}/`)).toMatchObject({
    files: { failed: 1, imported: 0 },
  });
  // The bytes that failed earlier are replaced by bytes that the decoder can read.
  const row = await databaseOf(who)
    .prepare("SELECT failed_object_key FROM files WHERE file_id = ?")
    .bind(file?.file_id ?? "")
    .first();
  await env.FILES.put(String(row?.["failed_object_key"]), rideFile());

  expect(await redecode(since, "not_fit")).toMatchObject({ looked_at: 1, changed: 1 });
  await settle(collector);
  expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({ status: "imported", error: null });
  expect(await read(who, `/api/imports/${started.import_id}/`)).toMatchObject({
    status: "completed",
    files: { total: 1, pending: 0, imported: 1, failed: 0 },
  });
  expect(outside.to(`${HOST}/page`)).toHaveLength(1);
});

test("a stored object that R2 never returns is listed with its fault, and the other files of its page are decoded", async () => {
  const who = await newPartner();
  const since = Date.now();
  const ids = [];
  for (const summary_id of ["1", "2", "3"]) {
    ids.push((await ping(who, { summary_id, callback_url: base64(rideFile()) }))[0]?.file_id ?? "");
  }
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  await asOlderDecoder(who);
  const broken = ids.toSorted()[1] ?? "";
  const get = env.FILES.get.bind(env.FILES);
  vi.spyOn(env.FILES, "get").mockImplementation(async (key: string) => {
    if (key.includes(broken)) throw new Error("get: We encountered an internal error (10001)");
    return get(key);
  });
  const jobId = await createRedecode(since);
  expect(await finishJob(jobId)).toMatchObject({ looked_at: 3, changed: 2, failed: 1 });
  expect(await failuresOf(jobId)).toMatchObject([{ file_id: broken, code: "R2:Error" }]);
});

test("a fault of the database while a file is decoded alone is not counted as a crash", async () => {
  const who = await newPartner();
  const since = Date.now();
  await ping(who, { summary_id: "ride", callback_url: base64(rideFile()) });
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  await asOlderDecoder(who);
  const jobId = await createRedecode(since);
  const database = databaseOf(who);
  await database.prepare("UPDATE operator_jobs SET claims = 1 WHERE job_id = ?").bind(jobId).run();
  const batch = database.batch.bind(database);
  let batches = 0;
  vi.spyOn(database, "batch").mockImplementation(async <T>(list: D1PreparedStatement[]) => {
    batches += 1;
    // The first batch counts the file before it is decoded, and the second writes its activities.
    if (batches === 2) throw new Error("D1_ERROR: Network connection lost.");
    return batch<T>(list);
  });
  expect(await deliverTo(who.partner.database)).toBe(false);
  expect(await jobOf(jobId)).toMatchObject({ looked_at: 0, failed: 0 });
  expect(await failuresOf(jobId)).toEqual([]);
  expect(await finishJob(jobId)).toMatchObject({ looked_at: 1, changed: 1, failed: 0 });
});

test("a page of files with large results is cut, so that its results do not fill the memory", async () => {
  const who = await newPartner();
  const since = Date.now();
  const callback_url = base64(leapingSessions(20_000));
  const files = Array.from({ length: 30 }, (_, index) => ({ summary_id: `ride-${index}`, callback_url }));
  await ping(who, ...files);
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  await databaseOf(who)
    .prepare("UPDATE files SET decoder_version = 0 WHERE partner_id = ?")
    .bind(who.partnerId)
    .run();
  const writes = vi.spyOn(databaseOf(who), "batch");
  const jobId = await createRedecode(since);
  expect(await finishJob(jobId)).toMatchObject({ looked_at: 30, changed: 30, failed: 0 });
  // A page of small files is one write of activities, and one of the job.
  expect(writes.mock.calls.length).toBeGreaterThanOrEqual(4);
});
