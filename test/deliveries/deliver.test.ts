import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { consumeDeadDeliveries, consumeDeliveries } from "../../src/deliveries/consume.ts";
import { deliverDue } from "../../src/deliveries/deliver.ts";
import type { DeliveryMessage } from "../../src/deliveries/message.ts";
import type { CompletedImport } from "../../src/deliveries/bodies.pure.ts";
import { readEvent } from "../../src/deliveries/read.ts";
import { resendEvent } from "../../src/deliveries/sendEvent.ts";
import { sweepDeliveries } from "../../src/deliveries/sweep.ts";
import { claimDelivery, insertDelivery, type NewDelivery } from "../../src/deliveries/write.ts";
import type { Env } from "../../src/env.ts";
import { randomId } from "../../src/identifiers.ts";
import { countsOf } from "../../src/imports/counts.pure.ts";
import { newWebhookSecret, partnerKey, type Partner } from "../../src/partners/partner.ts";
import { storedPlanRequest } from "../../src/planner/storedRequest.pure.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { databaseOf, ownerOf } from "../support/databases.ts";
import { seedImport, seedUser } from "../support/rows.ts";

const startMs = Date.parse("2026-11-25T12:00:00Z");
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const receiver = "https://hooks.example.com/in?tenant=7";
const planner = "https://planner.example.com/plans";
const plannerSecret = newWebhookSecret();

const logged = vi.fn<(line: unknown) => void>();
let nowMs = startMs;
let sent: { message: DeliveryMessage; delaySeconds: number }[] = [];

const sendResult = { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };

/** The real bindings, with a queue that records its messages, so that tests decide when they are delivered. */
const world: Env = {
  ...env,
  DELIVERIES: {
    metrics: async () => sendResult.metadata.metrics,
    send: async (message, options) => {
      sent.push({ message, delaySeconds: options?.delaySeconds ?? 0 });
      return sendResult;
    },
    sendBatch: async (messages) => {
      for (const { body } of messages) sent.push({ message: body, delaySeconds: 0 });
      return sendResult;
    },
  },
};

interface Received {
  url: string;
  request: Request;
  body: string;
  headers: Record<string, string>;
}

/** Replaces every host on the network with `respond`. Returns the requests received. */
function mockReceivers(respond: (received: Received) => Response | Promise<Response>): Received[] {
  const all: Received[] = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    const body = await request.text();
    const received = { url: request.url, request, body, headers: Object.fromEntries(request.headers) };
    all.push(received);
    return respond(received);
  });
  return all;
}

/** Returns whether a Standard Webhooks library verifies the request. The library checks the timestamp against its clock. */
function verifies(secret: string, received: Received | undefined): boolean {
  vi.useFakeTimers({ toFake: ["Date"], now: nowMs });
  try {
    new Webhook(secret).verify(received?.body ?? "", received?.headers ?? {});
    return true;
  } catch {
    return false;
  } finally {
    vi.useRealTimers();
  }
}

const neverResponds = ({ request }: Received) =>
  new Promise<Response>((_, reject) => {
    request.signal.addEventListener("abort", () => reject(new Error("aborted")));
  });

beforeEach(() => {
  nowMs = startMs;
  sent = [];
  logged.mockReset();
  vi.spyOn(console, "log").mockImplementation(logged);
});
afterEach(() => vi.restoreAllMocks());

const deliver = (message: DeliveryMessage, environment: Env = world) =>
  deliverDue(environment, message, { now: () => nowMs, random: () => 0, deadlineMs: 20 });

async function store(row: Partial<NewDelivery> & { partner_id: string }): Promise<DeliveryMessage> {
  const delivery: NewDelivery = {
    delivery_id: `evt_${randomId()}`,
    kind: "event",
    type: "bulk_fit_import.completed",
    user_id: "u",
    import_id: null,
    body: JSON.stringify({
      type: "bulk_fit_import.completed",
      timestamp: "2026-11-25T12:00:00Z",
      data: { n: 1 },
    }),
    status: "pending",
    then_deliver: null,
    endpoint_id: "ep_default",
    next_attempt_at: startMs,
    ...row,
  };
  const database = databaseOf(delivery);
  await database.batch([insertDelivery(database, delivery)]);
  return { ...ownerOf(delivery), delivery_id: delivery.delivery_id };
}

