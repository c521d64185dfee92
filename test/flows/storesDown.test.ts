import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { problemOf, send } from "../support/http.ts";
import { once, playOutside } from "../support/outside.ts";
import { newPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { UNKNOWN_ID } from "../support/rows.ts";
import { shortenWaits } from "../support/shortWaits.ts";
import { collectorOf, deliverEvent, settle } from "../support/world.ts";
import { base64, HOST, ping, pingOf, read, RECEIVER, SOURCE, task } from "./partnerActs.ts";
import { databaseOf } from "../support/databases.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const away = new Error("internal: s3cret");

/** Moves the clock ahead. */
function pass(milliseconds: number): void {
  const now = Date.now();
  if (!vi.isFakeTimers()) vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(now + milliseconds);
}

async function expectComeAgain(response: Response): Promise<void> {
  expect(Number(response.headers.get("Retry-After"))).toBeGreaterThan(0);
  expect(JSON.stringify(await problemOf(response, 503, "store_unavailable"))).not.toContain("s3cret");
}

describe("the database down", () => {
  test.each([
    ["POST", `/api/files/${UNKNOWN_ID}/retry/`],
    ["POST", `/api/imports/${UNKNOWN_ID}/retry/`],
    ["POST", "/api/events/evt_1/resend/"],
    ["POST", "/api/events/test/"],
    ["DELETE", "/api/users/user-1/"],
  ])("%s %s returns 503 with Retry-After", async (method, path) => {
    const who = await newPartner({ event_url: RECEIVER });
    vi.spyOn(databaseOf(who), "prepare").mockImplementation(() => {
      throw away;
    });
    await expectComeAgain(await send(who, method, path));
  });
});

describe("the store of objects down", () => {
  test("bytes, streams and an activity with its laps return 503 with Retry-After; lists can be read", async () => {
    const who = await newPartner();
    const [file] = await ping(who, { summary_id: "ride", callback_url: base64(rideFile()) });
    await settle(collectorOf(who.partnerId, "user-1", SOURCE));
    vi.spyOn(env.FILES, "get").mockRejectedValue(away);
    const id = file?.file_id ?? "";
    await expectComeAgain(await send(who, "GET", `/api/files/${id}/original/`));
    await expectComeAgain(await send(who, "GET", `/api/activities/${id}.0/streams/`));
    await expectComeAgain(await send(who, "GET", `/api/activities/${id}.0/`));
    expect(await read(who, "/api/activities/")).toMatchObject({ data: [{ sport: "cycling" }] });
  });

  test("for four calls after a download: the bytes are still stored, at R2's pace, because their URL works once", async () => {
    const who = await newPartner();
    const outside = playOutside({ [`${HOST}/ride`]: once(rideFile()) });
    const [file] = await ping(who, { summary_id: "ride", callback_url: `${HOST}/ride` });
    const put = vi.spyOn(env.FILES, "put");
    for (let call = 0; call < 4; call += 1) put.mockRejectedValueOnce(away);
    const waits = shortenWaits();
    await settle(collectorOf(who.partnerId, "user-1", SOURCE));
    expect(waits.filter((milliseconds) => milliseconds >= 500)).toEqual([500, 1_000, 2_000, 4_000]);
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({
      status: "imported",
      attempts: 1,
    });
    expect(outside.to(`${HOST}/ride`)).toHaveLength(1);
  });

  test("for longer: the file is retried, and imported from a URL that works again", async () => {
    const who = await newPartner();
    playOutside({ [`${HOST}/ride`]: () => new Response(rideFile()) });
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    const [file] = await ping(who, { summary_id: "ride", callback_url: `${HOST}/ride` });
    const put = vi.spyOn(env.FILES, "put").mockRejectedValue(away);
    shortenWaits();
    await settle(collector);
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({
      status: "queued",
      last_error: { code: "internal" },
    });
    put.mockRestore();
    pass(10_000);
    await settle(collector);
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({ status: "imported" });
  });
});

test("The collector down: pings and tasks return 503, nothing is accepted, and the same requests work later", async () => {
  const who = await newPartner();
  const pings = { activity_files: [pingOf({ summary_id: "ride", callback_url: base64(rideFile()) })] };
  const released = {
    bulk_fit_transfer_complete: true,
    source: SOURCE,
    is_initial_import: false,
    user_id: "user-1",
  };
  const down = vi.spyOn(env.COLLECTOR, "getByName").mockImplementation(() => {
    throw away;
  });
  await expectComeAgain(await send(who, "POST", "/api/fit_partner_ping/", { body: pings }));
  await expectComeAgain(await send(who, "POST", "/api/task_partner/", { body: released }));
  down.mockRestore();
  expect(await read(who, "/api/files/")).toMatchObject({ data: [] });
  expect((await send(who, "POST", "/api/fit_partner_ping/", { body: pings })).status).toBe(202);
  expect((await send(who, "POST", "/api/task_partner/", { body: released })).status).toBe(202);
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  expect(await read(who, "/api/files/")).toMatchObject({ data: [{ status: "imported" }] });
});

test("Every queue down: pings and the task are accepted, and imported and announced once the queues are back", async () => {
  const who = await newPartner({ event_url: RECEIVER });
  const outside = playOutside({
    [`${HOST}/live`]: once(rideFile()),
    [`${HOST}/held`]: once(rideFile({ startInSeconds: 1_750_000_000 })),
    [RECEIVER]: () => new Response("thanks"),
  });
  const down = [
    vi.spyOn(env.PRIORITY, "sendBatch").mockRejectedValue(away),
    vi.spyOn(env.BULK, "sendBatch").mockRejectedValue(away),
    vi.spyOn(env.DELIVERIES, "send").mockRejectedValue(away),
  ];
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  await ping(
    who,
    { summary_id: "live", callback_url: `${HOST}/live` },
    { summary_id: "held", callback_url: `${HOST}/held`, priority: 0 },
  );
  const fields = { event_id: "connect" };
  const { import_id } = await task(who, fields);
  await collector.alarm();
  expect(await collector.sent()).toEqual([]);
  expect(await task(who, fields)).toMatchObject({ import_id, repeated: true });

  // The dispatch queues come back first, so that the import completes while the deliveries queue is down.
  down[0]?.mockRestore();
  down[1]?.mockRestore();
  pass(10_000);
  await collector.alarm();
  await settleUntilQuiet(collector);
  expect(await read(who, `/api/imports/${import_id}/`)).toMatchObject({ files: { imported: 1, failed: 0 } });
  down[2]?.mockRestore();
  pass(60_000);
  await settleUntilQuiet(collector);
  await deliverEvent(who.partnerId, `evt_${import_id}`);
  expect(await read(who, `/api/imports/${import_id}/`)).toMatchObject({
    status: "completed",
    event: { status: "delivered", attempts: 1 },
  });
  expect(await read(who, "/api/files/")).toMatchObject({
    data: [{ status: "imported" }, { status: "imported" }],
  });
  expect(outside.to(RECEIVER)).toHaveLength(1);
  expect(outside.to(`${HOST}/live`)).toHaveLength(1);
  expect(outside.to(`${HOST}/held`)).toHaveLength(1);
});

/** Like `settle`, but also runs an alarm that pauses after a fault. */
async function settleUntilQuiet(collector: ReturnType<typeof collectorOf>): Promise<void> {
  await settle(collector);
  await collector.alarm();
  await settle(collector);
}
