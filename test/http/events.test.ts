import { describe, expect, test } from "vitest";
import { eventSchema, eventWithAttemptsSchema } from "../../src/deliveries/event.ts";
import { pageOf } from "../../src/http/pages.ts";
import { answerOf, send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { NOON, seedDelivery } from "../support/rows.ts";
import { guardsItself } from "./strangers.ts";

const page = pageOf("EventPage", eventSchema);

guardsItself("listing events", {
  method: "GET",
  paths: () => Promise.resolve({ path: "/api/events/", unknown: null }),
});
guardsItself("reading an event", {
  method: "GET",
  paths: async (owner) => {
    await seedDelivery(owner.partnerId, "evt_1");
    return { path: "/api/events/evt_1/", unknown: "/api/events/evt_2/" };
  },
});

const list = async (partner: TestPartner, query = "") =>
  answerOf(await send(partner, "GET", `/api/events/${query}`), 200, page);

const ids = async (partner: TestPartner, query: string) =>
  (await list(partner, query)).data.map((event) => event.id);

describe("events", () => {
  test("show their body and all attempts to deliver it", async () => {
    const partner = await newPartner();
    await seedDelivery(partner.partnerId, "evt_1", {
      user_id: "u",
      import_id: "i",
      attempt_count: 2,
      attempts: JSON.stringify([
        { at: NOON, status: 500, milliseconds: 12, answer: "oops" },
        { at: NOON + 5000, status: null, milliseconds: 15_000, answer: null },
      ]),
      next_attempt_at: NOON + 60_000,
    });
    const event = await answerOf(
      await send(partner, "GET", "/api/events/evt_1/"),
      200,
      eventWithAttemptsSchema,
    );
    expect(event).toEqual({
      id: "evt_1",
      type: "bulk_fit_import.completed",
      timestamp: "2026-06-01T12:00:00.000Z",
      data: { event_id: "e-1" },
      endpoint_id: "ep_default",
      import_id: "i",
      user_id: "u",
      status: "pending",
      attempt_count: 2,
      attempts_left: 8,
      attempts: [
        { at: "2026-06-01T12:00:00.000Z", status: 500, milliseconds: 12, answer: "oops" },
        { at: "2026-06-01T12:00:05.000Z", status: null, milliseconds: 15_000, answer: null },
      ],
      next_attempt_at: "2026-06-01T12:01:00.000Z",
      created_at: "2026-06-01T12:00:00.000Z",
      updated_at: "2026-06-01T12:00:00.000Z",
    });
  });

  test("do not include plan requests", async () => {
    const partner = await newPartner();
    await seedDelivery(partner.partnerId, "plan_1", { kind: "training_plan" });
    expect(await ids(partner, "")).toEqual([]);
    expect((await send(partner, "GET", "/api/events/plan_1/")).status).toBe(404);
  });

  test("are listed newest first, complete over all pages, and can be filtered by status", async () => {
    const partner = await newPartner();
    await seedDelivery((await newPartner()).partnerId, "evt_foreign");
    await seedDelivery(partner.partnerId, "evt_a", { created_at: 1, status: "waiting" });
    await seedDelivery(partner.partnerId, "evt_b", { created_at: 2, status: "delivered" });
    await seedDelivery(partner.partnerId, "evt_c", { created_at: 2, status: "pending" });
    const first = await list(partner, "?limit=2");
    expect(first.data.map((event) => event.id)).toEqual(["evt_c", "evt_b"]);
    expect(await ids(partner, `?limit=2&cursor=${first.next_cursor}`)).toEqual(["evt_a"]);
    expect(await ids(partner, "?status=pending")).toEqual(["evt_c", "evt_a"]);
    expect(await ids(partner, "?status=delivered")).toEqual(["evt_b"]);
  });

  test("can be filtered by type, user, import and the partner's own event_id", async () => {
    const partner = await newPartner();
    const bodyFor = (event_id: string) =>
      JSON.stringify({ type: "any", timestamp: "2026-06-01T12:00:00.000Z", data: { event_id } });
    await seedDelivery(partner.partnerId, "evt_a", {
      user_id: "ann",
      import_id: "i-a",
      body: bodyFor("mine"),
    });
    await seedDelivery(partner.partnerId, "evt_b", {
      user_id: "bea",
      import_id: "i-b",
      body: bodyFor("other"),
    });
    await seedDelivery(partner.partnerId, "evt_test", { type: "test.ping", user_id: null, import_id: null });
    expect(await ids(partner, "?type=test.ping")).toEqual(["evt_test"]);
    expect(await ids(partner, "?user_id=ann")).toEqual(["evt_a"]);
    expect(await ids(partner, "?import_id=i-b")).toEqual(["evt_b"]);
    expect(await ids(partner, "?event_id=mine")).toEqual(["evt_a"]);
    expect(await ids(partner, "?user_id=ann&event_id=other")).toEqual([]);
  });

  test("can be polled for changes with updated_since", async () => {
    const partner = await newPartner();
    const since = `updated_since=${new Date(NOON).toISOString()}`;
    await seedDelivery(partner.partnerId, "evt_old", { updated_at: NOON - 1 });
    await seedDelivery(partner.partnerId, "evt_second", { updated_at: NOON + 1 });
    await seedDelivery(partner.partnerId, "evt_first", { updated_at: NOON });
    await seedDelivery(partner.partnerId, "evt_present", { updated_at: Date.now() + 60_000 });
    const first = await list(partner, `?limit=1&${since}`);
    expect(first.data[0]).toMatchObject({ id: "evt_first", data: { event_id: "e-1" } });
    expect(await ids(partner, `?limit=1&${since}&cursor=${first.next_cursor}`)).toEqual(["evt_second"]);
  });
});