async function partnerWith(settings: Partial<Partner> = {}): Promise<TestPartner> {
  return newPartner({ event_url: receiver, ...settings });
}

interface Row {
  status: string;
  attempts: string;
  attempt_count: number;
  next_attempt_at: number | null;
  claimed_until: number | null;
}

async function rowOf(message: DeliveryMessage): Promise<Row> {
  const row = await databaseOf(message)
    .prepare("SELECT * FROM deliveries WHERE partner_id = ? AND delivery_id = ?")
    .bind(message.partner_id, message.delivery_id)
    .first<Row>();
  if (row === null) throw new Error("no such delivery");
  return row;
}

const secretOf = ({ partner }: TestPartner) => partner.webhook_secrets[0]?.secret ?? "";

describe("An event", () => {
  test("is sent as JSON, signed with the partner's secret, and delivered by any 2xx", async () => {
    for (const status of [200, 202, 204]) {
      const recipient = await partnerWith();
      const message = await store({ partner_id: recipient.partnerId });
      const received = mockReceivers(() => new Response(status === 204 ? null : "thanks", { status }));
      await deliver(message);
      const [one] = received;
      expect(received).toHaveLength(1);
      expect(one?.url).toBe(receiver);
      expect(one?.request.method).toBe("POST");
      expect(one?.request.redirect).toBe("manual");
      expect(one?.headers).toMatchObject({
        "content-type": "application/json",
        "user-agent": "endurance-partner-api/1.0.0 (+http://api.example.com/docs/)",
        "webhook-id": message.delivery_id,
      });
      expect(verifies(secretOf(recipient), one)).toBe(true);
      expect(verifies(newWebhookSecret(), one)).toBe(false);
      expect(await rowOf(message)).toMatchObject({
        status: "delivered",
        attempt_count: 1,
        next_attempt_at: null,
        claimed_until: null,
      });
      expect(sent).toEqual([]);
    }
  });

  test.each([
    ["a 500", () => new Response("broken", { status: 500 }), { status: 500, answer: "broken" }],
    ["a 404", () => new Response("no", { status: 404 }), { status: 404, answer: "no" }],
    [
      "a redirect, which is not followed,",
      () => new Response(null, { status: 302, headers: { location: "https://elsewhere.example.com/" } }),
      { status: 302, answer: "" },
    ],
    [
      "no response in time",
      neverResponds,
      { status: null, answer: "The receiver did not respond within 0.02 s." },
    ],
    [
      "no connection",
      () => Promise.reject(new TypeError("refused")),
      { status: null, answer: "The connection to the receiver failed." },
    ],
  ])(
    "that gets %s is sent again 5 s later, and its first attempt is readable",
    async (_, respond, attempt) => {
      const recipient = await partnerWith();
      const message = await store({ partner_id: recipient.partnerId });
      const received = mockReceivers(respond);
      await deliver(message);
      expect(received).toHaveLength(1);
      expect(sent).toEqual([{ message, delaySeconds: 5 }]);
      expect(await rowOf(message)).toMatchObject({
        status: "pending",
        attempt_count: 1,
        next_attempt_at: startMs + 5_000,
        claimed_until: null,
      });
      const event = await readEvent(env, recipient.partner, message.delivery_id);
      expect(event?.attempts).toEqual([{ at: "2026-11-25T12:00:00.000Z", milliseconds: 0, ...attempt }]);
    },
  );

  test("is sent at the promised times with the same id and body and a new signature, and fails after the last attempt", async () => {
    const recipient = await partnerWith();
    const message = await store({ partner_id: recipient.partnerId });
    const received = mockReceivers(() => new Response("down", { status: 503 }));
    const delays: number[] = [];
    for (let attempt = 1; attempt <= 10; attempt += 1) {
      sent = [];
      await deliver(message);
      const last = received.at(-1);
      expect(last?.headers["webhook-timestamp"]).toBe(String(nowMs / 1000));
      expect(verifies(secretOf(recipient), last)).toBe(true);
      const next = sent[0];
      if (next === undefined) break;
      delays.push(next.delaySeconds);
      nowMs += next.delaySeconds * 1000;
    }
    expect(delays).toEqual([5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]);
    expect(received).toHaveLength(10);
    expect(new Set(received.map(({ headers }) => headers["webhook-id"]))).toEqual(
      new Set([message.delivery_id]),
    );
    expect(new Set(received.map(({ body }) => body)).size).toBe(1);
    expect(new Set(received.map(({ headers }) => headers["webhook-signature"])).size).toBe(10);
    expect(await rowOf(message)).toMatchObject({
      status: "failed",
      attempt_count: 10,
      next_attempt_at: null,
    });
    const event = await readEvent(env, recipient.partner, message.delivery_id);
    expect(event?.attempts).toHaveLength(10);
  });

  test("that is resent goes through the whole schedule again, and its attempt count continues", async () => {
    const recipient = await partnerWith();
    const message = await store({ partner_id: recipient.partnerId });
    mockReceivers(() => new Response("gone", { status: 410 }));
    await deliver(message);
    expect(await resendEvent(world, recipient.partner, message.delivery_id, [], nowMs)).toBe(true);
    const received = mockReceivers(() => new Response("down", { status: 503 }));
    const delays: number[] = [];
    for (let next: (typeof sent)[number] | undefined = sent[0]; next !== undefined; next = sent[0]) {
      sent = [];
      nowMs += next.delaySeconds * 1000;
      await deliver(message);
      delays.push(...sent.map(({ delaySeconds }) => delaySeconds));
    }
    expect(delays).toEqual([5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]);
    expect(received).toHaveLength(10);
    expect(await rowOf(message)).toMatchObject({ status: "failed", attempt_count: 11 });
  });

  test("fails after a 410", async () => {
    const recipient = await partnerWith();
    const message = await store({ partner_id: recipient.partnerId });
    mockReceivers(() => new Response("gone", { status: 410 }));
    await deliver(message);
    expect(await rowOf(message)).toMatchObject({ status: "failed", attempt_count: 1, next_attempt_at: null });
    expect(sent).toEqual([]);
  });

  test("is not sent again before the time in Retry-After, as seconds or as a date", async () => {
    const inTwoMinutes = new Date(startMs + 120_000).toUTCString();
    for (const field of ["120", inTwoMinutes]) {
      const recipient = await partnerWith();
      const message = await store({ partner_id: recipient.partnerId });
      mockReceivers(() => new Response("slow down", { status: 429, headers: { "retry-after": field } }));
      sent = [];
      await deliver(message);
      expect(sent).toEqual([{ message, delaySeconds: 120 }]);
    }
  });

  test("is delivered even if the response never ends; only the first 500 bytes are stored", async () => {
    const recipient = await partnerWith();
    const message = await store({ partner_id: recipient.partnerId });
    const cancel = vi.fn<() => void>();
    const endless = new ReadableStream({
      pull: (controller) => controller.enqueue(new TextEncoder().encode("ä".repeat(150))),
      cancel,
    });
    mockReceivers(() => new Response(endless));
    await deliver(message);
    const event = await readEvent(env, recipient.partner, message.delivery_id);
    expect(event).toMatchObject({
      status: "delivered",
      attempts: [{ status: 200, answer: "ä".repeat(250) }],
    });
    expect(cancel).toHaveBeenCalledOnce();

    const hanging = await store({ partner_id: recipient.partnerId });
    mockReceivers(
      () => new Response(new ReadableStream({ start: (c) => c.enqueue(new TextEncoder().encode("ok…")) })),
    );
    await deliver(hanging);
    const other = await readEvent(env, recipient.partner, hanging.delivery_id);
    expect(other).toMatchObject({ status: "delivered", attempts: [{ status: 200, answer: "ok…" }] });
  });

  test("is signed with every secret that is valid at the time of the attempt", async () => {
    const recipient = await partnerWith();
    const message = await store({ partner_id: recipient.partnerId });
    const received = mockReceivers(() => new Response("down", { status: 500 }));
    const old = secretOf(recipient);
    const fresh = newWebhookSecret();
    const at = new Date(startMs).toISOString();
    const rotated: Partner = {
      ...recipient.partner,
      webhook_secrets: [
        {
          secret_id: "old",
          secret: old,
          created_at: at,
          expires_at: new Date(startMs + MINUTE_MS).toISOString(),
        },
        { secret_id: "new", secret: fresh, created_at: at, expires_at: null },
      ],
    };
    const accepting = () => [old, fresh].map((secret) => verifies(secret, received.at(-1)));
    await deliver(message);
    expect(accepting()).toEqual([true, false]);
    await env.PARTNERS.put(partnerKey(recipient.partnerId), JSON.stringify(rotated));
    nowMs += 5_000;
    await deliver(message);
    expect(accepting()).toEqual([true, true]);
    nowMs += 300_000;
    await deliver(message);
    expect(accepting()).toEqual([false, true]);
  });

  test("without an event_url fails at once with a reason", async () => {
    const recipient = await partnerWith({ event_url: null });
    const message = await store({ partner_id: recipient.partnerId });
    const received = mockReceivers(() => new Response("ok"));
    await deliver(message);
    expect(received).toHaveLength(0);
    expect(await readEvent(env, recipient.partner, message.delivery_id)).toMatchObject({
      status: "failed",
      attempt_count: 0,
      attempts: [{ status: null, answer: "No event_url is configured." }],
    });
    expect(sent).toEqual([]);
  });

  test("is sent again when the registry temporarily lacks the partner", async () => {
    const recipient = await partnerWith({});
    const message = await store({ partner_id: recipient.partnerId });
    const received = mockReceivers(() => new Response("ok"));
    await env.PARTNERS.delete(partnerKey(recipient.partnerId));
    await deliver(message);
    expect(received).toHaveLength(0);
    expect(await rowOf(message)).toMatchObject({ status: "pending", attempt_count: 1 });
    await env.PARTNERS.put(partnerKey(recipient.partnerId), JSON.stringify(recipient.partner));
    nowMs += MINUTE_MS;
    await deliver(message);
    expect(await rowOf(message)).toMatchObject({ status: "delivered", attempt_count: 2 });
  });

  test("of a suspended partner is sent when the partner is active again", async () => {
    const recipient = await partnerWith({ status: "suspended" });
    const message = await store({ partner_id: recipient.partnerId });
    const received = mockReceivers(() => new Response("ok"));
    await deliver(message);
    expect(received).toHaveLength(0);
    expect(await rowOf(message)).toMatchObject({ status: "pending", attempt_count: 0 });
    expect(sent).toEqual([{ message, delaySeconds: 600 }]);
    await env.PARTNERS.put(
      partnerKey(recipient.partnerId),
      JSON.stringify({ ...recipient.partner, status: "active" }),
    );
    nowMs += 10 * MINUTE_MS;
    await deliver(message);
    expect(await rowOf(message)).toMatchObject({ status: "delivered", attempt_count: 1 });
  });

  test("of a suspended partner records the reason once, however long it waits", async () => {
    const recipient = await partnerWith({ status: "suspended" });
    const message = await store({ partner_id: recipient.partnerId });
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await deliver(message);
      nowMs += 10 * MINUTE_MS;
    }
    expect(await readEvent(env, recipient.partner, message.delivery_id)).toMatchObject({
      status: "pending",
      attempt_count: 0,
      attempts: [{ at: new Date(startMs).toISOString(), status: null, answer: "The partner is suspended." }],
    });
  });

  test("is never sent to an address that is not allowed", async () => {
    const received = mockReceivers(() => new Response("ok"));
    for (const event_url of [
      "http://127.0.0.1:9000/",
      "https://10.0.0.1/",
      "http://hooks.example.com/",
      "nonsense",
    ]) {
      const recipient = await partnerWith({ event_url });
      const message = await store({ partner_id: recipient.partnerId });
      await deliver(message, { ...world, ENVIRONMENT: "production" });
      const event = await readEvent(env, recipient.partner, message.delivery_id);
      expect(event?.attempts[0]?.answer).toMatch(/^We do not send requests to this event_url\. The /);
      expect(event).toMatchObject({ status: "pending", attempt_count: 1 });
    }
    expect(received).toHaveLength(0);
  });

  test("may be sent to loopback by the local service", async () => {
    const recipient = await partnerWith({ event_url: "http://127.0.0.1:9000/hook" });
    const message = await store({ partner_id: recipient.partnerId });
    mockReceivers(() => new Response("ok"));
    await deliver(message);
    expect(await rowOf(message)).toMatchObject({ status: "delivered" });
  });

  test("writes one log line that contains only the host of the receiver's address", async () => {
    const recipient = await partnerWith();
    const message = await store({ partner_id: recipient.partnerId });
    mockReceivers(() => new Response("secret-answer", { status: 500 }));
    await deliver(message);
    expect(logged).toHaveBeenCalledOnce();
    const line = String(logged.mock.calls[0]?.[0]);
    expect(JSON.parse(line)).toMatchObject({
      unit: "delivery",
      delivery_id: message.delivery_id,
      outcome: "pending",
      attempt: 1,
      status: 500,
      host: "hooks.example.com",
    });
    expect(line).not.toMatch(/tenant|\/in|secret|whsec/);
  });
});

