import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { inlineKey } from "../../src/files/objectKeys.ts";
import { randomId } from "../../src/identifiers.ts";
import { nextCollector } from "../../src/operator/again/findCollectors.ts";
import { parsePosition, START, type AgainParameters, type Position } from "../../src/operator/again/write.ts";
import { INSERT_AGAIN, parseJob, READ_JOB } from "../../src/operator/jobs/write.ts";
import { send } from "../support/http.ts";
import { playOutside } from "../support/outside.ts";
import { databaseOf } from "../support/databases.ts";
import { deliverTo, failuresOf, finishJob } from "../support/jobs.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, project, settle } from "../support/world.ts";
import { base64, HOST, ping, read, SOURCE, task } from "./partnerActs.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

async function createJob(who: TestPartner, scope: Partial<AgainParameters> = {}): Promise<string> {
  const parameters = { partner_id: who.partnerId, user_id: null, objects: null, ...scope };
  const jobId = randomId();
  await databaseOf(who).prepare(INSERT_AGAIN).bind(jobId, JSON.stringify(parameters)).run();
  return jobId;
}

const projectAgain = async (who: TestPartner, scope: Partial<AgainParameters> = {}) =>
  finishJob(await createJob(who, scope));

/** Deletes all rows of the read model, as a database that is restored from before the partner's first ping. */
async function loseReadModel(who: TestPartner): Promise<void> {
  const tables = ["files", "file_batches", "activities", "imports", "users", "user_sources", "partner_usage"];
  await databaseOf(who).batch(
    [...tables, "deliveries", "discarded_objects", "import_missing"].map((table) =>
      databaseOf(who).prepare(`DELETE FROM ${table}`),
    ),
  );
}

/** Lists and single reads of a partner, without what a job does not restore. */
async function everything(who: TestPartner) {
  const lists = ["files", "activities", "imports", "users"];
  const found: Record<string, unknown> = {};
  for (const list of lists) found[list] = await read(who, `/api/${list}/?limit=100`);
  const files = await read(who, "/api/files/?limit=100");
  for (const { file_id, activity_ids } of files["data"] as { file_id: string; activity_ids: string[] }[]) {
    found[file_id] = await read(who, `/api/files/${file_id}/`);
    for (const id of activity_ids) {
      found[id] = await read(who, `/api/activities/${id}/`);
      found[`${id} streams`] = await read(who, `/api/activities/${id}/streams/`);
    }
  }
  return JSON.parse(
    JSON.stringify(found, (key, value: unknown) => (NOT_RESTORED.has(key) ? "-" : value)),
  ) as unknown;
}

/** Times at which rows were written, and the events of imports, which a job does not restore. */
const NOT_RESTORED = new Set(["updated_at", "created_at", "event"]);

/** A live ride from a URL, one from a ping, a history with a failed file and a repeat, a held and a queued file. */
async function fillService(who: TestPartner) {
  const outside = playOutside({
    [`${HOST}/ride`]: () => new Response(rideFile()),
    [`${HOST}/history`]: () => new Response(rideFile({ seconds: 40 })),
    [`${HOST}/page`]: () => new Response("<html></html>"),
    [`${HOST}/broken`]: () => new Response("", { status: 500 }),
    [`${HOST}/gone`]: () => new Response("", { status: 410 }),
  });
  await ping(who, { summary_id: "live", callback_url: `${HOST}/ride` });
  await ping(who, { summary_id: "inline", callback_url: base64(rideFile({ seconds: 30 })), source: "phone" });
  await ping(
    who,
    { summary_id: "history", callback_url: `${HOST}/history`, priority: 0 },
    { summary_id: "page", callback_url: `${HOST}/page`, priority: 0 },
    { summary_id: "live", callback_url: `${HOST}/ride`, priority: 0 },
  );
  await task(who, { event_id: "first" });
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  await settle(collectorOf(who.partnerId, "user-1", "phone"));
  // An overwrite that fails: the first version stays readable.
  await ping(who, { summary_id: "live", callback_url: `${HOST}/gone`, overwrite_mode: true });
  await ping(who, { summary_id: "later", callback_url: `${HOST}/broken` });
  // A held version of a file that is readable, and a user with held files only.
  await ping(who, { summary_id: "history", callback_url: `${HOST}/ride`, priority: 0, overwrite_mode: true });
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  await ping(who, { user_id: "held-only", summary_id: "held", callback_url: `${HOST}/ride`, priority: 0 });
  await project(who, [{ user_id: "held-only", source: SOURCE }]);
  return outside;
}

