import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { enterHost } from "../../src/windows/client.ts";
import { HOST, ping, read, SOURCE, task } from "../flows/partnerActs.ts";
import { once, playOutside } from "../support/outside.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { shortenWaits } from "../support/shortWaits.ts";
import { collectorOf, deliverDispatch, type CollectorUnderTest } from "../support/world.ts";
import { databaseOf } from "../support/databases.ts";

const HOUR = 60 * 60_000;
const OTHER = "https://other.example.com";
const hostOf = (url: string) => new URL(url).host;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function pass(milliseconds: number): void {
  vi.setSystemTime(Date.now() + milliseconds);
}

/** Makes the partner's host suspended: a request for another file has timed out. */
async function suspend(who: TestPartner, url = HOST): Promise<void> {
  const lease = await enterHost(env, who.partnerId, "RETRY", hostOf(url), 1);
  await lease.leave({ answers: 0, timeouts: 1 });
}

/** Sends the due dispatches and delivers them to the importer. Returns their queues. */
async function deliverDue(collector: CollectorUnderTest): Promise<string[]> {
  const sends = (["PRIORITY", "BULK", "RETRY"] as const).map((queue) => ({
    queue,
    spy: vi.spyOn(env[queue], "sendBatch"),
  }));
  await collector.alarm();
  for (const { dispatch_id } of await collector.sent()) {
    await deliverDispatch(collector, dispatch_id, "partner-api-retry");
  }
  const queues = sends.flatMap(({ queue, spy }) =>
    spy.mock.calls.flatMap(([messages]) => [...messages].map(() => queue)),
  );
  for (const { spy } of sends) spy.mockRestore();
  return queues;
}

describe("a live ride at a suspended host", () => {
  test("goes to the RETRY queue before its GET, without an attempt, and is imported by one GET", async () => {
    const who = await newPartner();
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    const outside = playOutside({ [`${HOST}/1`]: once(rideFile()) });
    await suspend(who);
    const [file] = await ping(who, { summary_id: "1", callback_url: `${HOST}/1` });
    const [sent] = await collector.sent();
    await deliverDispatch(collector, sent?.dispatch_id ?? "");
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({
      status: "queued",
      attempts: 0,
      error: null,
    });
    expect(outside.sent).toEqual([]);
    pass(10_000);
    expect(await deliverDue(collector)).toEqual(["RETRY"]);
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({
      status: "imported",
      attempts: 1,
    });
    expect(outside.sent).toHaveLength(1);
  });

  test("fails after six hours without an attempt, and can be retried", async () => {
    const who = await newPartner();
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    const outside = playOutside({});
    await suspend(who);
    const [file] = await ping(who, { summary_id: "1", callback_url: `${HOST}/1` });
    const startedAt = Date.now();
    let messages = 0;
    const status = async () => (await read(who, `/api/files/${file?.file_id}/`))["status"];
    while ((await status()) === "queued" && messages < 100) {
      await suspend(who);
      messages += (await deliverDue(collector)).length;
      const next = await collector.alarmAt();
      if (next !== null && next > Date.now()) vi.setSystemTime(next);
    }
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({
      status: "failed",
      attempts: 0,
      error: { code: "callback_timeout", http_status: null, retryable: true },
    });
    const hours = (Date.now() - startedAt) / HOUR;
    expect(hours).toBeGreaterThanOrEqual(6);
    expect(hours).toBeLessThan(7);
    // Pauses grow, so that an outage of hours does not cost a message per second.
    expect(messages).toBeLessThan(30);
    expect(outside.sent).toEqual([]);
  });
});

