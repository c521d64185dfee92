import { env } from "cloudflare:workers";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { insertEvent } from "../../src/deliveries/write.ts";
import { countAttempt } from "../../src/endpoints/attempts/write.ts";
import { sweepRecoveries } from "../../src/endpoints/recovery/recover.ts";
import { randomId } from "../../src/identifiers.ts";
import { RECEIVER, read } from "../flows/partnerActs.ts";
import { guardsItself } from "../http/strangers.ts";
import { databaseOf, ownerOf } from "../support/databases.ts";
import { problemOf, send } from "../support/http.ts";
import { playOutside, type Answer } from "../support/outside.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { deliverAll, obedient, recordDeliveries } from "../support/queuedEvents.ts";

const URL_2 = "https://hooks.example.com/second";
const DAY_MS = 24 * 60 * 60_000;

const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);

const createdSchema = z.looseObject({
  endpoint_id: z.string(),
  webhook_secret: z.string(),
  challenge_event_id: z.string(),
  state: z.string(),
});
const endpointsSchema = z.object({ data: z.array(z.looseObject({ endpoint_id: z.string() })) });
const eventsSchema = z.object({
  data: z.array(z.looseObject({ id: z.string(), endpoint_id: z.string().nullable(), status: z.string() })),
});

let queued: string[] = [];
beforeEach(() => {
  queued = recordDeliveries();
});
afterEach(() => vi.restoreAllMocks());

const deliverQueued = async (who: TestPartner, atMs = Date.now()) => deliverAll(queued, who, atMs);

async function create(who: TestPartner, fields: Record<string, unknown> = {}) {
  const response = await send(who, "POST", "/api/endpoints/", { body: { url: URL_2, ...fields } });
  expect(response.status).toBe(201);
  return createdSchema.parse(await response.json());
}

/** Creates an endpoint with a receiver that returns the challenge. */
async function createVerified(who: TestPartner, fields: Record<string, unknown> = {}) {
  const created = await create(who, fields);
  await deliverQueued(who);
  expect(await read(who, `/api/endpoints/${created.endpoint_id}/`)).toMatchObject({ state: "active" });
  return created;
}

/** Stores an event of a completed import for every endpoint that wants it, and queues it. */
async function announce(who: TestPartner, name: string = randomId()): Promise<string[]> {
  const database = databaseOf(who.partnerId);
  await insertEvent(database, {
    partner_id: who.partnerId,
    delivery_id: `evt_${name}`,
    type: "bulk_fit_import.completed",
    user_id: "u",
    import_id: null,
    body: JSON.stringify({
      type: "bulk_fit_import.completed",
      timestamp: "2026-11-25T12:00:00Z",
      data: { name },
    }),
    status: "pending",
    next_attempt_at: Date.now(),
  }).run();
  const all = await eventsOf(who);
  const own = all.filter(({ id }) => id.startsWith(`evt_${name}`)).map(({ id }) => id);
  queued.push(...own);
  return own;
}

const eventsOf = async (who: TestPartner) =>
  eventsSchema.parse(await read(who, "/api/events/?limit=200")).data;
const endpointsOf = async (who: TestPartner) =>
  endpointsSchema.parse(await read(who, "/api/endpoints/")).data;
const patch = async (who: TestPartner, id: string, body: unknown) =>
  send(who, "PATCH", `/api/endpoints/${id}/`, { body });

guardsItself("listing endpoints", {
  method: "GET",
  paths: () => Promise.resolve({ path: "/api/endpoints/", unknown: null }),
});
guardsItself("reading an endpoint", {
  method: "GET",
  paths: (owner) => pathsTo(owner, ""),
});
guardsItself("deleting an endpoint", {
  method: "DELETE",
  paths: (owner) => pathsTo(owner, ""),
});
guardsItself("recovering an endpoint", {
  method: "POST",
  body: { since: "2026-11-01T00:00:00Z" },
  paths: (owner) => pathsTo(owner, "recover/"),
});
guardsItself("rotating the secret of an endpoint", {
  method: "POST",
  body: {},
  paths: (owner) => pathsTo(owner, "rotate_secret/"),
});

