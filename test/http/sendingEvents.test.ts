import { env } from "cloudflare:workers";
import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, test, vi } from "vitest";
import { testEventSchema } from "../../src/deliveries/bodies.pure.ts";
import { eventWithAttemptsSchema } from "../../src/deliveries/event.ts";
import { answerOf, problemOf, send } from "../support/http.ts";
import { playOutside } from "../support/outside.ts";
import { newPartner } from "../support/partner.ts";
import { NOON, seedDelivery } from "../support/rows.ts";
import { deliverEvent } from "../support/world.ts";
import { RECEIVER, read } from "../flows/partnerActs.ts";
import { guardsItself } from "./strangers.ts";
import { databaseOf, ownerOf } from "../support/databases.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

guardsItself("resending an event", {
  method: "POST",
  paths: async (owner) => {
    await seedDelivery(owner.partnerId, "evt_1", { status: "failed" });
    return { path: "/api/events/evt_1/resend/", unknown: "/api/events/evt_2/resend/" };
  },
});
guardsItself("sending a test event", {
  method: "POST",
  paths: () => Promise.resolve({ path: "/api/events/test/", unknown: null }),
});

describe("an event", () => {
  test("can be sent again with its own id after it was delivered or has failed; its attempts are counted on", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    const outside = playOutside({ [RECEIVER]: () => new Response("busy", { status: 500 }) });
    const queued = vi.spyOn(env.DELIVERIES, "send");
    for (const status of ["delivered", "failed"]) {
      const id = await seedDelivery(who.partnerId, `evt_${status}`, {
        status,
        attempt_count: 10,
        attempts: JSON.stringify([{ at: NOON, status: 500, milliseconds: 1, answer: "old" }]),
      });
      const resent = await answerOf(
        await send(who, "POST", `/api/events/${id}/resend/`),
        202,
        eventWithAttemptsSchema,
      );
      expect(resent).toMatchObject({
        id,
        status: "pending",
        attempt_count: 10,
        attempts_left: 10,
        attempts: [{ answer: "old" }],
      });
      expect(Date.parse(resent.updated_at)).toBeGreaterThan(NOON);
      expect(queued).toHaveBeenLastCalledWith({ ...ownerOf(who), delivery_id: id });

      await deliverEvent(who.partnerId, id);
      expect(await read(who, `/api/events/${id}/`)).toMatchObject({
        status: "pending",
        attempt_count: 11,
        attempts_left: 9,
        attempts: [{ answer: "old" }, { status: 500, answer: "busy" }],
      });
    }
    expect(outside.to(RECEIVER).map((request) => request.headers.get("webhook-id"))).toEqual([
      "evt_delivered",
      "evt_failed",
    ]);
  });

  test("cannot be sent again while it is being delivered or is due", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    const soon = Date.now() + 60_000;
    for (const [name, columns] of Object.entries({
      due: { status: "pending", next_attempt_at: NOON },
      claimed: { status: "pending", next_attempt_at: soon, claimed_until: soon },
      behind_a_plan: { status: "waiting", next_attempt_at: null },
    })) {
      const id = await seedDelivery(who.partnerId, `evt_${name}`, columns);
      await problemOf(await send(who, "POST", `/api/events/${id}/resend/`), 409, "event_in_delivery");
    }
  });

  test("with a later attempt scheduled is sent at once on request, with a new schedule", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    const outside = playOutside({ [RECEIVER]: () => new Response("busy", { status: 500 }) });
    const inAnHour = Date.now() + 3_600_000;
    const id = await seedDelivery(who.partnerId, "evt_1", {
      status: "pending",
      attempt_count: 6,
      attempts: JSON.stringify([
        { at: NOON, status: null, milliseconds: 0, answer: "The partner is suspended." },
      ]),
      next_attempt_at: inAnHour,
    });
    await deliverEvent(who.partnerId, id);
    expect(outside.to(RECEIVER)).toEqual([]);
    await answerOf(await send(who, "POST", `/api/events/${id}/resend/`), 202, eventWithAttemptsSchema);
    await deliverEvent(who.partnerId, id);
    expect(outside.to(RECEIVER)).toHaveLength(1);
    const after = await read(who, `/api/events/${id}/`);
    expect(after).toMatchObject({ status: "pending", attempt_count: 7 });
    // The first delay of the schedule is five seconds.
    expect(Date.parse(String(after["next_attempt_at"]))).toBeLessThan(Date.now() + 6_000);
  });

  test("cannot be sent without an event_url", async () => {
    const who = await newPartner();
    const id = await seedDelivery(who.partnerId, "evt_1", { status: "failed" });
    await problemOf(await send(who, "POST", `/api/events/${id}/resend/`), 409, "no_event_url");
    await problemOf(await send(who, "POST", "/api/events/test/"), 409, "no_event_url");
    expect(await read(who, "/api/events/")).toMatchObject({ data: [{ id, status: "failed" }] });
  });

  test("cannot be a plan request", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    const id = await seedDelivery(who.partnerId, "plan_1", { kind: "training_plan", status: "failed" });
    await problemOf(await send(who, "POST", `/api/events/${id}/resend/`), 404, "not_found");
  });

  test("keeps its last attempts, even if it is sent again many times", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    const attempts = Array.from({ length: 300 }, (_, index) => ({
      at: NOON + index,
      status: 500,
      milliseconds: index,
      answer: "x".repeat(500),
    }));
    const id = await seedDelivery(who.partnerId, "evt_1", {
      status: "failed",
      attempts: JSON.stringify(attempts),
    });
    const resent = await answerOf(
      await send(who, "POST", `/api/events/${id}/resend/`),
      202,
      eventWithAttemptsSchema,
    );
    expect(resent.attempts.map((attempt) => attempt.milliseconds)).toEqual(
      Array.from({ length: 50 }, (_, index) => 250 + index),
    );
  });
});

