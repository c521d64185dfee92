import { createScheduledController, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { userHash } from "../../src/identifiers.ts";
import { send } from "../support/http.ts";
import worker from "../../src/index.ts";
import { eraseUser } from "../../src/erasure/eraseUser.ts";
import { sweepExpiredErasures } from "../../src/erasure/expire.ts";
import { sweepErasures } from "../../src/erasure/sweep.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { once, playOutside } from "../support/outside.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, deliverDispatch, deliverEvent, settle } from "../support/world.ts";
import { base64, HOST, ping, RECEIVER, SOURCE, task } from "./partnerActs.ts";
import { databaseOf } from "../support/databases.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Returns all stored data of the user. The ids of removed files stay in lists of changes, with nothing personal. */
async function traces(who: TestPartner, sources: string[] = [SOURCE]): Promise<string[]> {
  const found: string[] = [];
  for (const table of [
    "files",
    "file_batches",
    "activities",
    "imports",
    "import_missing",
    "users",
    "user_sources",
    "deliveries",
  ]) {
    const { results } = await databaseOf(who)
      .prepare(`SELECT * FROM ${table} WHERE partner_id = ?`)
      .bind(who.partnerId)
      .all();
    const left = results
      .filter((row) => row["removed"] == null || JSON.stringify(row).includes("user-1"))
      .map((row) => `${table}: ${JSON.stringify(row)}`);
    found.push(...left);
  }
  const objects = await env.FILES.list({ prefix: `${who.partnerId}/` });
  const inline = await env.FILES.list({ prefix: "inline/" });
  found.push(...objects.objects.map((object) => object.key));
  found.push(...inline.objects.map((object) => object.key).filter((key) => key.includes(who.partnerId)));
  for (const source of sources) {
    const rows = await runInDurableObject(
      collectorOf(who.partnerId, "user-1", source).stub,
      (_instance, state) =>
        ["files", "imports", "dispatches", "identity", "outbox", "remembered_duplicates"].flatMap((table) =>
          state.storage.sql
            .exec(`SELECT * FROM ${table}`)
            .toArray()
            .map((row) => `${source} ${table}: ${JSON.stringify(row)}`),
        ),
    );
    found.push(...rows);
  }
  return found;
}

const sweepAt = (nowMs: number) =>
  worker.scheduled(createScheduledController({ scheduledTime: nowMs, cron: "* * * * *" }), env);

test("an erased user leaves nothing: no rows, no objects, no held pings, no deliveries", async () => {
  const who = await newPartner({ event_url: RECEIVER });
  playOutside({ [`${HOST}/1`]: once(rideFile()), [RECEIVER]: () => new Response("ok") });
  await ping(who, { summary_id: "1", callback_url: `${HOST}/1`, priority: 0 });
  const started = await task(who, {
    event_id: "e",
    is_initial_import: true,
    expected_summary_ids: ["1", "never-came"],
  });
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  await deliverEvent(who.partnerId, `evt_${started.import_id}`);
  await ping(who, { summary_id: "inline", callback_url: base64(rideFile()) });
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  await ping(who, { summary_id: "held", callback_url: base64(rideFile({ seconds: 5 })), priority: 0 });
  await ping(who, { summary_id: "other", callback_url: `${HOST}/1`, priority: 0, source: "phone" });
  expect(await traces(who)).not.toEqual([]);

  expect((await send(who, "DELETE", "/api/users/user-1/")).status).toBe(202);

  expect(await traces(who, [SOURCE, "phone"])).toEqual([]);
  expect((await send(who, "DELETE", "/api/users/user-1/")).status).toBe(404);
});

test("a user known only from a task can be erased, with the import and the event", async () => {
  const who = await newPartner({ event_url: RECEIVER });
  await task(who, { event_id: "e" });
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  expect(await eraseUser(env, who.partner, "user-1", Date.now())).toBe(true);
  expect(await traces(who)).toEqual([]);
});

test("work in flight writes nothing back", async () => {
  const who = await newPartner();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  playOutside({
    [`${HOST}/1`]: async () => {
      await eraseUser(env, who.partner, "user-1", Date.now());
      return new Response(rideFile());
    },
  });
  await ping(who, { summary_id: "1", callback_url: `${HOST}/1` });
  for (const { dispatch_id } of await collector.sent()) await deliverDispatch(collector, dispatch_id);
  await sweepAt(Date.now() + 21 * 60_000);
  expect(await traces(who)).toEqual([]);
});