async function pathsTo(owner: TestPartner, rest: string) {
  const database = databaseOf(owner.partnerId);
  await database
    .prepare(
      "INSERT INTO endpoints (partner_id, endpoint_id, url, event_types, created_at) VALUES (?, 'ep_own', ?, '[]', 1)",
    )
    .bind(owner.partnerId, URL_2)
    .run();
  return { path: `/api/endpoints/ep_own/${rest}`, unknown: `/api/endpoints/ep_other/${rest}` };
}

describe("A partner without endpoints of its own", () => {
  test("sees its event_url as ep_default, and events go there as before", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    const outside = playOutside({ [RECEIVER]: obedient });
    expect(await endpointsOf(who)).toMatchObject([
      {
        endpoint_id: "ep_default",
        url: RECEIVER,
        event_types: ["bulk_fit_import.completed"],
        include_history: false,
        on_hold: false,
        state: "active",
        days: [],
      },
    ]);
    const [id] = await announce(who, "plain");
    expect(id).toBe("evt_plain");
    await deliverQueued(who);
    expect(outside.to(RECEIVER)).toHaveLength(1);
    expect(await eventsOf(who)).toMatchObject([{ id, endpoint_id: "ep_default", status: "delivered" }]);
  });

  test("sees the attempts of its event_url by day, and none of an endpoint that it has deleted", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    const answers: Record<string, Answer> = { [RECEIVER]: () => new Response("no", { status: 500 }) };
    playOutside(answers);
    await announce(who, "counted");
    await deliverQueued(who);
    answers[RECEIVER] = obedient;
    await deliverQueued(who, Date.now() + DAY_MS);
    const days = [
      { day: dayOf(Date.now()), delivered: 0, failed: 1 },
      { day: dayOf(Date.now() + DAY_MS), delivered: 1, failed: 0 },
    ];
    expect(await endpointsOf(who)).toMatchObject([{ endpoint_id: "ep_default", days }]);
    await send(who, "DELETE", "/api/endpoints/ep_default/");
    const db = databaseOf(who);
    for (const endpoint_id of ["ep_default", "ep_unknown"]) {
      const attempt = {
        ...ownerOf(who),
        endpoint_id,
        url: null,
        isTest: false,
        delivered: true,
        verified: false,
      };
      await db.batch(countAttempt(db, attempt, Date.now()));
    }
    expect(
      await db
        .prepare("SELECT endpoint_id FROM endpoint_days WHERE partner_id = ?")
        .bind(who.partnerId)
        .all(),
    ).toMatchObject({ results: [] });
  });

  test("without an event_url has no endpoint", async () => {
    expect(await endpointsOf(await newPartner())).toEqual([]);
  });
});