describe("a test event", () => {
  test("is signed, sent to the partner's event_url, and can be read like any other event", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    const outside = playOutside({ [RECEIVER]: () => new Response("thanks") });
    const sent = await answerOf(await send(who, "POST", "/api/events/test/"), 202, eventWithAttemptsSchema);
    expect(sent).toMatchObject({ type: "test.ping", status: "pending", import_id: null, user_id: null });
    await deliverEvent(who.partnerId, sent.id);
    const [request] = outside.to(RECEIVER);
    const secret = who.partner.webhook_secrets[0]?.secret ?? "";
    const body = new Webhook(secret).verify(request?.body ?? "", Object.fromEntries(request?.headers ?? []));
    expect(testEventSchema.parse(body).timestamp).toBe(sent.timestamp);
    expect(await read(who, `/api/events/${sent.id}/`)).toMatchObject({
      status: "delivered",
      attempts: [{ status: 200, answer: "thanks" }],
    });
    expect(await read(who, "/api/events/")).toMatchObject({ data: [{ id: sent.id }] });
  });

  test("contains a challenge, and shows the receiver's response to it", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    playOutside({
      [RECEIVER]: (request) => {
        const { data } = testEventSchema.parse(JSON.parse(request.body));
        return Response.json({ challenge: data.challenge });
      },
    });
    const sent = await answerOf(
      await send(who, "POST", "/api/events/test/?challenge=abc-1"),
      202,
      eventWithAttemptsSchema,
    );
    await deliverEvent(who.partnerId, sent.id);
    expect(await read(who, `/api/events/${sent.id}/`)).toMatchObject({
      data: { challenge: "abc-1" },
      attempts: [{ answer: '{"challenge":"abc-1"}' }],
    });
    await problemOf(await send(who, "POST", "/api/events/test/?challenge=a%20b"), 400, "validation_failed");
    await problemOf(await send(who, "POST", "/api/events/test/?signature=right"), 400, "validation_failed");
  });

  test.each([
    ["delivered if the receiver rejects it", 401, "delivered"],
    ["failed if the receiver accepts it", 200, "failed"],
    ["failed if the receiver has an error", 500, "failed"],
  ])("with a wrong signature is sent once and is %s", async (_does, status, as) => {
    const who = await newPartner({ event_url: RECEIVER });
    const outside = playOutside({ [RECEIVER]: () => new Response("seen", { status }) });
    const sent = await answerOf(
      await send(who, "POST", "/api/events/test/?signature=wrong"),
      202,
      eventWithAttemptsSchema,
    );
    await deliverEvent(who.partnerId, sent.id);
    const [request] = outside.to(RECEIVER);
    const webhook = new Webhook(who.partner.webhook_secrets[0]?.secret ?? "");
    const headers = Object.fromEntries(request?.headers ?? []);
    expect(() => webhook.verify(request?.body ?? "", headers)).toThrow("No matching signature");
    expect(await read(who, `/api/events/${sent.id}/`)).toMatchObject({
      type: "test.ping",
      status: as,
      next_attempt_at: null,
      attempts: [{ status, answer: "seen" }],
    });
    expect(await read(who, "/api/events/?type=test.ping")).toMatchObject({ data: [{ id: sent.id }] });
  });

  test("is sent by the scheduled sweep if the queue rejects it", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    vi.spyOn(env.DELIVERIES, "send").mockRejectedValueOnce(new Error("Queue is overloaded."));
    const sent = await answerOf(await send(who, "POST", "/api/events/test/"), 202, eventWithAttemptsSchema);
    const due = await databaseOf(who)
      .prepare("SELECT next_attempt_at <= ? due FROM deliveries WHERE delivery_id = ?")
      .bind(Date.now(), sent.id)
      .first();
    expect(due).toEqual({ due: 1 });
  });
});