test("a collector that D1 does not list applies the erasure when it finds it", async () => {
  const who = await newPartner();
  await ping(who, { summary_id: "known", callback_url: `${HOST}/1`, priority: 0 });
  vi.spyOn(databaseOf(who), "batch").mockRejectedValueOnce(new Error("D1_ERROR: overloaded"));
  await ping(who, { summary_id: "unknown", callback_url: `${HOST}/2`, priority: 0, source: "phone" });
  await eraseUser(env, who.partner, "user-1", Date.now());
  await collectorOf(who.partnerId, "user-1", "phone").alarm();
  expect(await traces(who, [SOURCE, "phone"])).toEqual([]);
});

test("an interrupted erasure is continued by the scheduled sweep, and after the second sweep only a hash is left", async () => {
  const who = await newPartner();
  await ping(who, { summary_id: "1", callback_url: base64(rideFile()) });
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  vi.spyOn(env.FILES, "delete").mockRejectedValueOnce(new Error("internal"));
  expect(await eraseUser(env, who.partner, "user-1", Date.now())).toBe(true);
  expect(await traces(who)).not.toEqual([]);
  await sweepAt(Date.now() + 1_000);
  expect(await traces(who)).toEqual([]);
  await sweepAt(Date.now() + 21 * 60_000);
  const left = await databaseOf(who)
    .prepare("SELECT * FROM erased WHERE partner_id = ?")
    .bind(who.partnerId)
    .first();
  expect(left).toMatchObject({
    user_hash: userHash(who.partnerId, "user-1"),
    user_id: null,
    step: null,
    after_id: "",
  });
});

test("the scheduled sweep counts due erasures, also those that must be retried", async () => {
  const who = await newPartner();
  await ping(who, { summary_id: "1", callback_url: base64(rideFile()) });
  const deletions = vi.spyOn(env.FILES, "list").mockRejectedValue(new Error("internal"));
  expect(await eraseUser(env, who.partner, "user-1", Date.now())).toBe(true);
  expect(await sweepErasures(env, Date.now() + 1_000)).toBe(1);
  deletions.mockRestore();
  expect(await sweepErasures(env, Date.now() + 2 * 60_000)).toBe(1);
});

test("a user with a new ping afterwards is a new user, and the second sweep does not change that", async () => {
  const who = await newPartner();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  await ping(who, { summary_id: "1", callback_url: base64(rideFile()) });
  await settle(collector);
  const now = Date.now();
  await eraseUser(env, who.partner, "user-1", now);
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(now + 60_000);
  const [file] = await ping(who, { summary_id: "1", callback_url: base64(rideFile()) });
  expect(file?.status).toBe("queued");
  await settle(collector);
  await sweepAt(now + 21 * 60_000);
  const row = await databaseOf(who)
    .prepare("SELECT status, activity_count FROM files WHERE partner_id = ?")
    .bind(who.partnerId)
    .first();
  expect(row).toEqual({ status: "imported", activity_count: 1 });
});

const DAY = 24 * 60 * 60_000;

test("the hashes of erased users are deleted after 90 days, a limited number per run, and not while an erasure is running", async () => {
  const who = await newPartner();
  const other = await newPartner();
  const now = Date.now();
  await ping(who, { summary_id: "1", callback_url: `${HOST}/1`, priority: 0 });
  await eraseUser(env, who.partner, "user-1", now);
  await ping(other, { summary_id: "1", callback_url: `${HOST}/1`, priority: 0 });
  await eraseUser(env, other.partner, "user-1", now);
  const left = async ({ partnerId }: TestPartner) => {
    const { results } = await databaseOf(partnerId)
      .prepare("SELECT user_hash, user_id FROM erased WHERE partner_id = ?")
      .bind(partnerId)
      .all();
    return results;
  };
  const hash = userHash(who.partnerId, "user-1");
  await sweepExpiredErasures(env, now + 91 * DAY);
  expect(await left(who)).toEqual([{ user_hash: hash, user_id: "user-1" }]);
  await sweepErasures(env, now + 21 * 60_000);
  await sweepExpiredErasures(env, now + 89 * DAY);
  expect(await left(who)).toEqual([{ user_hash: hash, user_id: null }]);

  const many = Array.from({ length: 1_500 }, (_, index) => `user-${index}`);
  await databaseOf(who)
    .prepare(
      "INSERT INTO erased (partner_id, user_hash, before_version) SELECT ?, value, ? FROM json_each(?)",
    )
    .bind(who.partnerId, now - DAY, JSON.stringify(many))
    .run();
  const inDatabase = async () =>
    (await databaseOf(who).prepare("SELECT count(*) count FROM erased").first<{ count: number }>())?.count ??
    0;
  const before = await inDatabase();
  await sweepExpiredErasures(env, now + 91 * DAY);
  expect(before - (await inDatabase())).toBe(1_000);
  expect(await sweepExpiredErasures(env, now + 91 * DAY)).toBeGreaterThanOrEqual(501);
  expect([...(await left(who)), ...(await left(other))]).toEqual([]);
});
