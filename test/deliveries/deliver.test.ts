import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { consumeDeadDeliveries, consumeDeliveries } from "../../src/deliveries/consume.ts";
import { deliverDue } from "../../src/deliveries/deliver.ts";
import type { DeliveryMessage } from "../../src/deliveries/message.ts";
import { readEvent } from "../../src/deliveries/read.ts";
import { resendEvent } from "../../src/deliveries/sendEvent.ts";
import { sweepDeliveries } from "../../src/deliveries/sweep.ts";
import { claimDelivery, insertDelivery, type NewDelivery } from "../../src/deliveries/write.ts";
import type { Env } from "../../src/env.ts";
import { randomId } from "../../src/identifiers.ts";
import { newWebhookSecret, partnerKey, type Partner } from "../../src/partners/partner.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";

const startMs = Date.parse("2026-11-25T12:00:00Z");
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const receiver = "https://hooks.example.com/in?tenant=7";
const planner = "https://planner.example.com/plans";
const plannerSecret = newWebhookSecret();

const logged = vi.fn<(line: unknown) => void>();
let nowMs = startMs;
let sent: { message: DeliveryMessage; delaySeconds: number }[] = [];

const taken = { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };

/** The real bindings; what would go over the queue is kept here, so that a test can let time pass between. */
const world: Env = {
  ...env,
  DELIVERIES: {
    metrics: async () => taken.metadata.metrics,
    send: async (message, options) => {
      sent.push({ message, delaySeconds: options?.delaySeconds ?? 0 });
      return taken;
    },
    sendBatch: async (messages) => {
      for (const { body } of messages) sent.push({ message: body, delaySeconds: 0 });
      return taken;
    },
  },
};

interface Received {
  url: string;
  request: Request;
  body: string;
  headers: Record<string, string>;
}

/** Plays the receivers of the outside network; answers what reached them. */
function play(answer: (received: Received) => Response | Promise<Response>): Received[] {
  const all: Received[] = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    const body = await request.text();
    const received = { url: request.url, request, body, headers: Object.fromEntries(request.headers) };
    all.push(received);
    return answer(received);
  });
  return all;
}

/** Whether a receiver's library takes what it got; the library holds the time against its own clock. */
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

const never = ({ request }: Received) =>
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
    next_attempt_at: startMs,
    ...row,
  };
  await env.DB.batch([insertDelivery(env.DB, delivery)]);
  return { partner_id: delivery.partner_id, delivery_id: delivery.delivery_id };
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
  const row = await env.DB.prepare("SELECT * FROM deliveries WHERE partner_id = ? AND delivery_id = ?")
    .bind(message.partner_id, message.delivery_id)
    .first<Row>();
  if (row === null) throw new Error("no such delivery");
  return row;
}

const secretOf = ({ partner }: TestPartner) => partner.webhook_secrets[0]?.secret ?? "";