async function planAndEvent(recipient: TestPartner) {
  const event = await store({ partner_id: recipient.partnerId, status: "waiting", next_attempt_at: null });
  const { partnerId } = recipient;
  await seedUser(partnerId, "u");
  const import_id = await seedImport({ partnerId, userId: "u", source: "s" });
  const completed: CompletedImport = {
    partner_id: partnerId,
    import_id,
    user_id: "u",
    source: "s",
    event_id: null,
    is_initial_import: true,
    status: "completed",
    ...countsOf({ total: 1, imported: 1 }),
  };
  const plan = await store({
    partner_id: partnerId,
    delivery_id: `plan_${randomId()}`,
    kind: "training_plan",
    type: "training_plan.requested",
    import_id,
    body: JSON.stringify(storedPlanRequest(completed, startMs)),
    then_deliver: event.delivery_id,
  });
  return { plan, event };
}

const NO_MESSAGE: DeliveryMessage = { partner_id: "", delivery_id: "", database: "DB" };

test("The events of an import for several endpoints become due together, after the first attempt of its plan request", async () => {
  const recipient = await partnerWith();
  const { plan, event } = await planAndEvent(recipient);
  const further = await store({
    partner_id: recipient.partnerId,
    delivery_id: `${event.delivery_id}_ep_second`,
    endpoint_id: "ep_second",
    status: "waiting",
    next_attempt_at: null,
  });
  const other = await store({
    partner_id: recipient.partnerId,
    delivery_id: `${event.delivery_id}0`,
    status: "waiting",
    next_attempt_at: null,
  });
  mockReceivers(() => new Response(null, { status: 500 }));
  await deliver(plan, { ...world, TRAINING_PLAN_URL: planner, TRAINING_PLAN_SECRET: plannerSecret });
  expect((await rowOf(event)).status).toBe("pending");
  expect((await rowOf(further)).status).toBe("pending");
  expect((await rowOf(other)).status).toBe("waiting");
  const due = sent.filter(({ delaySeconds }) => delaySeconds === 0).map(({ message }) => message.delivery_id);
  expect(due.sort()).toEqual([event.delivery_id, further.delivery_id].sort());
});