test("after the loss of the read model, a job makes every list and read as it was, without a download", async () => {
  const who = await newPartner();
  const outside = await fillService(who);
  const before = await everything(who);
  const usage = await databaseOf(who).prepare("SELECT files, stored_bytes FROM partner_usage").first();
  const downloads = outside.sent.length;
  await loseReadModel(who);
  expect(await read(who, "/api/files/")).toMatchObject({ data: [] });

  const objects = [env.COLLECTOR.idFromName(collectorOf(who.partnerId, "held-only", SOURCE).name).toString()];
  expect(await projectAgain(who)).toMatchObject({ looked_at: 5, changed: 5, failed: 0 });
  expect(await projectAgain(who, { objects })).toMatchObject({ looked_at: 1, changed: 1, failed: 0 });

  expect(await everything(who)).toEqual(before);
  expect(await databaseOf(who).prepare("SELECT files, stored_bytes FROM partner_usage").first()).toEqual(
    usage,
  );
  expect(outside.sent).toHaveLength(downloads);
  expect(await databaseOf(who).prepare("SELECT * FROM discarded_objects").first()).toBeNull();

  // A second job changes nothing, and events are not sent again.
  const rows = await databaseOf(who).prepare("SELECT * FROM files ORDER BY file_id").all();
  expect(await projectAgain(who)).toMatchObject({ changed: 0, failed: 0 });
  expect((await databaseOf(who).prepare("SELECT * FROM files ORDER BY file_id").all()).results).toEqual(
    rows.results,
  );
  expect(await read(who, "/api/events/")).toMatchObject({ data: [] });
});

test("a start after the receipt still has its warning after a job has written the file anew", async () => {
  const who = await newPartner();
  playOutside({});
  const startInSeconds = Math.floor(Date.now() / 1_000) + 7_200;
  const [file] = await ping(who, {
    summary_id: "ride",
    start_time_in_seconds: String(startInSeconds),
    callback_url: base64(rideFile({ startInSeconds })),
  });
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  const warnings = async () => (await read(who, `/api/files/${file?.file_id}/`))["warnings"];
  expect(await warnings()).toEqual(["start_time_mismatch"]);
  await databaseOf(who)
    .prepare("DELETE FROM files WHERE partner_id = ? AND file_id = ?")
    .bind(who.partnerId, file?.file_id ?? "")
    .run();
  expect(await projectAgain(who)).toMatchObject({ changed: 1, failed: 0 });
  expect(await warnings()).toEqual(["start_time_mismatch"]);
});

test("a job of one user restores lost activities and rows of this user alone", async () => {
  const who = await newPartner();
  playOutside({});
  for (const user_id of ["user-1", "user-2"]) {
    await ping(who, { user_id, summary_id: "ride", callback_url: base64(rideFile()) });
    await settle(collectorOf(who.partnerId, user_id, SOURCE));
  }
  const [file] = await ping(who, {
    user_id: "user-1",
    summary_id: "other",
    callback_url: base64(rideFile()),
  });
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  const before = await read(who, "/api/activities/?user_id=user-1");
  await databaseOf(who).batch([
    databaseOf(who).prepare("DELETE FROM activities WHERE partner_id = ?").bind(who.partnerId),
    databaseOf(who)
      .prepare("DELETE FROM files WHERE partner_id = ? AND file_id = ?")
      .bind(who.partnerId, file?.file_id ?? ""),
  ]);

  expect(await projectAgain(who, { user_id: "user-1" })).toMatchObject({ changed: 2, failed: 0 });
  const after = await read(who, "/api/activities/?user_id=user-1");
  const idsOf = (list: Record<string, unknown>) =>
    (list["data"] as { activity_id: string }[]).map(({ activity_id }) => activity_id).toSorted();
  expect(idsOf(after)).toEqual(idsOf(before));
  expect(idsOf(after)).toHaveLength(2);
  expect(await read(who, "/api/activities/?user_id=user-2")).toMatchObject({ data: [] });
});

test("a job brings nothing of an erased user back, also when the list of erasures is lost", async () => {
  const who = await newPartner();
  playOutside({});
  await ping(who, { summary_id: "ride", callback_url: base64(rideFile()) });
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  expect((await send(who, "DELETE", "/api/users/user-1/")).status).toBe(202);
  await loseReadModel(who);
  await databaseOf(who).prepare("DELETE FROM erased").run();

  expect(await projectAgain(who)).toMatchObject({ looked_at: 0 });
  expect(
    await projectAgain(who, {
      objects: [env.COLLECTOR.idFromName(collectorOf(who.partnerId, "user-1", SOURCE).name).toString()],
    }),
  ).toMatchObject({ looked_at: 0 });
  expect(await read(who, "/api/files/")).toMatchObject({ data: [] });
});