describe("A new endpoint", () => {
  test("lets its events wait until its receiver returns the challenge, then receives them, signed with its own secret", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    const answers: Record<string, Answer> = {
      [RECEIVER]: obedient,
      [URL_2]: () => new Response("no", { status: 500 }),
    };
    const outside = playOutside(answers);
    const { endpoint_id, webhook_secret, challenge_event_id, state } = await create(who);
    expect(state).toBe("unverified");
    await deliverQueued(who);
    const early = await announce(who, "early");
    expect(early.sort()).toEqual(["evt_early", `evt_early_${endpoint_id}`]);
    await deliverQueued(who);
    expect(outside.to(URL_2).every(({ body }) => body.includes("test.ping"))).toBe(true);
    expect(await read(who, `/api/events/evt_early_${endpoint_id}/`)).toMatchObject({ status: "held" });
    expect(await read(who, `/api/endpoints/${endpoint_id}/`)).toMatchObject({ state: "unverified" });

    answers[URL_2] = obedient;
    queued.splice(0, queued.length, challenge_event_id);
    await deliverQueued(who, Date.now() + DAY_MS);
    expect(await read(who, `/api/endpoints/${endpoint_id}/`)).toMatchObject({
      state: "active",
      reason: null,
    });
    await sweepRecoveries(env, Date.now());
    expect(queued).toEqual([`evt_early_${endpoint_id}`]);
    await deliverQueued(who);
    expect(await read(who, `/api/events/evt_early_${endpoint_id}/`)).toMatchObject({ status: "delivered" });

    const ids = await announce(who, "both");
    expect(ids.sort()).toEqual(["evt_both", `evt_both_${endpoint_id}`]);
    await deliverQueued(who);
    const last = outside.to(URL_2).at(-1);
    expect(
      new Webhook(webhook_secret).verify(last?.body ?? "", Object.fromEntries(last?.headers ?? [])),
    ).toBeTruthy();
    expect(outside.to(RECEIVER).at(-1)?.body).toBe(last?.body);
    expect((await endpointsOf(who)).map(({ endpoint_id: id, days }) => [id, days])).toEqual([
      ["ep_default", [{ day: dayOf(Date.now()), delivered: 2, failed: 0 }]],
      [endpoint_id, [{ day: dayOf(Date.now()), delivered: 2, failed: 0 }]],
    ]);
  });

  test("is not verified by a receiver that accepts every request without the challenge", async () => {
    const who = await newPartner();
    playOutside({ [URL_2]: () => new Response("ok") });
    const { endpoint_id } = await create(who);
    await deliverQueued(who);
    expect(await read(who, `/api/endpoints/${endpoint_id}/`)).toMatchObject({ state: "unverified" });
  });

  test("must have an allowed address and known event types", async () => {
    const who = await newPartner();
    for (const body of [
      { url: "https://10.0.0.1/" },
      { url: "ftp://hooks.example.com/" },
      { url: "https://api.example.com/events" },
      { url: URL_2, event_types: ["ride.started"] },
      { event_types: [] },
    ]) {
      await problemOf(await send(who, "POST", "/api/endpoints/", { body }), 400, "validation_failed");
    }
    expect(await endpointsOf(who)).toEqual([]);
    expect(queued).toEqual([]);
  });

  test("rejects an unknown field, such as a misspelt setting, and changes nothing", async () => {
    const who = await newPartner();
    playOutside({ [URL_2]: obedient });
    const { endpoint_id } = await createVerified(who);
    const path = `/api/endpoints/${endpoint_id}/`;
    const before = await read(who, path);
    for (const [method, to, body] of [
      ["POST", "/api/endpoints/", { url: URL_2, event_type: ["file.imported"] }],
      ["PATCH", path, { on_hold: true, event_type: [] }],
      ["POST", `${path}rotate_secret/`, { overlap_in_hour: 0 }],
      ["POST", `${path}recover/`, { since: "2026-11-01T00:00:00Z", until: "2026-11-02T00:00:00Z" }],
    ] as const) {
      const { errors } = await problemOf(await send(who, method, to, { body }), 400, "validation_failed");
      expect(errors?.map(({ code }) => code)).toEqual(["unknown_parameter"]);
    }
    expect(await read(who, path)).toEqual(before);
    expect(await endpointsOf(who)).toHaveLength(1);
  });

  test("is rejected when the partner has five, also if requests are simultaneous", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    const answers = await Promise.all(
      Array.from({ length: 8 }, async () => send(who, "POST", "/api/endpoints/", { body: { url: URL_2 } })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(4);
    await problemOf(
      await send(who, "POST", "/api/endpoints/", { body: { url: URL_2 } }),
      409,
      "too_many_endpoints",
    );
    const all = await endpointsOf(who);
    expect(all).toHaveLength(5);
    await send(who, "DELETE", `/api/endpoints/${all[1]?.endpoint_id}/`);
    await create(who);
  });
});