test("pages of events and files are read along an index and not sorted", async () => {
  const who = await newPartner();
  const prepared = vi.spyOn(databaseOf(who), "prepare");
  for (const list of ["events", "files"]) {
    await read(who, `/api/${list}/?updated_since=2026-01-01T00:00:00Z`);
  }
  const queries = prepared.mock.calls.map(([sql]) => sql).filter((sql) => sql.includes("updated_at >="));
  prepared.mockRestore();
  expect(queries).toHaveLength(2);
  for (const sql of queries) {
    const numbered = new Set(sql.match(/\?\d+/g)).size;
    const bound = Array.from({ length: numbered + (sql.match(/\?(?!\d)/g)?.length ?? 0) }, () => 1);
    const plan = await databaseOf(who)
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .bind(...bound)
      .all<{ detail: string }>();
    const steps = plan.results.map((step) => step.detail).join("\n");
    expect(steps).toMatch(/USING (?:COVERING )?INDEX \w+_by_update \(.*updated_at[><]/);
    // Only the limited number of rows that were read is sorted again.
    const sorts = steps.split("\n").filter((step) => /TEMP B-TREE FOR ORDER BY/.test(step));
    expect(sorts.length).toBeLessThanOrEqual(sql.includes("deliveries") ? 1 : 2);
    expect(sql).toMatch(/ORDER BY [^()]+ LIMIT \?\) p\) w/);
  }
});

test("a partner can send at most 1,000 test events in 24 hours, without effect on other partners", async () => {
  const who = await newPartner({ event_url: RECEIVER });
  const seed = async (created_at: number, count: number) =>
    databaseOf(who)
      .prepare(
        `INSERT INTO deliveries (partner_id, delivery_id, kind, type, body, status, created_at, updated_at)
       WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?3)
       SELECT ?1, 'evt_' || ?2 || i, 'event', 'test.ping', '{}', 'failed', ?2, ?2 FROM n`,
      )
      .bind(who.partnerId, created_at, count)
      .run();
  await seed(Date.now() - 25 * 60 * 60_000, 500);
  await seed(Date.now() - 60_000, 999);
  expect((await send(who, "POST", "/api/events/test/")).status).toBe(202);
  const refused = await send(who, "POST", "/api/events/test/");
  await problemOf(refused, 429, "rate_limited");
  expect(Number(refused.headers.get("Retry-After"))).toBeGreaterThan(0);
  const other = await newPartner({ event_url: RECEIVER });
  expect((await send(other, "POST", "/api/events/test/")).status).toBe(202);
});
