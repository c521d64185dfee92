import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { insertEvent } from "../../src/deliveries/write.ts";
import { randomId } from "../../src/identifiers.ts";
import { RECEIVER, read } from "../flows/partnerActs.ts";
import { databaseOf } from "../support/databases.ts";
import { problemOf, send } from "../support/http.ts";
import { playOutside, type Answer } from "../support/outside.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { deliverAll, obedient, recordDeliveries } from "../support/queuedEvents.ts";

/** Misuse of endpoints by a partner with a valid key, against others and the service. */

const OWN = "https://hooks.example.com/own";
const VICTIM = "https://victim.example.org/login";

let queued: string[] = [];
beforeEach(() => {
  queued = recordDeliveries();
});
afterEach(() => vi.restoreAllMocks());

const deliverQueued = async (who: TestPartner) => deliverAll(queued, who);

async function create(who: TestPartner, url: string): Promise<string> {
  const response = await send(who, "POST", "/api/endpoints/", { body: { url } });
  expect(response.status).toBe(201);
  return z.looseObject({ endpoint_id: z.string() }).parse(await response.json()).endpoint_id;
}

async function announce(who: TestPartner): Promise<string> {
  const delivery_id = `evt_${randomId()}`;
  await insertEvent(databaseOf(who.partnerId), {
    partner_id: who.partnerId,
    delivery_id,
    type: "bulk_fit_import.completed",
    user_id: "u",
    import_id: null,
    body: JSON.stringify({ type: "bulk_fit_import.completed", timestamp: "2026-11-25T12:00:00Z", data: {} }),
    status: "pending",
    next_attempt_at: Date.now(),
  }).run();
  queued.push(delivery_id);
  return delivery_id;
}

const patch = async (who: TestPartner, id: string, body: unknown) => {
  expect((await send(who, "PATCH", `/api/endpoints/${id}/`, { body })).status).toBe(200);
};

describe("The host of an endpoint's new url", () => {
  test("receives only challenges until it returns one: no waiting, held or resent event", async () => {
    const who = await newPartner();
    const answers: Record<string, Answer> = { [OWN]: obedient, [VICTIM]: () => new Response("what?") };
    const outside = playOutside(answers);
    const id = await create(who, OWN);
    await deliverQueued(who);
    const delivered = await announce(who);
    await deliverQueued(who);
    const waiting = await announce(who);
    await patch(who, id, { on_hold: true });
    const held = await announce(who);
    await deliverQueued(who);
    await patch(who, id, { url: VICTIM });
    await patch(who, id, { on_hold: false });
    expect(queued).toEqual(expect.arrayContaining([waiting, held]));
    expect((await send(who, "POST", `/api/events/${delivered}/resend/`)).status).toBe(202);
    await deliverQueued(who);

    const types = outside
      .to(VICTIM)
      .map(({ body }) => z.looseObject({ type: z.string() }).parse(JSON.parse(body)).type);
    expect(types).toEqual(["test.ping"]);
    expect(await read(who, `/api/events/${held}/`)).toMatchObject({ status: "held", attempts: [] });

    answers[VICTIM] = obedient;
    await send(who, "POST", `/api/events/test/?endpoint_id=${id}&challenge=later`);
    await deliverQueued(who);
    expect((await send(who, "POST", `/api/events/${held}/resend/`)).status).toBe(202);
    await deliverQueued(who);
    expect(await read(who, `/api/events/${held}/`)).toMatchObject({ status: "delivered" });
  });

  test("is not verified by the challenge that the receiver of the old url returns late", async () => {
    const who = await newPartner();
    const ids: string[] = [];
    playOutside({
      [OWN]: async (request) => {
        await patch(who, ids[0] ?? "", { url: VICTIM });
        return obedient(request);
      },
      [VICTIM]: () => new Response("what?", { status: 404 }),
    });
    ids.push(await create(who, OWN));
    await deliverQueued(who);
    expect(await read(who, `/api/endpoints/${ids[0]}/`)).toMatchObject({ url: VICTIM, state: "unverified" });
  });

  test("is not flooded by resending one test event: each resend counts against the daily limit", async () => {
    const who = await newPartner();
    playOutside({ [VICTIM]: () => new Response("what?", { status: 410 }) });
    const id = await create(who, VICTIM);
    await deliverQueued(who);
    const sent = z
      .looseObject({ id: z.string() })
      .parse(await (await send(who, "POST", `/api/events/test/?endpoint_id=${id}`)).json());
    // 997 of the day's 1,000 are used: with these two it is 999.
    const database = databaseOf(who);
    await database
      .prepare(
        "UPDATE deliveries SET attempt_count = 998, attempts_before = 997 WHERE partner_id = ? AND delivery_id <> ?",
      )
      .bind(who.partnerId, sent.id)
      .run();
    await deliverQueued(who);
    expect((await send(who, "POST", `/api/events/${sent.id}/resend/`)).status).toBe(202);
    await deliverQueued(who);
    const refused = await send(who, "POST", `/api/events/${sent.id}/resend/`);
    expect(refused.headers.get("Retry-After")).toBe("3600");
    await problemOf(refused, 429, "rate_limited");
    await problemOf(await send(who, "POST", `/api/events/test/?endpoint_id=${id}`), 429, "rate_limited");
  });
});