describe("An event to a receiver that hangs", () => {
  const events = async (recipient: TestPartner, count: number) =>
    Promise.all(Array.from({ length: count }, () => store({ partner_id: recipient.partnerId })));

  test("pauses its receiver: later events wait without an attempt and are delivered when it responds again", async () => {
    const recipient = await partnerWith();
    const [hanging, ...others] = await events(recipient, 3);
    let respond: typeof neverResponds | (() => Response) = neverResponds;
    const received = mockReceivers((request) => respond(request));
    await deliver(hanging ?? others[0] ?? NO_MESSAGE);
    for (const message of others) await deliver(message);
    expect(received).toHaveLength(1);
    for (const message of others) {
      const { status, attempt_count, attempts, next_attempt_at } = await rowOf(message);
      expect({ status, attempt_count, attempts }).toEqual({
        status: "pending",
        attempt_count: 0,
        attempts: "[]",
      });
      expect(next_attempt_at).toBeGreaterThan(nowMs);
      expect(sent.find((one) => one.message.delivery_id === message.delivery_id)?.delaySeconds).toBe(
        Math.ceil(((next_attempt_at ?? 0) - nowMs) / 1_000),
      );
    }
    respond = () => new Response(null, { status: 204 });
    await evictDurableObject(env.WINDOWS.getByName(recipient.partnerId));
    nowMs += MINUTE_MS;
    for (const message of others) await deliver(message);
    expect((await rowOf(others[0] ?? NO_MESSAGE)).status).toBe("delivered");
    expect(received).toHaveLength(3);
  });

  test("does not delay another partner's event to the same host", async () => {
    const [stuck, other] = [await partnerWith(), await partnerWith()];
    const [hanging] = await events(stuck, 1);
    const [event] = await events(other, 1);
    if (hanging === undefined || event === undefined) throw new Error("no event");
    mockReceivers(neverResponds);
    await deliver(hanging);
    vi.restoreAllMocks();
    const received = mockReceivers(() => new Response(null, { status: 204 }));
    await deliver(event);
    expect(received).toHaveLength(1);
    expect((await rowOf(event)).status).toBe("delivered");
  });

  test("counts an attempt after a day of waiting, so that its schedule ends", async () => {
    const recipient = await partnerWith();
    const [hanging, waiting] = await events(recipient, 2);
    if (hanging === undefined || waiting === undefined) throw new Error("no event");
    mockReceivers(neverResponds);
    await deliver(hanging);
    await databaseOf(recipient)
      .prepare("UPDATE deliveries SET updated_at = ? WHERE delivery_id = ?")
      .bind(nowMs - 24 * HOUR_MS, waiting.delivery_id)
      .run();
    await deliver(waiting);
    expect(await rowOf(waiting)).toMatchObject({ status: "pending", attempt_count: 1 });
  });
});