describe("An event", () => {
  test("is posted as JSON, signed by the partner's secret, and delivered by any 2xx", async () => {
    for (const status of [200, 202, 204]) {
      const who = await partnerWith();
      const message = await store({ partner_id: who.partnerId });
      const received = play(() => new Response(status === 204 ? null : "thanks", { status }));
      await deliver(message);
      const [one] = received;
      expect(received).toHaveLength(1);
      expect(one?.url).toBe(receiver);
      expect(one?.request.method).toBe("POST");
      expect(one?.request.redirect).toBe("manual");
      expect(one?.headers).toMatchObject({
        "content-type": "application/json",
        "webhook-id": message.delivery_id,
      });
      expect(verifies(secretOf(who), one)).toBe(true);
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
    ["an error", () => new Response("broken", { status: 500 }), { status: 500, answer: "broken" }],
    ["a refusal", () => new Response("no", { status: 404 }), { status: 404, answer: "no" }],
    [
      "a redirect, which is not followed",
      () => new Response(null, { status: 302, headers: { location: "https://elsewhere.example.com/" } }),
      { status: 302, answer: "" },
    ],
    ["no answer in time", never, { status: null, answer: "No answer came in time." }],
    [
      "no connection",
      () => Promise.reject(new TypeError("refused")),
      { status: null, answer: "The host could not be reached." },
    ],
  ])("that meets %s is tried again 5 s later, and the attempt can be read", async (_, answer, attempt) => {
    const who = await partnerWith();
    const message = await store({ partner_id: who.partnerId });
    const received = play(answer);
    await deliver(message);
    expect(received).toHaveLength(1);
    expect(sent).toEqual([{ message, delaySeconds: 5 }]);
    expect(await rowOf(message)).toMatchObject({
      status: "pending",
      attempt_count: 1,
      next_attempt_at: startMs + 5_000,
      claimed_until: null,
    });
    const event = await readEvent(env, who.partnerId, message.delivery_id);
    expect(event?.attempts).toEqual([{ at: "2026-11-25T12:00:00.000Z", milliseconds: 0, ...attempt }]);
  });

  test("is tried at the promised times, with the same id and body, each time freshly signed, then it has failed", async () => {
    const who = await partnerWith();
    const message = await store({ partner_id: who.partnerId });
    const received = play(() => new Response("down", { status: 503 }));
    const delays: number[] = [];
    for (let attempt = 1; attempt <= 10; attempt += 1) {
      sent = [];
      await deliver(message);
      const last = received.at(-1);
      expect(last?.headers["webhook-timestamp"]).toBe(String(nowMs / 1000));
      expect(verifies(secretOf(who), last)).toBe(true);
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
    const event = await readEvent(env, who.partnerId, message.delivery_id);
    expect(event?.attempts).toHaveLength(10);
  });

  test("that is sent again goes through the whole schedule once more, and its attempts count on", async () => {
    const who = await partnerWith();
    const message = await store({ partner_id: who.partnerId });
    play(() => new Response("gone", { status: 410 }));
    await deliver(message);
    expect(await resendEvent(world, who.partnerId, message.delivery_id, nowMs)).toBe(true);
    const received = play(() => new Response("down", { status: 503 }));
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

  test("ends with 410", async () => {
    const who = await partnerWith();
    const message = await store({ partner_id: who.partnerId });
    play(() => new Response("gone", { status: 410 }));
    await deliver(message);
    expect(await rowOf(message)).toMatchObject({ status: "failed", attempt_count: 1, next_attempt_at: null });
    expect(sent).toEqual([]);
  });

  test("waits as long as a Retry-After asks, in both of its forms", async () => {
    const inTwoMinutes = new Date(startMs + 120_000).toUTCString();
    for (const field of ["120", inTwoMinutes]) {
      const who = await partnerWith();
      const message = await store({ partner_id: who.partnerId });
      play(() => new Response("slow down", { status: 429, headers: { "retry-after": field } }));
      sent = [];
      await deliver(message);
      expect(sent).toEqual([{ message, delaySeconds: 120 }]);
    }
  });

  test("is delivered although the receiver's answer never ends; only its first 500 bytes are kept", async () => {
    const who = await partnerWith();
    const message = await store({ partner_id: who.partnerId });
    const cancel = vi.fn<() => void>();
    const endless = new ReadableStream({
      pull: (controller) => controller.enqueue(new TextEncoder().encode("ä".repeat(150))),
      cancel,
    });
    play(() => new Response(endless));
    await deliver(message);
    const event = await readEvent(env, who.partnerId, message.delivery_id);
    expect(event).toMatchObject({
      status: "delivered",
      attempts: [{ status: 200, answer: "ä".repeat(250) }],
    });
    expect(cancel).toHaveBeenCalledOnce();

    const hanging = await store({ partner_id: who.partnerId });
    play(
      () => new Response(new ReadableStream({ start: (c) => c.enqueue(new TextEncoder().encode("ok…")) })),
    );
    await deliver(hanging);
    const other = await readEvent(env, who.partnerId, hanging.delivery_id);
    expect(other).toMatchObject({ status: "delivered", attempts: [{ status: 200, answer: "ok…" }] });
  });

  test("is signed by every secret that lives at the time of the attempt", async () => {
    const who = await partnerWith();
    const message = await store({ partner_id: who.partnerId });
    const received = play(() => new Response("down", { status: 500 }));
    const old = secretOf(who);
    const fresh = newWebhookSecret();
    const at = new Date(startMs).toISOString();
    const rotated: Partner = {
      ...who.partner,
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
    await env.PARTNERS.put(partnerKey(who.partnerId), JSON.stringify(rotated));
    nowMs += 5_000;
    await deliver(message);
    expect(accepting()).toEqual([true, true]);
    nowMs += 300_000;
    await deliver(message);
    expect(accepting()).toEqual([false, true]);
  });

  test("without an event_url has failed at once, and says why", async () => {
    const who = await partnerWith({ event_url: null });
    const message = await store({ partner_id: who.partnerId });
    const received = play(() => new Response("ok"));
    await deliver(message);
    expect(received).toHaveLength(0);
    expect(await readEvent(env, who.partnerId, message.delivery_id)).toMatchObject({
      status: "failed",
      attempt_count: 0,
      attempts: [{ status: null, answer: "No event_url is configured." }],
    });
    expect(sent).toEqual([]);
  });

  test("of a partner that the registry does not know at that moment is tried again", async () => {
    const who = await partnerWith({});
    const message = await store({ partner_id: who.partnerId });
    const received = play(() => new Response("ok"));
    await env.PARTNERS.delete(partnerKey(who.partnerId));
    await deliver(message);
    expect(received).toHaveLength(0);
    expect(await rowOf(message)).toMatchObject({ status: "pending", attempt_count: 1 });
    await env.PARTNERS.put(partnerKey(who.partnerId), JSON.stringify(who.partner));
    nowMs += MINUTE_MS;
    await deliver(message);
    expect(await rowOf(message)).toMatchObject({ status: "delivered", attempt_count: 2 });
  });

  test("of a suspended partner waits until the partner is back", async () => {
    const who = await partnerWith({ status: "suspended" });
    const message = await store({ partner_id: who.partnerId });
    const received = play(() => new Response("ok"));
    await deliver(message);
    expect(received).toHaveLength(0);
    expect(await rowOf(message)).toMatchObject({ status: "pending", attempt_count: 0 });
    expect(sent).toEqual([{ message, delaySeconds: 600 }]);
    await env.PARTNERS.put(partnerKey(who.partnerId), JSON.stringify({ ...who.partner, status: "active" }));
    nowMs += 10 * MINUTE_MS;
    await deliver(message);
    expect(await rowOf(message)).toMatchObject({ status: "delivered", attempt_count: 1 });
  });

  test("of a suspended partner says why it waits, once, however long", async () => {
    const who = await partnerWith({ status: "suspended" });
    const message = await store({ partner_id: who.partnerId });
    for (let look = 0; look < 3; look += 1) {
      await deliver(message);
      nowMs += 10 * MINUTE_MS;
    }
    expect(await readEvent(env, who.partnerId, message.delivery_id)).toMatchObject({
      status: "pending",
      attempt_count: 0,
      attempts: [{ at: new Date(startMs).toISOString(), status: null, answer: "The partner is suspended." }],
    });
  });

  test("never goes to an address that may not be reached", async () => {
    const received = play(() => new Response("ok"));
    for (const event_url of [
      "http://127.0.0.1:9000/",
      "https://10.0.0.1/",
      "http://hooks.example.com/",
      "nonsense",
    ]) {
      const who = await partnerWith({ event_url });
      const message = await store({ partner_id: who.partnerId });
      await deliver(message, { ...world, ENVIRONMENT: "production" });
      const event = await readEvent(env, who.partnerId, message.delivery_id);
      expect(event?.attempts[0]?.answer).toMatch(/^The event_url may not be reached\. The /);
      expect(event).toMatchObject({ status: "pending", attempt_count: 1 });
    }
    expect(received).toHaveLength(0);
  });

  test("may go to loopback under the local start", async () => {
    const who = await partnerWith({ event_url: "http://127.0.0.1:9000/hook" });
    const message = await store({ partner_id: who.partnerId });
    play(() => new Response("ok"));
    await deliver(message);
    expect(await rowOf(message)).toMatchObject({ status: "delivered" });
  });

  test("leaves one log line, with the receiver's host and nothing else of its address", async () => {
    const who = await partnerWith();
    const message = await store({ partner_id: who.partnerId });
    play(() => new Response("secret-answer", { status: 500 }));
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

async function planAndEvent(who: TestPartner) {
  const event = await store({ partner_id: who.partnerId, status: "waiting", next_attempt_at: null });
  const plan = await store({
    partner_id: who.partnerId,
    delivery_id: `plan_${randomId()}`,
    kind: "training_plan",
    type: "training_plan.requested",
    then_deliver: event.delivery_id,
  });
  return { plan, event };
}

describe("An event whose receiver hangs", () => {
  const events = async (who: TestPartner, count: number) =>
    Promise.all(Array.from({ length: count }, () => store({ partner_id: who.partnerId })));

  test("suspends its receiver: later events wait without an attempt, and are delivered when it answers", async () => {
    const who = await partnerWith();
    const [hanging, ...others] = await events(who, 3);
    let answer: typeof never | (() => Response) = never;
    const received = play((request) => answer(request));
    await deliver(hanging ?? others[0] ?? { partner_id: "", delivery_id: "" });
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
    answer = () => new Response(null, { status: 204 });
    await evictDurableObject(env.WINDOWS.getByName(who.partnerId));
    nowMs += MINUTE_MS;
    for (const message of others) await deliver(message);
    expect((await rowOf(others[0] ?? { partner_id: "", delivery_id: "" })).status).toBe("delivered");
    expect(received).toHaveLength(3);
  });

  test("does not keep another partner's event from the same host", async () => {
    const [stuck, other] = [await partnerWith(), await partnerWith()];
    const [hanging] = await events(stuck, 1);
    const [event] = await events(other, 1);
    if (hanging === undefined || event === undefined) throw new Error("no event");
    play(never);
    await deliver(hanging);
    vi.restoreAllMocks();
    const received = play(() => new Response(null, { status: 204 }));
    await deliver(event);
    expect(received).toHaveLength(1);
    expect((await rowOf(event)).status).toBe("delivered");
  });

  test("counts an attempt after a day without one, so that its schedule ends", async () => {
    const who = await partnerWith();
    const [hanging, waiting] = await events(who, 2);
    if (hanging === undefined || waiting === undefined) throw new Error("no event");
    play(never);
    await deliver(hanging);
    await env.DB.prepare("UPDATE deliveries SET updated_at = ? WHERE delivery_id = ?")
      .bind(nowMs - 24 * HOUR_MS, waiting.delivery_id)
      .run();
    await deliver(waiting);
    expect(await rowOf(waiting)).toMatchObject({ status: "pending", attempt_count: 1 });
  });
});

describe("A training plan", () => {
  const withPlanner: Env = { ...world, TRAINING_PLAN_URL: planner, TRAINING_PLAN_SECRET: plannerSecret };

  test.each([
    ["succeeded", () => new Response("ok"), "delivered"],
    ["failed", () => new Response("down", { status: 500 }), "pending"],
    ["hung", never, "pending"],
    ["ended for good", () => new Response("gone", { status: 410 }), "failed"],
  ])(
    "is asked for before the event leaves, which follows once the first attempt has %s",
    async (_, answer, status) => {
      const who = await partnerWith();
      const { plan, event } = await planAndEvent(who);
      const received = play((one) => (one.url === planner ? answer(one) : new Response("ok")));

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
    },
  );

  test("that is tried again does not send the event again", async () => {
    const who = await partnerWith();
    const { plan, event } = await planAndEvent(who);
    const received = play((one) => new Response("x", { status: one.url === planner ? 500 : 200 }));
    await deliver(plan, withPlanner);
    await deliver(event, withPlanner);
    nowMs += 5_000;
    sent = [];
    await deliver(plan, withPlanner);
    expect(sent).toEqual([{ message: plan, delaySeconds: 300 }]);
    await deliver(event, withPlanner);
    expect(received.map(({ url }) => url)).toEqual([planner, receiver, planner]);
  });

  test("is recorded where there is no planner, and the event does not wait for one", async () => {
    const who = await partnerWith();
    const { plan, event } = await planAndEvent(who);
    const received = play(() => new Response("ok"));
    await deliver(plan);
    expect(await rowOf(plan)).toMatchObject({ status: "recorded", attempt_count: 0 });
    await deliver(event);
    expect(received.map(({ url }) => url)).toEqual([receiver]);
  });
});

describe("Messages come late, twice, or not at all", () => {
  test("two consumers with the same message make one attempt", async () => {
    const who = await partnerWith();
    const message = await store({ partner_id: who.partnerId });
    const received = play(() => new Response("ok"));
    await Promise.all([deliver(message), deliver(message), deliver(message)]);
    await deliver(message);
    expect(received).toHaveLength(1);
  });

  test("a message before its time makes no attempt", async () => {
    const who = await partnerWith();
    const message = await store({ partner_id: who.partnerId });
    const received = play(() => new Response("down", { status: 500 }));
    await deliver(message);
    nowMs += 3_000;
    await deliver(message);
    expect(received).toHaveLength(1);
    nowMs += 2_000;
    await deliver(message);
    expect(received).toHaveLength(2);
  });

  test("a consumer that dies in the middle is forgotten after a minute, and the event still arrives", async () => {
    const who = await partnerWith();
    const message = await store({ partner_id: who.partnerId });
    expect(await claimDelivery(env.DB, message, nowMs, nowMs + MINUTE_MS)).not.toBeNull();
    const received = play(() => new Response("ok"));
    await deliver(message);
    expect(received).toHaveLength(0);

    nowMs += MINUTE_MS;
    expect(await sweepDeliveries(world, nowMs)).toBeGreaterThanOrEqual(1);
    expect(sent).toContainEqual({ message, delaySeconds: 0 });
    await deliver(message);
    expect(await rowOf(message)).toMatchObject({ status: "delivered", attempt_count: 1 });
  });

  test("a consumer that comes back too late does not undo what another has recorded", async () => {
    const who = await partnerWith();
    const message = await store({ partner_id: who.partnerId });
    play(async () => {
      nowMs += 2 * MINUTE_MS;
      play(() => new Response("ok"));
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

  test("what the queue lost is sent again soon under the local start, and once each time it is overdue", async () => {
    const who = await partnerWith();
    const message = await store({ partner_id: who.partnerId });
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

  test("deployed, a queue has two minutes before its work is taken for lost", async () => {
    const who = await partnerWith();
    const message = await store({ partner_id: who.partnerId });
    const deployed = { ...world, ENVIRONMENT: "production" };
    const isSent = () => sent.some((one) => one.message.delivery_id === message.delivery_id);
    await sweepDeliveries(deployed, startMs + 119_000);
    expect(isSent()).toBe(false);
    await sweepDeliveries(deployed, startMs + 121_000);
    expect(isSent()).toBe(true);
  });

  test("what is settled, claimed, waiting or not yet due is left alone", async () => {
    const who = await partnerWith();
    const settled = await store({ partner_id: who.partnerId });
    play(() => new Response("ok"));
    await deliver(settled);
    await store({ partner_id: who.partnerId, next_attempt_at: startMs + HOUR_MS });
    await store({ partner_id: who.partnerId, status: "waiting", next_attempt_at: null });
    const claimed = await store({ partner_id: who.partnerId });
    await claimDelivery(env.DB, claimed, startMs, startMs + HOUR_MS);
    sent = [];
    await sweepDeliveries(world, startMs + 10 * MINUTE_MS);
    expect(sent.filter((one) => one.message.partner_id === who.partnerId)).toEqual([]);
  });
});

/** A batch as the queue hands it over; tells what was acknowledged. */
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
  test("does not let a dead receiver hold up the others", async () => {
    const dead = await partnerWith({ event_url: "https://dead.example.com/" });
    const alive = await partnerWith();
    const stuck = await store({ partner_id: dead.partnerId, next_attempt_at: 0 });
    const others = await Promise.all(
      Array.from({ length: 9 }, () => store({ partner_id: alive.partnerId, next_attempt_at: 0 })),
    );
    const { promise, resolve } = Promise.withResolvers<Response>();
    play(({ url }) => (url.startsWith("https://dead") ? promise : new Response("ok")));
    // Each message comes in an invocation of its own.
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
    const who = await partnerWith({ event_url: "https://api.example.com/events" });
    const message = await store({ partner_id: who.partnerId, next_attempt_at: 0 });
    const asked: string[] = [];
    play(({ url }) => {
      asked.push(url);
      return new Response("ok");
    });
    await consumeDeliveries(batchOf([message]).batch, world);
    expect(asked).toEqual([]);
    expect((await rowOf(message)).attempts).toContain("leads back to this service");
  });

  test("acknowledges what it cannot read, what is unknown, and what a store's fault kept from being made", async () => {
    const who = await partnerWith();
    const message = await store({ partner_id: who.partnerId, next_attempt_at: 0 });
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
      ...message,
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

  test("that died is logged, and acknowledged for the sweep to bring its work back", async () => {
    const { batch, acknowledged } = batchOf([{ partner_id: "p", delivery_id: "evt_1" }, 7]);
    await consumeDeadDeliveries(batch);
    expect(acknowledged).toEqual([0, 1]);
    expect(logged).toHaveBeenCalledTimes(2);
    expect(String(logged.mock.calls[0]?.[0])).toContain("evt_1");
  });
});

describe("A delivery is stored", () => {
  test("once, whatever is said of it later", async () => {
    const who = await partnerWith();
    const message = await store({ partner_id: who.partnerId });
    await store({ ...message, body: '{"other":true}', status: "failed" });
    expect(await rowOf(message)).toMatchObject({ status: "pending" });
  });

  test("not for an import that is gone with its user", async () => {
    const who = await partnerWith();
    const message = await store({ partner_id: who.partnerId, import_id: "erased" });
    await expect(rowOf(message)).rejects.toThrow("no such delivery");
  });
});
