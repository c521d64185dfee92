import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { parseSummary } from "../../src/activities/storedSummary.pure.ts";
import { DECODER_VERSION } from "../../src/fit/index.ts";
import { randomId } from "../../src/identifiers.ts";
import { continueJobs } from "../../src/operator/redecode.ts";
import { INSERT_REDECODE, parseJob, READ_JOB } from "../../src/operator/write.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { playOutside } from "../support/outside.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, settle } from "../support/world.ts";
import { base64, HOST, ping, read, SOURCE, task } from "./partnerActs.ts";
import { databaseOf } from "../support/databases.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

async function redecode(who: TestPartner, since: number, code: string | null = null) {
  const jobId = randomId();
  await databaseOf(who).prepare(INSERT_REDECODE).bind(jobId, JSON.stringify({ since, code })).run();
  await continueJobs(env, Date.now());
  return parseJob(await databaseOf(who).prepare(READ_JOB).bind(jobId).first());
}

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

  expect(await redecode(who, since)).toMatchObject({ changed: 1, failed: 0 });
  expect(await sportOf(who)).toBe("cycling");
  const after = await read(who, `/api/activities/${file?.file_id}.0/`);
  expect(after).toEqual({ ...before, updated_at: after["updated_at"] });
  expect(outside.sent).toHaveLength(0);

  expect((await redecode(who, since)).looked_at).toBe(0);
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
  expect(await redecode(who, since)).toMatchObject({ looked_at: 1, changed: 0 });
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
  const jobId = randomId();
  await databaseOf(who)
    .prepare(INSERT_REDECODE)
    .bind(jobId, JSON.stringify({ since, code: null }))
    .run();
  const runs = [];
  for (const minutes of [0, 6, 12]) {
    dead = Promise.withResolvers();
    runs.push(await Promise.race([continueJobs(env, Date.now() + minutes * 60_000), dead.promise]));
  }

  expect(runs).toEqual([null, null, 1]);
  const job = parseJob(await databaseOf(who).prepare(READ_JOB).bind(jobId).first());
  expect(job).toMatchObject({ looked_at: 3, changed: 2, failed: 1, finished_at: expect.any(Number) });
});

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

  expect(await redecode(who, since, "not_fit")).toMatchObject({ looked_at: 1, changed: 1 });
  await settle(collector);
  expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({ status: "imported", error: null });
  expect(await read(who, `/api/imports/${started.import_id}/`)).toMatchObject({
    status: "completed",
    files: { total: 1, pending: 0, imported: 1, failed: 0 },
  });
  expect(outside.to(`${HOST}/page`)).toHaveLength(1);
});