describe("A training plan request", () => {
  const withPlanner: Env = { ...world, TRAINING_PLAN_URL: planner, TRAINING_PLAN_SECRET: plannerSecret };

  test.each([
    ["succeeded", () => new Response("ok"), "delivered"],
    ["failed", () => new Response("down", { status: 500 }), "pending"],
    ["hung", neverResponds, "pending"],
    ["ended for good", () => new Response("gone", { status: 410 }), "failed"],
  ])("is sent before the event, which follows after the first attempt has %s", async (_, respond, status) => {
    const recipient = await partnerWith();
    const { plan, event } = await planAndEvent(recipient);
    const received = mockReceivers((one) => (one.url === planner ? respond(one) : new Response("ok")));

    await deliver(event, withPlanner);
    expect(received).toHaveLength(0);

    await deliver(plan, withPlanner);
    expect(received.map(({ url }) => url)).toEqual([planner]);
    expect(verifies(plannerSecret, received[0])).toBe(true);
    expect(await rowOf(plan)).toMatchObject({ status, attempt_count: 1 });
    expect(sent[0]).toEqual({ message: event, delaySeconds: 0 });

    await deliver(event, withPlanner);
    expect(received.map(({ url }) => url)).toEqual([planner, receiver]);
    expect(await rowOf(event)).toMatchObject({ status: "delivered" });
  });

  test("that is sent again does not send the event again", async () => {
    const recipient = await partnerWith();
    const { plan, event } = await planAndEvent(recipient);
    const received = mockReceivers((one) => new Response("x", { status: one.url === planner ? 500 : 200 }));
    await deliver(plan, withPlanner);
    await deliver(event, withPlanner);
    nowMs += 5_000;
    sent = [];
    await deliver(plan, withPlanner);
    expect(sent).toEqual([{ message: plan, delaySeconds: 300 }]);
    await deliver(event, withPlanner);
    expect(received.map(({ url }) => url)).toEqual([planner, receiver, planner]);
  });

  test("is recorded without a planner, and the event does not wait", async () => {
    const recipient = await partnerWith();
    const { plan, event } = await planAndEvent(recipient);
    const received = mockReceivers(() => new Response("ok"));
    await deliver(plan);
    expect(await rowOf(plan)).toMatchObject({ status: "recorded", attempt_count: 0 });
    await deliver(event);
    expect(received.map(({ url }) => url)).toEqual([receiver]);
  });
});