test("a file without its bytes counts as failed, and the others of its page are restored", async () => {
  const who = await newPartner();
  playOutside({});
  const [lost] = await ping(
    who,
    { summary_id: "lost", callback_url: base64(rideFile()) },
    { summary_id: "kept", callback_url: base64(rideFile()) },
  );
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  const row = await databaseOf(who)
    .prepare("SELECT object_key FROM files WHERE file_id = ?")
    .bind(lost?.file_id ?? "")
    .first();
  await env.FILES.delete(String(row?.["object_key"]));
  await loseReadModel(who);

  const jobId = await createJob(who);
  expect(await finishJob(jobId)).toMatchObject({ changed: 1, failed: 1 });
  expect(await failuresOf(jobId)).toMatchObject([{ file_id: lost?.file_id, code: "original_missing" }]);
  expect(await read(who, "/api/activities/")).toMatchObject({ data: [{ summary_id: "kept" }] });
});

test("a history of whole pages is restored, and a fault of the database only delays the job", async () => {
  const who = await newPartner();
  playOutside({});
  const names = Array.from({ length: 25 }, (_, index) => `ride-${index}`);
  await ping(who, ...names.map((summary_id) => ({ summary_id, callback_url: base64(rideFile()) })));
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  await loseReadModel(who);
  const jobId = await createJob(who);
  vi.spyOn(env.FILES, "list").mockRejectedValueOnce(new Error("list: unavailable"));

  expect(await deliverTo(who.partner.database)).toBe(false);
  expect(await finishJob(jobId)).toMatchObject({ looked_at: 25, changed: 25, failed: 0 });
  expect((await read(who, "/api/activities/?limit=100"))["data"]).toHaveLength(25);
});

test("jobs of several partners take turns", async () => {
  const first = await newPartner();
  let second = await newPartner();
  while (second.partner.database !== first.partner.database) second = await newPartner();
  playOutside({});
  const jobs = [];
  for (const who of [first, second]) {
    await ping(who, { summary_id: "ride", callback_url: base64(rideFile()) });
    await settle(collectorOf(who.partnerId, "user-1", SOURCE));
    jobs.push(await createJob(who));
  }
  // Each turn ends at its first page: the clock is past its end.
  const clock = Date.now.bind(Date);
  let readings = 0;
  vi.spyOn(Date, "now").mockImplementation(() => clock() + (readings++ === 0 ? 0 : 5_000));
  for (let turn = 0; turn < 2; turn += 1) {
    readings = 0;
    expect(await deliverTo(first.partner.database, clock())).toBe(true);
  }
  const positions = [];
  for (const jobId of jobs) {
    const job = parseJob(await databaseOf(first).prepare(READ_JOB).bind(jobId).first());
    positions.push(parsePosition(job.after_file).phase);
    expect(job.finished_at).toBeNull();
  }
  expect(positions).toEqual(["sources", "sources"]);
});

test("a search through many hours without the partner's bytes ends often, and continues from its position", async () => {
  const who = await newPartner();
  const other = await newPartner();
  const hours = 120;
  for (let hour = 0; hour < hours; hour += 1) {
    const key = inlineKey(other.partnerId, `file-${hour}`, "bytes", Date.UTC(2020, 0, 1, hour));
    await env.FILES.put(key, "");
  }
  const list = vi.spyOn(env.FILES, "list");
  const parameters = { partner_id: who.partnerId, user_id: null, objects: null };
  let position: Position | null = { ...START, phase: "inline" };
  let searches = 0;
  while (position !== null) {
    list.mockClear();
    position = await nextCollector(env, databaseOf(who), parameters, position);
    expect(list.mock.calls.length).toBeLessThanOrEqual(50);
    searches += 1;
  }
  expect(searches).toBeGreaterThan(2);
});

test("a collector that always throws is listed as failed after some tries, and the others are restored", async () => {
  const who = await newPartner();
  playOutside({});
  for (const source of ["broken", "watch"]) {
    await ping(who, { summary_id: "ride", source, callback_url: base64(rideFile()) });
    await settle(collectorOf(who.partnerId, "user-1", source));
  }
  const broken = collectorOf(who.partnerId, "user-1", "broken");
  await databaseOf(who).prepare("DELETE FROM files WHERE partner_id = ?").bind(who.partnerId).run();
  const jobId = await createJob(who);
  const getByName = env.COLLECTOR.getByName.bind(env.COLLECTOR);
  vi.spyOn(env.COLLECTOR, "getByName").mockImplementation((name) => {
    if (name === broken.name) throw new Error("Durable Object storage is damaged");
    return getByName(name);
  });

  // Two searches find each collector: by its source, and by its stored bytes.
  expect(await finishJob(jobId)).toMatchObject({ looked_at: 2, changed: 1, failed: 2 });
  const failures = await failuresOf(jobId);
  expect(failures).toEqual([
    { partner_id: who.partnerId, file_id: broken.name, code: "collector:Error", object_key: null },
  ]);
  expect(await read(who, "/api/activities/")).toMatchObject({ data: [{ source: "watch" }] });
});