describe("a history with files on two hosts", () => {
  async function released(files: Record<string, () => Response | Promise<Response>>) {
    const who = await newPartner();
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    const outside = playOutside(files);
    const urls = Object.keys(files);
    await ping(
      who,
      ...urls.map((callback_url, index) => ({ summary_id: `${index}`, callback_url, priority: 0 as const })),
    );
    const { import_id } = await task(who);
    await collector.alarm();
    const [sent] = await collector.sent();
    const deliver = () => deliverDispatch(collector, sent?.dispatch_id ?? "", "partner-api-bulk");
    return { who, collector, outside, deliver, counts: () => read(who, `/api/imports/${import_id}/`) };
  }
  const ride = (index: number) => new Response(rideFile({ startInSeconds: 1_750_000_000 + index * 10_000 }));

  test("imports the files of the host that responds, and postpones those of the suspended host together", async () => {
    const files = Object.fromEntries(
      Array.from({ length: 20 }, (_, index) => [
        `${index % 2 === 0 ? HOST : OTHER}/${index}`,
        () => ride(index),
      ]),
    );
    const { who, collector, outside, deliver, counts } = await released(files);
    await (await enterHost(env, who.partnerId, "BULK", hostOf(OTHER), 1)).leave({ answers: 1, timeouts: 0 });
    await suspend(who);
    await deliver();
    expect(await counts()).toMatchObject({ files: { imported: 10, pending: 10, failed: 0 } });
    expect(outside.sent.every(({ url }) => url.startsWith(OTHER))).toBe(true);
    pass(10_000);
    expect(await deliverDue(collector)).toEqual(["RETRY"]);
    expect(await counts()).toMatchObject({ files: { imported: 20, pending: 0, failed: 0 } });
    expect(outside.sent).toHaveLength(20);
  });

  test("requests three files of a host that stops responding, and not the others", async () => {
    const hang = async () => {
      // Later than a response counts as recent.
      pass(10_000);
      throw new TypeError("Network connection lost.");
    };
    const files = Object.fromEntries(Array.from({ length: 25 }, (_, index) => [`${HOST}/${index}`, hang]));
    const { outside, deliver, counts } = await released(files);
    await deliver();
    expect(outside.sent.length).toBeLessThanOrEqual(6);
    expect(await counts()).toMatchObject({ files: { imported: 0, pending: 25, failed: 0 } });
  });
});

test("Windows that cannot be reached postpone a file without an attempt", async () => {
  const who = await newPartner();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const outside = playOutside({ [`${HOST}/1`]: once(rideFile()) });
  const down = vi.spyOn(env.WINDOWS, "getByName").mockImplementation(() => {
    throw new Error("Durable Object reset because its code was updated.");
  });
  const waits = shortenWaits();
  const [file] = await ping(who, { summary_id: "1", callback_url: `${HOST}/1` });
  await deliverDue(collector);
  expect(waits.slice(0, 4)).toEqual([250, 500, 1_000, 2_000]);
  expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({ status: "queued", attempts: 0 });
  expect(outside.sent).toEqual([]);
  down.mockRestore();
  pass(10_000);
  await deliverDue(collector);
  expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({ status: "imported", attempts: 1 });
});

test("An overloaded D1 delays a dispatch of 25 files as one message, and no file is downloaded again", async () => {
  const who = await newPartner();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const urls = Array.from({ length: 25 }, (_, index) => `${HOST}/${index}`);
  const outside = playOutside(Object.fromEntries(urls.map((url) => [url, once(rideFile())])));
  await ping(
    who,
    ...urls.map((callback_url, index) => ({ summary_id: `${index}`, callback_url, priority: 0 as const })),
  );
  const { import_id } = await task(who);
  await collector.alarm();
  const overloaded = vi
    .spyOn(databaseOf(who), "batch")
    .mockRejectedValue(new Error("D1_ERROR: D1 DB is overloaded."));
  const [sent] = await collector.sent();
  await deliverDispatch(collector, sent?.dispatch_id ?? "", "partner-api-bulk");
  pass(6_000);
  expect(await deliverDue(collector)).toEqual(["RETRY"]);
  overloaded.mockRestore();
  pass(60_000);
  await deliverDue(collector);
  await collector.alarm();
  expect(await read(who, `/api/imports/${import_id}/`)).toMatchObject({ files: { imported: 25 } });
  expect(outside.sent).toHaveLength(25);
});