describe("Messages that arrive early, late, twice or never", () => {
  test("make one attempt when two consumers have the same message", async () => {
    const recipient = await partnerWith();
    const message = await store({ partner_id: recipient.partnerId });
    const received = mockReceivers(() => new Response("ok"));
    await Promise.all([deliver(message), deliver(message), deliver(message)]);
    await deliver(message);
    expect(received).toHaveLength(1);
  });

  test("make no attempt before the delivery is due", async () => {
    const recipient = await partnerWith();
    const message = await store({ partner_id: recipient.partnerId });
    const received = mockReceivers(() => new Response("down", { status: 500 }));
    await deliver(message);
    nowMs += 3_000;
    await deliver(message);
    expect(received).toHaveLength(1);
    nowMs += 2_000;
    await deliver(message);
    expect(received).toHaveLength(2);
  });

  test("still deliver the event when a consumer dies: its claim expires after a minute", async () => {
    const recipient = await partnerWith();
    const message = await store({ partner_id: recipient.partnerId });
    expect(await claimDelivery(databaseOf(recipient), message, nowMs, nowMs + MINUTE_MS)).not.toBeNull();
    const received = mockReceivers(() => new Response("ok"));
    await deliver(message);
    expect(received).toHaveLength(0);

    nowMs += MINUTE_MS;
    expect(await sweepDeliveries(world, nowMs)).toBeGreaterThanOrEqual(1);
    expect(sent).toContainEqual({ message, delaySeconds: 0 });
    await deliver(message);
    expect(await rowOf(message)).toMatchObject({ status: "delivered", attempt_count: 1 });
  });

  test("do not overwrite a recorded result when a consumer returns after its claim expired", async () => {
    const recipient = await partnerWith();
    const message = await store({ partner_id: recipient.partnerId });
    mockReceivers(async () => {
      nowMs += 2 * MINUTE_MS;
      mockReceivers(() => new Response("ok"));
      await deliver(message);
      return new Response("late", { status: 500 });
    });
    await deliver(message);
    expect(sent).toEqual([]);
    expect(await rowOf(message)).toMatchObject({
      status: "delivered",
      attempt_count: 1,
      next_attempt_at: null,
    });
  });

  test("are sent again soon by the local service, once each time the delivery is overdue", async () => {
    const recipient = await partnerWith();
    const message = await store({ partner_id: recipient.partnerId });
    const isSent = () => sent.some((one) => one.message.delivery_id === message.delivery_id);
    await sweepDeliveries(world, startMs + 4_000);
    expect(isSent()).toBe(false);
    await sweepDeliveries(world, startMs + 6_000);
    expect(isSent()).toBe(true);
    sent = [];
    await sweepDeliveries(world, startMs + 7_000);
    expect(isSent()).toBe(false);
    await sweepDeliveries(world, startMs + 16_000);
    expect(isSent()).toBe(true);
  });

  test("count as lost after two minutes in production", async () => {
    const recipient = await partnerWith();
    const message = await store({ partner_id: recipient.partnerId });
    const deployed = { ...world, ENVIRONMENT: "production" };
    const isSent = () => sent.some((one) => one.message.delivery_id === message.delivery_id);
    await sweepDeliveries(deployed, startMs + 119_000);
    expect(isSent()).toBe(false);
    await sweepDeliveries(deployed, startMs + 121_000);
    expect(isSent()).toBe(true);
  });

  test("are not sent again for deliveries that are settled, claimed, waiting or not due", async () => {
    const recipient = await partnerWith();
    const settled = await store({ partner_id: recipient.partnerId });
    mockReceivers(() => new Response("ok"));
    await deliver(settled);
    await store({ partner_id: recipient.partnerId, next_attempt_at: startMs + HOUR_MS });
    await store({ partner_id: recipient.partnerId, status: "waiting", next_attempt_at: null });
    const claimed = await store({ partner_id: recipient.partnerId });
    await claimDelivery(databaseOf(recipient), claimed, startMs, startMs + HOUR_MS);
    sent = [];
    await sweepDeliveries(world, startMs + 10 * MINUTE_MS);
    expect(sent.filter((one) => one.message.partner_id === recipient.partnerId)).toEqual([]);
  });
});