describe("An endpoint with a new url", () => {
  test("receives the events that were created before its new receiver returned the challenge", async () => {
    const who = await newPartner();
    const NEW_URL = "https://hooks.example.com/moved";
    const isTest = ({ body }: { body: string }) => body.includes("test.ping");
    let isReady = false;
    const outside = playOutside({
      [URL_2]: obedient,
      [NEW_URL]: (request) => (isReady ? obedient(request) : new Response("not ready")),
    });
    const { endpoint_id } = await createVerified(who);
    expect((await patch(who, endpoint_id, { url: NEW_URL })).status).toBe(200);
    const [id = ""] = await announce(who);
    await deliverQueued(who);
    expect(outside.to(NEW_URL).map(isTest)).toEqual([true]);
    expect((await eventsOf(who)).filter((event) => event.id === id)).toMatchObject([
      { endpoint_id, status: "held" },
    ]);

    isReady = true;
    await send(who, "POST", `/api/events/test/?endpoint_id=${endpoint_id}&challenge=now`);
    await deliverQueued(who);
    await sweepRecoveries(env, Date.now());
    expect(queued).toEqual([id]);
    await deliverQueued(who);
    expect(outside.to(NEW_URL).filter((request) => !isTest(request))).toHaveLength(1);
  });
});

describe("An endpoint on hold", () => {
  test("lets its events wait, and receives them when the hold ends", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    const outside = playOutside({ [RECEIVER]: obedient });
    expect((await patch(who, "ep_default", { on_hold: true })).status).toBe(200);
    const ids = [...(await announce(who, "a")), ...(await announce(who, "b"))];
    await deliverQueued(who);
    expect(outside.sent).toEqual([]);
    expect((await eventsOf(who)).map(({ status }) => status)).toEqual(["held", "held"]);
    const since = { since: new Date(Date.now() - DAY_MS).toISOString() };
    await problemOf(
      await send(who, "POST", "/api/endpoints/ep_default/recover/", { body: since }),
      409,
      "endpoint_on_hold",
    );

    expect((await patch(who, "ep_default", { on_hold: false })).status).toBe(200);
    expect(queued.sort()).toEqual(ids.sort());
    await deliverQueued(who);
    expect(outside.to(RECEIVER)).toHaveLength(2);
    expect((await eventsOf(who)).map(({ status }) => status)).toEqual(["delivered", "delivered"]);
  });

  test("lets events fail after seven days. They can be recovered", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    playOutside({ [RECEIVER]: obedient });
    await patch(who, "ep_default", { on_hold: true });
    const [id] = await announce(who);
    await deliverQueued(who);
    await sweepRecoveries(env, Date.now() + 7 * DAY_MS - 60_000);
    expect(await eventsOf(who)).toMatchObject([{ id, status: "held" }]);
    await sweepRecoveries(env, Date.now() + 7 * DAY_MS + 60_000);
    expect(await eventsOf(who)).toMatchObject([{ id, status: "failed" }]);
  });
});