describe("The secrets of an endpoint", () => {
  test("are at most five at a time, so that an event has few signatures. A rotation without overlap is always possible", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    const outside = playOutside({ [OWN]: obedient });
    const id = await create(who, OWN);
    await deliverQueued(who);
    const path = `/api/endpoints/${id}/rotate_secret/`;
    for (let n = 0; n < 4; n += 1) expect((await send(who, "POST", path, { body: {} })).status).toBe(201);
    await problemOf(
      await send(who, "POST", path, { body: { overlap_in_hours: 720 } }),
      409,
      "too_many_secrets",
    );
    await send(who, "POST", `/api/events/test/?endpoint_id=${id}`);
    await deliverQueued(who);
    expect(outside.to(OWN).at(-1)?.headers.get("webhook-signature")?.split(" ")).toHaveLength(5);
    expect((await send(who, "POST", path, { body: { overlap_in_hours: 0 } })).status).toBe(201);
    const stored = await databaseOf(who)
      .prepare(
        "SELECT json_array_length(secrets) AS n FROM endpoints WHERE partner_id = ? AND endpoint_id = ?",
      )
      .bind(who.partnerId, id)
      .first("n");
    expect(stored).toBe(1);
  });
});

test("A request to change an unknown endpoint leaves nothing behind", async () => {
  const who = await newPartner({ event_url: RECEIVER });
  for (const [method, path, body] of [
    ["PATCH", "ep_unknown/", { on_hold: true }],
    ["DELETE", "ep_unknown/", undefined],
    ["POST", "ep_unknown/recover/", { since: "2026-11-01T00:00:00Z" }],
    ["POST", "ep_unknown/rotate_secret/", {}],
  ] as const) {
    await problemOf(await send(who, method, `/api/endpoints/${path}`, { body }), 404, "not_found");
  }
  const rows = await databaseOf(who)
    .prepare("SELECT count(*) AS n FROM endpoints WHERE partner_id = ?")
    .bind(who.partnerId)
    .first("n");
  expect(rows).toBe(0);
});

test("A recovery that examines thousands of events counts as many requests", async () => {
  const who = await newPartner({
    event_url: RECEIVER,
    limits: { requests_per_minute: 100, files_per_minute: null },
  });
  await databaseOf(who)
    .prepare(
      `INSERT INTO deliveries (partner_id, delivery_id, kind, type, body, status, created_at, updated_at)
       WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)
       SELECT ?1, 'evt_' || i, 'event', 'bulk_fit_import.completed', '{}', 'delivered', i, i FROM n`,
    )
    .bind(who.partnerId)
    .run();
  const path = "/api/endpoints/ep_default/recover/";
  const response = await send(who, "POST", path, { body: { since: "1970-01-01T00:00:00Z" } });
  expect(response.status).toBe(202);
  const left = Number(/"intake";r=(-?\d+)/.exec(response.headers.get("RateLimit") ?? "")?.[1]);
  expect(left).toBeLessThanOrEqual(92);
});
