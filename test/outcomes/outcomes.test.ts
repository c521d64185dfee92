import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { Webhook } from "standardwebhooks";
import { afterEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { OUTCOMES_IN_EVENT } from "../../src/contract/limits.ts";
import { sweepDeliveries, sweepExpiredEvents } from "../../src/deliveries/sweep.ts";
import { fileId } from "../../src/identifiers.ts";
import { replaceDecoded } from "../../src/operator/redecode/write.ts";
import { outcomesEventSchema } from "../../src/outcomes/event.ts";
import { partnersBehind } from "../../src/outcomes/read.ts";
import { reportOutcomes } from "../../src/outcomes/report.ts";
import { sweepOutcomes } from "../../src/outcomes/sweep.ts";
import { HOST, ping, read, RECEIVER, SOURCE, task } from "../flows/partnerActs.ts";
import { databaseOf, ownerOf } from "../support/databases.ts";
import { send } from "../support/http.ts";
import { playOutside, type Answer, type Sent } from "../support/outside.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, deliverEvent, settle } from "../support/world.ts";

const DAY_MS = 24 * 60 * 60_000;
const HOOK = "https://hooks.example.com/outcomes";
const HOOK_2 = "https://hooks.example.com/second";
const OUTCOMES = ["file.imported", "file.failed", "activity.updated", "activity.deleted"];

afterEach(() => vi.restoreAllMocks());

/** Returns a receiver that returns the challenge of a test event. */
const obedient: Answer = ({ body }) => {
  const { data } = z
    .object({ data: z.looseObject({ challenge: z.string().optional() }) })
    .parse(JSON.parse(body));
  return Response.json({ challenge: data.challenge });
};

/** Plays receivers and a file host. The host has a ride for each path, except those that begin with `gone`. */
function playWorld() {
  const answers: Record<string, Answer> = { [HOOK]: obedient, [HOOK_2]: obedient, [RECEIVER]: obedient };
  return playOutside(
    new Proxy(answers, {
      get: (known, url) => {
        if (typeof url !== "string") return undefined;
        if (url.startsWith(`${HOST}/gone`)) return () => new Response(null, { status: 404 });
        return url.startsWith(HOST) ? () => new Response(rideFile()) : known[url];
      },
    }),
  );
}

const endpointSchema = z.looseObject({
  endpoint_id: z.string(),
  webhook_secret: z.string(),
  challenge_event_id: z.string(),
});

/** Creates an endpoint. Its receiver returns the challenge. */
async function endpointOf(who: TestPartner, fields: Record<string, unknown> = {}) {
  const response = await send(who, "POST", "/api/endpoints/", {
    body: { url: HOOK, event_types: OUTCOMES, ...fields },
  });
  expect(response.status).toBe(201);
  const created = endpointSchema.parse(await response.json());
  await deliverEvent(who.partnerId, created.challenge_event_id);
  expect(await read(who, `/api/endpoints/${created.endpoint_id}/`)).toMatchObject({ state: "active" });
  return created;
}

const change = async (who: TestPartner, endpointId: string, body: unknown) => {
  expect((await send(who, "PATCH", `/api/endpoints/${endpointId}/`, { body })).status).toBe(200);
};

/** Imports live rides, or files of a history with `priority` 0. Returns their ids. */
async function importFiles(who: TestPartner, names: readonly string[], priority: 0 | 1 = 1) {
  const files = await ping(
    who,
    ...names.map((name) => ({ summary_id: name, callback_url: `${HOST}/${name}`, priority })),
  );
  if (priority === 0) await task(who);
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  await nextMillisecond();
  return files.map(({ file_id }) => file_id);
}

/** Waits until the database's clock is past the millisecond of the last write. */
async function nextMillisecond() {
  const now = Date.now();
  while (Date.now() <= now) await env.DB.prepare("SELECT 1").run();
}

const objectOf = (who: TestPartner) => env.OUTCOMES.getByName(who.partnerId);

/** Runs the alarm that reports the partner's outcomes until none is due. Returns how often it ran. */
async function report(who: TestPartner): Promise<number> {
  let runs = 0;
  while (await runDurableObjectAlarm(objectOf(who))) runs += 1;
  return runs;
}

const rowsSchema = z.array(
  z.object({ delivery_id: z.string(), endpoint_id: z.string(), status: z.string(), body: z.string() }),
);

/** Returns the stored events with outcomes, in the order of their sequences. */
async function storedEvents(who: TestPartner, endpointId?: string) {
  const found = await databaseOf(who)
    .prepare(
      `SELECT delivery_id, endpoint_id, status, body FROM deliveries WHERE partner_id = ? AND type = 'outcomes.reported'
       ORDER BY endpoint_id, body ->> '$.data.outcomes[0].sequence'`,
    )
    .bind(who.partnerId)
    .all();
  return rowsSchema
    .parse(found.results)
    .filter(({ endpoint_id }) => endpointId === undefined || endpoint_id === endpointId);
}

const storedSchema = z.object({
  data: z.object({
    outcomes: z.array(z.looseObject({ sequence: z.number(), file_id: z.string(), type: z.string() })),
  }),
});

/** Returns what was stored for an endpoint, in the order of the sequence. */
async function storedOutcomes(who: TestPartner, endpointId?: string) {
  const events = await storedEvents(who, endpointId);
  return events.flatMap(({ body }) => storedSchema.parse(JSON.parse(body)).data.outcomes);
}

async function deliverAll(who: TestPartner) {
  for (const { delivery_id } of await storedEvents(who)) await deliverEvent(who.partnerId, delivery_id);
}

/** Returns the events with outcomes that a receiver got. */
const received = (sent: Sent[]) =>
  sent
    .filter(({ url, body }) => url === HOOK && !body.includes("test.ping"))
    .map(({ body }) => outcomesEventSchema.parse(JSON.parse(body)));

const sequences = (outcomes: { sequence: number }[]) => outcomes.map(({ sequence }) => sequence);
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

test("live rides that were imported or failed are reported in one signed event, with names and a sequence", async () => {
  const outside = playWorld();
  const who = await newPartner();
  const { endpoint_id, webhook_secret } = await endpointOf(who);
  const [first, gone] = await importFiles(who, ["ride-1", "gone-1"]);
  expect(await report(who)).toBe(1);
  await deliverAll(who);
  const [event, ...more] = received(outside.sent);
  expect(more).toEqual([]);
  expect(event?.data.endpoint_id).toBe(endpoint_id);
  const byName = new Map(event?.data.outcomes.map((outcome) => [outcome.summary_id, outcome]));
  expect(byName.get("ride-1")).toMatchObject({
    type: "file.imported",
    file_id: first,
    activity_ids: [`${first}.0`],
    user_id: "user-1",
    source: SOURCE,
    import_id: null,
    status: "imported",
    error: null,
  });
  expect(byName.get("gone-1")).toMatchObject({
    type: "file.failed",
    file_id: gone,
    activity_ids: [],
    status: "failed",
    error: { code: "callback_gone", http_status: 404 },
  });
  expect(sequences(event?.data.outcomes ?? [])).toEqual([1, 2]);
  const request = outside.to(HOOK).at(-1);
  const verified = new Webhook(webhook_secret).verify(
    request?.body ?? "",
    Object.fromEntries(request?.headers ?? []),
  );
  expect(verified).toEqual(event);
  const page = z.object({ data: z.array(z.looseObject({ type: z.string(), data: z.unknown() })) });
  const listed = page.parse(await read(who, "/api/events/?type=outcomes.reported")).data;
  expect(listed.map(({ data }) => data)).toEqual([event?.data]);
});

test("each readable outcome is reported exactly once, and waiting files are not reported", async () => {
  playWorld();
  const who = await newPartner();
  await endpointOf(who);
  await ping(who, { summary_id: "held", callback_url: `${HOST}/held`, priority: 0 });
  const [one] = await importFiles(who, ["ride-1"]);
  await report(who);
  const [two] = await importFiles(who, ["ride-2"]);
  await report(who);
  await reportOutcomes(env, ownerOf(who.partnerId), Date.now());
  const outcomes = await storedOutcomes(who);
  expect(outcomes.map(({ file_id, sequence }) => [file_id, sequence])).toEqual([
    [one, 1],
    [two, 2],
  ]);
});

test("an outcome is reported although a newer ping of its file waits already", async () => {
  playWorld();
  const who = await newPartner();
  await endpointOf(who);
  const [file] = await importFiles(who, ["ride-1"]);
  await ping(who, {
    summary_id: "ride-1",
    callback_url: `${HOST}/ride-1?again`,
    priority: 0,
    overwrite_mode: true,
  });
  await collectorOf(who.partnerId, "user-1", SOURCE).alarm();
  await nextMillisecond();
  await reportOutcomes(env, ownerOf(who.partnerId), Date.now());
  expect(await storedOutcomes(who)).toMatchObject([
    { file_id: file, type: "file.imported", status: "imported", activity_ids: [`${file}.0`] },
  ]);
});

test("files of a history are reported only to endpoints with include_history", async () => {
  playWorld();
  const who = await newPartner();
  const live = await endpointOf(who);
  const all = await endpointOf(who, { url: HOOK_2, include_history: true });
  await importFiles(who, ["old-1", "old-2", "gone-old"], 0);
  await importFiles(who, ["ride-1"]);
  await report(who);
  expect(await storedOutcomes(who, live.endpoint_id)).toMatchObject([{ sequence: 1, type: "file.imported" }]);
  const outcomes = await storedOutcomes(who, all.endpoint_id);
  expect(outcomes.map(({ type }) => type).sort()).toEqual([
    "file.failed",
    "file.imported",
    "file.imported",
    "file.imported",
  ]);
  expect(sequences(outcomes)).toEqual([1, 2, 3, 4]);
});

test("a history alone calls nothing when no endpoint wants it", async () => {
  playWorld();
  const who = await newPartner();
  await endpointOf(who);
  await importFiles(who, ["old-1", "gone-old"], 0);
  expect(await report(who)).toBe(0);
});

test("endpoints receive only their types, each with a sequence of its own", async () => {
  playWorld();
  const who = await newPartner();
  const failures = await endpointOf(who, { event_types: ["file.failed"] });
  const imports = await endpointOf(who, { url: HOOK_2, event_types: ["file.imported"] });
  await importFiles(who, ["ride-1", "gone-1", "ride-2"]);
  await report(who);
  expect(await storedOutcomes(who, failures.endpoint_id)).toMatchObject([
    { sequence: 1, type: "file.failed" },
  ]);
  expect(await storedOutcomes(who, imports.endpoint_id)).toMatchObject([
    { sequence: 1, type: "file.imported" },
    { sequence: 2, type: "file.imported" },
  ]);
});

test("a file that is decoded again is reported as updated, and activities that it lost as deleted", async () => {
  playWorld();
  const who = await newPartner();
  await endpointOf(who);
  const [file = ""] = await importFiles(who, ["ride-1"]);
  await report(who);
  const row = await databaseOf(who)
    .prepare("SELECT * FROM files WHERE partner_id = ? AND file_id = ?")
    .bind(who.partnerId, file)
    .first<Record<string, string>>();
  const stored = z
    .object({
      partner_id: z.string(),
      file_id: z.string(),
      start_time_in_seconds: z.string(),
      stored_version: z.number(),
      revision: z.number(),
      object_key: z.string(),
      size_in_bytes: z.number(),
      received_at: z.number(),
    })
    .parse(row);
  await databaseOf(who).batch(
    replaceDecoded(
      databaseOf(who),
      who.partnerId,
      [{ file: { ...stored, n: 1 }, warnings: [], activities: [] }],
      1_000,
    ),
  );
  await nextMillisecond();
  await reportOutcomes(env, ownerOf(who.partnerId), Date.now());
  // One transaction wrote the last two, so either may be first.
  const [imported, ...others] = await storedOutcomes(who);
  expect(imported).toMatchObject({ sequence: 1, type: "file.imported", file_id: file });
  expect(new Map(others.map(({ type, activity_ids }) => [type, activity_ids]))).toEqual(
    new Map([
      ["activity.deleted", [`${file}.0`]],
      ["activity.updated", []],
    ]),
  );
});

test("an edit is reported as an update, and undoing it as well", async () => {
  playWorld();
  const who = await newPartner();
  await endpointOf(who);
  const [file = ""] = await importFiles(who, ["ride-1"]);
  await report(who);
  for (const activity_name of ["Evening ride", null]) {
    const edited = await send(who, "PATCH", `/api/files/${file}/`, { body: { activity_name } });
    expect(edited.status).toBe(200);
    await settle(collectorOf(who.partnerId, "user-1", SOURCE));
    await nextMillisecond();
    expect(await report(who)).toBe(1);
  }
  expect((await storedOutcomes(who)).map(({ sequence, type }) => [sequence, type])).toEqual([
    [1, "file.imported"],
    [2, "activity.updated"],
    [3, "activity.updated"],
  ]);
});

test("deleted activities are reported with their ids, for a deleted file and for a deleted user", async () => {
  playWorld();
  const who = await newPartner();
  await endpointOf(who, { event_types: ["activity.deleted"] });
  const [one = "", gone = ""] = await importFiles(who, ["ride-1", "gone-1"]);
  const [two = ""] = await importFiles(who, ["old-1"], 0);
  await report(who);
  for (const file of [one, gone]) {
    expect((await send(who, "DELETE", `/api/files/${file}/`)).status).toBe(202);
  }
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  await nextMillisecond();
  expect(await report(who)).toBe(1);
  expect((await send(who, "DELETE", "/api/users/user-1/")).status).toBe(202);
  await nextMillisecond();
  expect(await report(who)).toBe(1);
  expect(await storedOutcomes(who)).toMatchObject([
    { sequence: 1, type: "activity.deleted", file_id: one, activity_ids: [`${one}.0`], status: "deleted" },
    { sequence: 2, type: "activity.deleted", file_id: two, activity_ids: [`${two}.0`], status: "deleted" },
  ]);
});

test("a cancelled import is announced to the endpoints that want it, with or without an event_id", async () => {
  const outside = playWorld();
  const who = await newPartner();
  await endpointOf(who, { event_types: ["import.cancelled"] });
  for (const event_id of [undefined, "my-event"]) {
    const names = upTo(3).map((number) => `${event_id}-${number}`);
    await ping(
      who,
      ...names.map((name) => ({ summary_id: name, callback_url: `${HOST}/${name}`, priority: 0 as const })),
    );
    const { import_id } = await task(who, event_id === undefined ? {} : { event_id });
    expect((await send(who, "POST", `/api/imports/${import_id}/cancel/`)).status).toBe(202);
    await settle(collectorOf(who.partnerId, "user-1", SOURCE));
    await deliverEvent(who.partnerId, `evt_${import_id}_cancelled`);
    expect(JSON.parse(outside.to(HOOK).at(-1)?.body ?? "")).toMatchObject({
      type: "import.cancelled",
      data: {
        event_id: event_id ?? null,
        import_id,
        user_id: "user-1",
        source: SOURCE,
        files: { total: 3, imported: 0, skipped: 3, failed: 0 },
      },
    });
  }
});

test(`many outcomes at once become events of at most ${OUTCOMES_IN_EVENT}, without a gap in the sequence`, async () => {
  playWorld();
  const who = await newPartner();
  await endpointOf(who);
  const names = upTo(250).map((number) => `ride-${number}`);
  await seedImported(who, names);
  await reportOutcomes(env, ownerOf(who.partnerId), Date.now());
  const events = await storedEvents(who);
  expect(events).toHaveLength(3);
  const outcomes = await storedOutcomes(who);
  expect(sequences(outcomes)).toEqual(upTo(250));
  expect(new Set(outcomes.map(({ file_id }) => file_id)).size).toBe(250);
});

test("a flood is reported in bounded rounds, and none of it is lost", async () => {
  playWorld();
  const who = await newPartner();
  await endpointOf(who);
  const count = 3_000;
  await seedImported(
    who,
    upTo(count).map((number) => `ride-${number}`),
  );
  const first = await reportOutcomes(env, ownerOf(who.partnerId), Date.now());
  expect(first.moreWaits).toBe(true);
  expect(first.events).toBeLessThan(20);
  await objectOf(who).gather(ownerOf(who.partnerId));
  expect(await report(who)).toBeGreaterThan(1);
  expect(sequences(await storedOutcomes(who))).toEqual(upTo(count));
});

/** Writes rows of imported live rides, 25 to a batch. */
async function seedImported(who: TestPartner, names: readonly string[]) {
  const { partnerId } = who;
  const db = databaseOf(who);
  for (let start = 0; start < names.length; start += 25) {
    const batch = `b${start}`;
    const ids = names.slice(start, start + 25).map((summaryId) => ({
      summaryId,
      id: fileId({ partnerId, userId: "user-1", source: SOURCE, summaryId }),
    }));
    const first = ids.map(({ id }) => id).sort()[0] ?? "";
    const now = Date.now() - 1;
    await db.batch([
      db
        .prepare(
          `INSERT INTO files (partner_id, file_id, user_id, source, summary_id, priority, overwrite_mode,
             start_time_in_seconds, status, version, revision, stored_version, activity_count, received_at, updated_at,
             updated_batch, outcome_batch, outcome_live)
           SELECT ?1, j.value->>'id', 'user-1', ?2, j.value->>'summaryId', 1, 0, '1', 'imported', 1, 1, 1, 1, ?4, ?4, ?3, ?3, 1
           FROM json_each(?5) j`,
        )
        .bind(partnerId, SOURCE, batch, now, JSON.stringify(ids)),
      db
        .prepare(
          `INSERT INTO file_batches (partner_id, user_route, updated_at, first_file_id, batch_id, file_ids, outcomes)
           VALUES (?1, substr(?2, 1, 8), ?3, ?2, ?4, ?5, 2)`,
        )
        .bind(partnerId, first, now, batch, JSON.stringify(ids.map(({ id }) => id.slice(20)))),
    ]);
  }
  await nextMillisecond();
}

test("an endpoint that joins later begins with the outcomes of that time, also after a pause", async () => {
  playWorld();
  const who = await newPartner();
  const early = await endpointOf(who);
  await importFiles(who, ["ride-1"]);
  await change(who, early.endpoint_id, { event_types: ["bulk_fit_import.completed"] });
  const late = await endpointOf(who, { url: HOOK_2 });
  await importFiles(who, ["ride-2"]);
  await change(who, early.endpoint_id, { event_types: OUTCOMES });
  const [third] = await importFiles(who, ["ride-3"]);
  await report(who);
  expect(await storedOutcomes(who, early.endpoint_id)).toMatchObject([{ sequence: 1, file_id: third }]);
  expect(sequences(await storedOutcomes(who, late.endpoint_id))).toEqual([1, 2]);
});

test("an endpoint that is not verified, has a new URL or was deleted receives no outcomes", async () => {
  playWorld();
  const who = await newPartner();
  const created = await send(who, "POST", "/api/endpoints/", { body: { url: HOOK, event_types: OUTCOMES } });
  expect(created.status).toBe(201);
  const moved = await endpointOf(who, { url: HOOK_2 });
  await change(who, moved.endpoint_id, { url: "https://hooks.example.com/third" });
  const deleted = await endpointOf(who);
  expect((await send(who, "DELETE", `/api/endpoints/${deleted.endpoint_id}/`)).status).toBe(200);
  await importFiles(who, ["ride-1"]);
  expect(await report(who)).toBe(0);
  expect(await storedEvents(who)).toEqual([]);
});

test("outcomes for an endpoint on hold wait, and its end sends them under the same ids", async () => {
  const outside = playWorld();
  const who = await newPartner();
  const { endpoint_id } = await endpointOf(who);
  await change(who, endpoint_id, { on_hold: true });
  await importFiles(who, ["ride-1"]);
  await report(who);
  await deliverAll(who);
  expect(received(outside.sent)).toEqual([]);
  const [held] = await storedEvents(who);
  expect(held).toMatchObject({ status: "held" });
  await change(who, endpoint_id, { on_hold: false });
  await deliverAll(who);
  expect(received(outside.sent)).toHaveLength(1);
  expect(outside.to(HOOK).at(-1)?.headers.get("webhook-id")).toBe(held?.delivery_id);
});

/** Returns the database, which fails at the statement that contains a text, or before or after a transaction. */
function failing(real: D1Database, at: string): D1Database {
  return new Proxy(real, {
    get(target, key) {
      if (key === "batch") {
        return async (statements: D1PreparedStatement[]) => {
          if (at === "before") throw new Error("D1_ERROR: Network connection lost.");
          const results = await target.batch(statements);
          if (at === "after") throw new Error("D1_ERROR: Network connection lost.");
          return results;
        };
      }
      if (key === "prepare") {
        return (sql: string) => {
          if (sql.includes(at)) throw new Error("D1_ERROR: Network connection lost.");
          return target.prepare(sql);
        };
      }
      const member: unknown = Reflect.get(target, key, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

test.each([
  ["when endpoints are read", "outcomes_sequence\n       FROM endpoints", false],
  ["when batches are read", "INDEXED BY file_batches_by_update", false],
  ["when files are read", "LEFT JOIN files", false],
  ["before events are stored", "before", false],
  ["after events are stored", "after", true],
])("a fault of the database %s loses and repeats no outcome", async (_when, at, isStored) => {
  playWorld();
  const who = await newPartner();
  await endpointOf(who);
  await importFiles(who, ["ride-1", "ride-2", "gone-1"]);
  const owner = ownerOf(who.partnerId);
  const world = { ...env, [owner.database]: failing(databaseOf(who), at) };
  await expect(reportOutcomes(world, owner, Date.now())).rejects.toThrow("D1_ERROR");
  expect(await storedEvents(who)).toHaveLength(isStored ? 1 : 0);
  await importFiles(who, ["ride-3"]);
  await reportOutcomes(env, owner, Date.now());
  const outcomes = await storedOutcomes(who);
  expect(sequences(outcomes)).toEqual([1, 2, 3, 4]);
  expect(new Set(outcomes.map(({ file_id }) => file_id)).size).toBe(4);
});

test("an event whose queue message is lost is due, so the clock sends it", async () => {
  playWorld();
  const who = await newPartner();
  await endpointOf(who);
  await importFiles(who, ["ride-1"]);
  const down = {
    ...env,
    DELIVERIES: { ...env.DELIVERIES, sendBatch: async () => Promise.reject(new Error("down")) },
  };
  await expect(reportOutcomes(down, ownerOf(who.partnerId), Date.now())).rejects.toThrow("down");
  const sent = vi.spyOn(env.DELIVERIES, "sendBatch");
  await sweepDeliveries(env, Date.now() + 60_000);
  const [event] = await storedEvents(who);
  const ids = sent.mock.calls.flatMap(([messages]) => [...messages].map(({ body }) => body.delivery_id));
  expect(ids).toContain(event?.delivery_id);
});

test("two reports at once store each outcome once", async () => {
  playWorld();
  const who = await newPartner();
  await endpointOf(who);
  await importFiles(who, ["ride-1", "ride-2"]);
  const owner = ownerOf(who.partnerId);
  await Promise.all(upTo(4).map(async () => reportOutcomes(env, owner, Date.now())));
  expect(sequences(await storedOutcomes(who))).toEqual([1, 2]);
});

test("an evicted object still reports what it gathered", async () => {
  playWorld();
  const who = await newPartner();
  await endpointOf(who);
  await importFiles(who, ["ride-1"]);
  await evictDurableObject(objectOf(who));
  expect(await report(who)).toBe(1);
  expect(await storedOutcomes(who)).toHaveLength(1);
});

test("the clock reports outcomes whose announcement was lost", async () => {
  playWorld();
  const who = await newPartner();
  await endpointOf(who);
  const down = vi.spyOn(env.OUTCOMES, "getByName").mockImplementation(() => {
    throw new Error("Durable Object reset because its code was updated.");
  });
  const [file] = await importFiles(who, ["ride-1"]);
  down.mockRestore();
  expect(await report(who)).toBe(0);
  const later = Date.now() + 60_000;
  expect(await sweepOutcomes(env, later)).toBeGreaterThan(0);
  expect(await report(who)).toBe(1);
  expect(await storedOutcomes(who)).toMatchObject([{ file_id: file, sequence: 1 }]);
  expect(await partnersBehind(databaseOf(who), later, 1_000)).not.toContain(who.partnerId);
});

test("a partner without outcome endpoints calls no object and reads no row more", async () => {
  playWorld();
  const who = await newPartner({ event_url: RECEIVER });
  const called = vi.spyOn(env.OUTCOMES, "getByName");
  const db = databaseOf(who);
  const batch = vi.spyOn(db, "batch");
  await importFiles(who, ["ride-1", "gone-1"]);
  expect(called).not.toHaveBeenCalled();
  const results = await Promise.all(
    batch.mock.results.map(async ({ value }) => z.array(z.any()).parse(await value)),
  );
  const asked = results.flat().filter((result) => "history" in (result.results[0] ?? {}));
  expect(asked.length).toBeGreaterThan(0);
  for (const { meta, results } of asked) {
    expect(results).toEqual([{ history: null }]);
    expect(meta.rows_read).toBeLessThanOrEqual(1);
    expect(meta.rows_written).toBe(0);
  }
  called.mockRestore();
  const stored = await runInDurableObject(objectOf(who), async (_instance, { storage }) => storage.list());
  expect([...stored.keys()]).toEqual([]);
  expect(await storedEvents(who)).toEqual([]);
});

test("after an erasure, stored events have no names, and events that are sent again have null", async () => {
  const outside = playWorld();
  const who = await newPartner();
  await endpointOf(who);
  await importFiles(who, ["ride-private"]);
  await report(who);
  const [event] = await storedEvents(who);
  expect(event?.body).not.toContain("ride-private");
  expect(event?.body).not.toContain("user-1");
  expect((await send(who, "DELETE", "/api/users/user-1/")).status).toBeLessThan(300);
  await deliverAll(who);
  expect(received(outside.sent)[0]?.data.outcomes).toMatchObject([
    { sequence: 1, user_id: null, source: null, summary_id: null },
  ]);
});

test("an erasure is reported with the numbers of what it deleted, and the receipt expires after 30 days", async () => {
  const outside = playWorld();
  const who = await newPartner();
  await endpointOf(who, { event_types: ["user.erased"] });
  await importFiles(who, ["old-1", "gone-old"], 0);
  await importFiles(who, ["ride-1"]);
  expect((await send(who, "DELETE", "/api/users/user-1/")).status).toBeLessThan(300);
  const receipts = async () => {
    const found = await databaseOf(who)
      .prepare(
        "SELECT delivery_id, user_id, body FROM deliveries WHERE partner_id = ? AND type = 'user.erased'",
      )
      .bind(who.partnerId)
      .all<{ delivery_id: string; user_id: string | null; body: string }>();
    return found.results;
  };
  const [receipt, ...more] = await receipts();
  expect(more).toEqual([]);
  expect(receipt?.user_id).toBeNull();
  await deliverEvent(who.partnerId, receipt?.delivery_id ?? "");
  expect(JSON.parse(outside.to(HOOK).at(-1)?.body ?? "")).toEqual({
    type: "user.erased",
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    data: { user_id: "user-1", files: 3, activities: 2, imports: 1 },
  });
  await sweepExpiredEvents(env, Date.now() + 30 * DAY_MS - 60_000);
  expect(await receipts()).toHaveLength(1);
  await sweepExpiredEvents(env, Date.now() + 30 * DAY_MS + 60_000);
  expect(await receipts()).toEqual([]);
});
