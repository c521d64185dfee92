import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { HOST, ping, read, RECEIVER, SOURCE, task } from "../flows/partnerActs.ts";
import { databaseOf } from "../support/databases.ts";
import { send } from "../support/http.ts";
import { once, playOutside } from "../support/outside.ts";
import { newPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, deliverEvent, settle } from "../support/world.ts";

const SECOND = "https://hooks.example.com/second";

afterEach(() => {
  vi.restoreAllMocks();
});

test("A completed import is announced to each endpoint that wants it, with the same body and a different id", async () => {
  const who = await newPartner({ event_url: RECEIVER });
  const insert = databaseOf(who).prepare(
    `INSERT INTO endpoints (partner_id, endpoint_id, url, event_types, secrets, verified_at, created_at)
     VALUES (?, ?, ?, ?, '[]', ?, ?)`,
  );
  const wanted = JSON.stringify(["bulk_fit_import.completed"]);
  await databaseOf(who).batch([
    insert.bind(who.partnerId, "ep_default", null, wanted, 1, 1),
    insert.bind(who.partnerId, "ep_b", SECOND, wanted, 1, 2),
    insert.bind(who.partnerId, "ep_c", "https://hooks.example.com/other", '["user.erased"]', 1, 3),
  ]);
  const outside = playOutside({
    [`${HOST}/1`]: once(rideFile()),
    [RECEIVER]: () => new Response(null, { status: 204 }),
    [SECOND]: () => new Response(null, { status: 204 }),
  });
  const sent = vi.spyOn(env.DELIVERIES, "send");
  await ping(who, { summary_id: "1", callback_url: `${HOST}/1`, priority: 0 });
  const { import_id } = await task(who, { event_id: "mine" });
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));

  const first = `evt_${import_id}`;
  const ids = sent.mock.calls.map(([{ delivery_id }]) => delivery_id);
  expect(ids.sort()).toEqual([first, `${first}_ep_b`]);
  for (const id of ids) await deliverEvent(who.partnerId, id);
  const bodies = [...outside.to(RECEIVER), ...outside.to(SECOND)].map(({ body }) => body);
  expect(bodies).toHaveLength(2);
  expect(bodies[0]).toBe(bodies[1]);
  expect(await read(who, `/api/imports/${import_id}/`)).toMatchObject({ event: { status: "delivered" } });
  expect(await read(who, `/api/events/?endpoint_id=ep_b`)).toMatchObject({
    data: [{ id: `${first}_ep_b`, endpoint_id: "ep_b", status: "delivered" }],
  });
});

test("A task warns while the partner has no receiver for its event, or only an unverified one", async () => {
  const who = await newPartner();
  const warned = await task(who, { event_id: "first", user_id: "a" });
  const noReceiver = expect.arrayContaining(["no_event_url"]);
  expect(warned).toMatchObject({ warnings: noReceiver });
  const unverified = expect.arrayContaining(["endpoint_unverified"]);
  const response = await send(who, "POST", "/api/endpoints/", { body: { url: RECEIVER } });
  expect(response.status).toBe(201);
  const held = await task(who, { event_id: "held", user_id: "c" });
  expect(held).toMatchObject({ warnings: unverified });
  expect(held).not.toMatchObject({ warnings: noReceiver });
  expect(await read(who, `/api/imports/${held.import_id}/`)).toMatchObject({ warnings: held["warnings"] });
  await databaseOf(who)
    .prepare(
      `INSERT INTO endpoints (partner_id, endpoint_id, url, event_types, secrets, verified_at, created_at)
       VALUES (?, 'ep_b', ?, '["bulk_fit_import.completed"]', '[]', 1, 2)`,
    )
    .bind(who.partnerId, SECOND)
    .run();
  const { import_id, ...answer } = await task(who, { event_id: "second", user_id: "b" });
  expect(answer).toMatchObject({ warnings: ["nothing_held"] });
  expect(await read(who, `/api/imports/${import_id}/`)).toMatchObject({
    warnings: ["nothing_held"],
  });
});