describe("A failing endpoint", () => {
  test("is disabled after five days without a success; recovering sends what failed and enables it", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    const answers: Record<string, Answer> = { [RECEIVER]: () => new Response("broken", { status: 410 }) };
    const outside = playOutside(answers);
    await patch(who, "ep_default", { include_history: false });
    const path = "/api/endpoints/ep_default/";
    const firstMs = Date.now();
    await announce(who, "first");
    await deliverQueued(who, firstMs);
    expect(await read(who, path)).toMatchObject({
      state: "failing",
      failing_since: new Date(firstMs).toISOString(),
    });
    await announce(who, "second");
    await deliverQueued(who, firstMs + 5 * DAY_MS - 1);
    expect(await read(who, path)).toMatchObject({ state: "failing" });
    await announce(who, "third");
    await deliverQueued(who, firstMs + 5 * DAY_MS);
    expect(await read(who, path)).toMatchObject({ state: "disabled" });
    await announce(who, "fourth");
    await deliverQueued(who, firstMs + 5 * DAY_MS + 1);
    expect(outside.to(RECEIVER)).toHaveLength(3);
    expect(await read(who, "/api/events/evt_fourth/")).toMatchObject({
      status: "failed",
      attempts: [{ answer: "The endpoint is disabled. Recover it to send the event." }],
    });

    answers[RECEIVER] = obedient;
    const since = new Date(firstMs - 60_000).toISOString();
    expect((await send(who, "POST", `${path}recover/`, { body: { since } })).status).toBe(202);
    expect(queued).toEqual(["evt_first", "evt_second", "evt_third", "evt_fourth"]);
    await deliverQueued(who);
    expect((await eventsOf(who)).map(({ status }) => status)).toEqual(Array(4).fill("delivered"));
    expect(await read(who, path)).toMatchObject({ state: "active", failing_since: null, disabled_at: null });
  });

  test("is no longer failing after one success", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    const answers: Record<string, Answer> = { [RECEIVER]: () => new Response("broken", { status: 500 }) };
    playOutside(answers);
    await patch(who, "ep_default", { include_history: false });
    await announce(who);
    await deliverQueued(who);
    expect(await endpointsOf(who)).toMatchObject([{ state: "failing" }]);
    answers[RECEIVER] = obedient;
    await announce(who);
    await deliverQueued(who);
    expect(await endpointsOf(who)).toMatchObject([{ state: "active", days: [{ delivered: 1 }] }]);
  });

  test("with many failed events is recovered page by page, each event once", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    playOutside({ [RECEIVER]: obedient });
    await patch(who, "ep_default", { include_history: false });
    const database = databaseOf(who.partnerId);
    const insert = database.prepare(
      `INSERT INTO deliveries (partner_id, delivery_id, kind, type, body, status, created_at, updated_at)
       VALUES (?, ?, 'event', 'bulk_fit_import.completed', '{}', ?, ?, ?)`,
    );
    const rows = Array.from({ length: 1_300 }, (_, n) =>
      insert.bind(
        who.partnerId,
        `evt_${String(n).padStart(4, "0")}`,
        n % 2 === 0 ? "failed" : "delivered",
        1_000 + n,
        1,
      ),
    );
    await database.batch(rows);
    const since = { since: new Date(0).toISOString() };
    await send(who, "POST", "/api/endpoints/ep_default/recover/", { body: since });
    expect(queued).toHaveLength(500);
    await sweepRecoveries(env, Date.now());
    expect(new Set(queued).size).toBe(650);
    expect(queued).toHaveLength(650);
    await sweepRecoveries(env, Date.now());
    expect(queued).toHaveLength(650);
  });
});

describe("An event that had no endpoint", () => {
  /** Stores an event, lets its delivery fail, and creates two endpoints. */
  async function unreceived() {
    const who = await newPartner();
    const outside = playOutside({ [URL_2]: obedient, [RECEIVER]: obedient });
    const [id = ""] = await announce(who, "unreceived");
    await deliverQueued(who);
    const path = `/api/events/${id}/`;
    expect(await read(who, path)).toMatchObject({ status: "failed", endpoint_id: null });
    await problemOf(await send(who, "POST", `${path}resend/`), 409, "no_event_url");
    const first = await createVerified(who);
    const second = await createVerified(who, { url: RECEIVER });
    await createVerified(who, { event_types: ["user.erased"] });
    const events = (url: string) => outside.to(url).filter(({ body }) => !body.includes("test.ping"));
    return { who, id, path, first, second, events };
  }

  test("is sent to each endpoint that wants it now when it is resent, and is theirs from then on", async () => {
    const { who, id, path, first, second, events } = await unreceived();
    expect((await send(who, "POST", `${path}resend/`)).status).toBe(202);
    expect(queued.sort()).toEqual([id, `${id}_${second.endpoint_id}`]);
    await deliverQueued(who);
    expect(await read(who, path)).toMatchObject({ status: "delivered", endpoint_id: first.endpoint_id });
    expect(await read(who, `/api/events/${id}_${second.endpoint_id}/`)).toMatchObject({
      status: "delivered",
      endpoint_id: second.endpoint_id,
    });
    expect((await send(who, "POST", `${path}resend/`)).status).toBe(202);
    await deliverQueued(who);
    expect([events(URL_2).length, events(RECEIVER).length]).toEqual([2, 1]);
  });

  test("is sent once by recovering endpoints that want it", async () => {
    const { who, id, path, first, second, events } = await unreceived();
    const since = { since: new Date(Date.now() - DAY_MS).toISOString() };
    for (const { endpoint_id } of [second, first, second]) {
      const response = await send(who, "POST", `/api/endpoints/${endpoint_id}/recover/`, { body: since });
      expect(response.status).toBe(202);
    }
    expect(queued).toEqual([id]);
    await deliverQueued(who);
    expect(await read(who, path)).toMatchObject({ status: "delivered", endpoint_id: second.endpoint_id });
    expect([events(URL_2).length, events(RECEIVER).length]).toEqual([0, 1]);
  });

  test("is not sent by recovering an endpoint that does not want its type", async () => {
    const { who, path } = await unreceived();
    const other = await createVerified(who, { event_types: ["import.cancelled"] });
    const since = { since: new Date(Date.now() - DAY_MS).toISOString() };
    await send(who, "POST", `/api/endpoints/${other.endpoint_id}/recover/`, { body: since });
    expect(queued).toEqual([]);
    expect(await read(who, path)).toMatchObject({ status: "failed", endpoint_id: null });
  });
});