/** Returns a batch as the queue delivers it, and the indexes of its acknowledged messages. */
function batchOf(bodies: unknown[]) {
  const acknowledged: number[] = [];
  const messages = bodies.map((body, index) => ({
    id: `m${index}`,
    timestamp: new Date(),
    body,
    attempts: 1,
    ack: () => void acknowledged.push(index),
    retry: () => {
      throw new Error("never retried");
    },
  }));
  const batch: MessageBatch = {
    queue: "partner-api-deliveries",
    messages,
    metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } },
    ackAll: () => undefined,
    retryAll: () => undefined,
  };
  return { batch, acknowledged };
}

describe("A batch of deliveries", () => {
  test("is not delayed by a receiver that does not respond", async () => {
    const unresponsive = await partnerWith({ event_url: "https://unresponsive.example.com/" });
    const responsive = await partnerWith();
    const stuck = await store({ partner_id: unresponsive.partnerId, next_attempt_at: 0 });
    const others = await Promise.all(
      Array.from({ length: 9 }, () => store({ partner_id: responsive.partnerId, next_attempt_at: 0 })),
    );
    const { promise, resolve } = Promise.withResolvers<Response>();
    mockReceivers(({ url }) => (url.startsWith("https://unresponsive") ? promise : new Response("ok")));
    // The queue delivers each message in its own invocation.
    const slow = batchOf([stuck]);
    const consuming = consumeDeliveries(slow.batch, world);
    for (const other of others) await consumeDeliveries(batchOf([other]).batch, world);
    expect(slow.acknowledged).toEqual([]);
    for (const other of others) expect(await rowOf(other)).toMatchObject({ status: "delivered" });
    resolve(new Response("late", { status: 500 }));
    await consuming;
    expect(slow.acknowledged).toEqual([0]);
  });

  test("sends no event to a host of this service", async () => {
    const recipient = await partnerWith({ event_url: "https://api.example.com/events" });
    const message = await store({ partner_id: recipient.partnerId, next_attempt_at: 0 });
    const requested: string[] = [];
    mockReceivers(({ url }) => {
      requested.push(url);
      return new Response("ok");
    });
    await consumeDeliveries(batchOf([message]).batch, world);
    expect(requested).toEqual([]);
    expect((await rowOf(message)).attempts).toContain("points to this service");
  });

  test("acknowledges messages that are unreadable or unknown, or that fail because a store is down", async () => {
    const recipient = await partnerWith();
    const message = await store({ partner_id: recipient.partnerId, next_attempt_at: 0 });
    const { batch, acknowledged } = batchOf([
      null,
      "text",
      { delivery: 7 },
      { partner_id: "nobody", delivery_id: "none" },
      message,
    ]);
    const partners = { ...env.PARTNERS, get: () => Promise.reject(new Error("kv is down: s3cret")) };
    await consumeDeliveries(batch, {
      ...world,
      PARTNERS: Object.assign(Object.create(env.PARTNERS), partners),
    });
    expect(new Set(acknowledged)).toEqual(new Set([0, 1, 2, 3, 4]));
    const lines = logged.mock.calls.map(([line]) => String(line));
    expect(lines.filter((line) => line.includes("unreadable_message"))).toHaveLength(3);
    expect(logged.mock.calls.map(([line]): unknown => JSON.parse(String(line)))).toContainEqual({
      unit: "delivery",
      partner_id: message.partner_id,
      delivery_id: message.delivery_id,
      type: null,
      outcome: "fault",
      fault: "Error",
      attempt: null,
      host: null,
      status: null,
      milliseconds: expect.any(Number),
      reason: null,
      next_in_milliseconds: null,
    });
    expect(lines.join()).not.toContain("s3cret");
    expect(await rowOf(message)).toMatchObject({ status: "pending", attempt_count: 0 });
  });

  test("in the dead-letter queue is logged and acknowledged; the sweep sends its deliveries again", async () => {
    const { batch, acknowledged } = batchOf([{ partner_id: "p", delivery_id: "evt_1" }, 7]);
    await consumeDeadDeliveries(batch);
    expect(acknowledged).toEqual([0, 1]);
    expect(logged).toHaveBeenCalledTimes(2);
    expect(String(logged.mock.calls[0]?.[0])).toContain("evt_1");
  });
});

describe("A delivery", () => {
  test("is stored once; later inserts change nothing", async () => {
    const recipient = await partnerWith();
    const message = await store({ partner_id: recipient.partnerId });
    await store({ ...message, body: '{"other":true}', status: "failed" });
    expect(await rowOf(message)).toMatchObject({ status: "pending" });
  });

  test("is not stored for an import of an erased user", async () => {
    const recipient = await partnerWith();
    const message = await store({ partner_id: recipient.partnerId, import_id: "erased" });
    await expect(rowOf(message)).rejects.toThrow("no such delivery");
  });
});