describe("A deleted endpoint", () => {
  test("receives nothing more. Without any endpoint, events can still be read", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    const outside = playOutside({ [RECEIVER]: obedient });
    const [before] = await announce(who, "before");
    expect((await send(who, "DELETE", "/api/endpoints/ep_default/")).status).toBe(200);
    expect(await endpointsOf(who)).toEqual([]);
    const [after] = await announce(who, "after");
    await deliverQueued(who);
    expect(outside.sent).toEqual([]);
    expect(await read(who, `/api/events/${before}/`)).toMatchObject({
      status: "failed",
      attempts: [{ answer: "The endpoint was deleted." }],
    });
    expect(await read(who, `/api/events/${after}/`)).toMatchObject({
      status: "failed",
      endpoint_id: null,
      data: { name: "after" },
    });
    await problemOf(await send(who, "DELETE", "/api/endpoints/ep_default/"), 404, "not_found");
    await problemOf(await send(who, "POST", `/api/events/${after}/resend/`), 409, "no_event_url");
  });
});

describe("The secret of an endpoint", () => {
  test("can be rotated. Until the overlap ends, events have one signature for each secret", async () => {
    const who = await newPartner();
    const outside = playOutside({ [URL_2]: obedient });
    const { endpoint_id, webhook_secret: first } = await createVerified(who);
    const rotated = await send(who, "POST", `/api/endpoints/${endpoint_id}/rotate_secret/`, {
      body: { overlap_in_hours: 1 },
    });
    expect(rotated.status).toBe(201);
    const { webhook_secret: second } = z
      .looseObject({ webhook_secret: z.string() })
      .parse(await rotated.json());
    await announce(who);
    await deliverQueued(who);
    const last = outside.to(URL_2).at(-1);
    for (const secret of [first, second]) {
      expect(
        new Webhook(secret).verify(last?.body ?? "", Object.fromEntries(last?.headers ?? [])),
      ).toBeTruthy();
    }
  });

  test("is rotated once by two simultaneous requests. The other one gets a 409", async () => {
    const who = await newPartner();
    playOutside({ [URL_2]: obedient });
    const { endpoint_id } = await createVerified(who);
    const path = `/api/endpoints/${endpoint_id}/rotate_secret/`;
    const answers = await Promise.all([1, 2].map(async () => send(who, "POST", path, { body: {} })));
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([201, 409]);
    const view = z
      .looseObject({ webhook_secrets: z.array(z.unknown()) })
      .parse(await read(who, `/api/endpoints/${endpoint_id}/`));
    expect(view.webhook_secrets).toHaveLength(2);
  });

  test("of ep_default follows the partner's settings until it is rotated here", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    const outside = playOutside({ [RECEIVER]: obedient });
    const own = who.partner.webhook_secrets[0]?.secret ?? "";
    await send(who, "POST", "/api/endpoints/ep_default/rotate_secret/", { body: {} });
    await announce(who);
    await deliverQueued(who);
    const last = outside.to(RECEIVER).at(-1);
    expect(last?.headers.get("webhook-signature")?.split(" ")).toHaveLength(2);
    expect(new Webhook(own).verify(last?.body ?? "", Object.fromEntries(last?.headers ?? []))).toBeTruthy();
  });
});
