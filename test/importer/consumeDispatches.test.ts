import { createMessageBatch, getQueueResult, createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import type { PingCollector } from "../../src/collector/PingCollector.ts";
import worker from "../../src/index.ts";
import { EXCLUSIVE_WAIT_MS, INTAKE_BYTES, requestMemory } from "../../src/memory/budget.ts";
import { HOST, ping, read, SOURCE } from "../flows/partnerActs.ts";
import { once, playOutside } from "../support/outside.ts";
import { newPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { shortenWaits } from "../support/shortWaits.ts";
import { collectorOf, deliverDispatch, settle, type CollectorUnderTest } from "../support/world.ts";

let paused: number[] = [];

beforeEach(() => {
  paused = shortenWaits();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

type Method = "claim" | "report" | "abandon";
/** `refused`: the call did nothing. `result_lost`: the call was carried out, and its result was lost. */
type Failure = "refused" | "result_lost";

/** Makes calls of one method fail, in this order. Later calls succeed. Returns the number of calls. */
function failCalls(method: Method, failures: Failure[]): () => number {
  const left = failures.values();
  let calls = 0;
  const { COLLECTOR } = env;
  const getByName = COLLECTOR.getByName.bind(COLLECTOR);
  vi.spyOn(COLLECTOR, "getByName").mockImplementation((name) => {
    const stub: DurableObjectStub<PingCollector> = getByName(name);
    return new Proxy(stub, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property);
        if (property !== method || typeof value !== "function") return value;
        return async (...args: unknown[]) => {
          calls += 1;
          const failure = left.next().value;
          if (failure === "refused") throw new Error("Durable Object reset because its code was updated.");
          const result: unknown = await Reflect.apply(value, target, args);
          if (failure === "result_lost") throw new Error("Network connection lost.");
          return result;
        };
      },
    });
  });
  return () => calls;
}

const times = (count: number, failure: Failure) => Array<Failure>(count).fill(failure);
/** Maximum number of calls in one delivery of a message: the first, and one after each pause. */
const CALLS = 5;

async function deliver(
  collector: CollectorUnderTest,
  dispatchId: string,
  attempts: number,
  queue = "priority",
) {
  const batch = createMessageBatch(`partner-api-${queue}`, [
    {
      id: `message of ${dispatchId}`,
      timestamp: new Date(),
      attempts,
      body: { collector: collector.name, dispatch_id: dispatchId },
    },
  ]);
  const retry = vi.spyOn(batch.messages[0] ?? { retry: () => undefined }, "retry");
  await worker.queue(batch, env);
  const { explicitAcks } = await getQueueResult(batch, createExecutionContext());
  return { acknowledged: explicitAcks.length === 1, retried: retry.mock.calls.map(([options]) => options) };
}

async function liveRide() {
  const who = await newPartner();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const outside = playOutside({ [`${HOST}/1`]: once(rideFile()) });
  const [file] = await ping(who, { summary_id: "1", callback_url: `${HOST}/1` });
  const [sent] = await collector.sent();
  const status = async () => (await read(who, `/api/files/${file?.file_id}/`))["status"];
  return {
    collector,
    dispatchId: sent?.dispatch_id ?? "",
    downloads: () => outside.to(`${HOST}/1`).length,
    status,
  };
}

const DONE = { acknowledged: true, retried: [] };
const AGAIN = { acknowledged: false, retried: [{ delaySeconds: 1 }] };

describe.each(["claim", "report"] as const)("A live ride with a failing %s", (method) => {
  test.each<Failure>(["refused", "result_lost"])(
    "a few times is imported by the same delivery: %s",
    async (failure) => {
      const { collector, dispatchId, downloads, status } = await liveRide();
      const calls = failCalls(method, times(CALLS - 1, failure));
      expect(await deliver(collector, dispatchId, 1)).toEqual(DONE);
      expect({ calls: calls(), paused, downloads: downloads(), status: await status() }).toEqual({
        calls: CALLS,
        paused: [250, 500, 1_000, 2_000],
        downloads: 1,
        status: "imported",
      });
    },
  );

  test.each<Failure>(["refused", "result_lost"])(
    "for a whole delivery is imported by the next one, without waiting for a lease or a claim: %s",
    async (failure) => {
      const { collector, dispatchId, downloads, status } = await liveRide();
      const now = Date.now();
      vi.useFakeTimers({ toFake: ["Date"] });
      vi.setSystemTime(now);
      failCalls(method, times(CALLS, failure));
      expect(await deliver(collector, dispatchId, 1)).toEqual(AGAIN);
      vi.setSystemTime(now + 1_000);
      expect(await deliver(collector, dispatchId, 2)).toEqual(DONE);
      await settle(collector);
      expect({ downloads: downloads(), status: await status() }).toEqual({
        downloads: 1,
        status: "imported",
      });
    },
  );
});

test("A message that is delivered twice at the same time is processed once, however late its claim returns", async () => {
  const { collector, dispatchId, downloads, status } = await liveRide();
  failCalls("claim", ["result_lost"]);
  const both = await Promise.all([deliver(collector, dispatchId, 1), deliver(collector, dispatchId, 1)]);
  expect(both).toEqual([DONE, DONE]);
  expect({ downloads: downloads(), status: await status() }).toEqual({ downloads: 1, status: "imported" });
});

test("A dead letter is redelivered when its collector cannot be reached, and its work is then sent immediately", async () => {
  const { collector, dispatchId, status } = await liveRide();
  failCalls("abandon", ["refused"]);
  expect(await deliver(collector, dispatchId, 1, "dispatches-dead")).toEqual(AGAIN);
  expect(await deliver(collector, dispatchId, 2, "dispatches-dead")).toEqual(DONE);
  await settle(collector);
  expect(await status()).toBe("imported");
});

describe("A file after two crashes of its importers", () => {
  async function suspected() {
    const ride = await liveRide();
    const now = Date.now();
    vi.useFakeTimers({ toFake: ["Date", "setInterval", "clearInterval"] });
    vi.setSystemTime(now);
    let dispatchId = ride.dispatchId;
    for (let death = 1; death <= 2; death += 1) {
      expect(await ride.collector.claim(dispatchId)).toMatchObject({ exclusive: false });
      vi.setSystemTime(Date.now() + 61_000);
      await ride.collector.alarm();
      vi.setSystemTime(Date.now() + 11_000);
      await ride.collector.alarm();
      const [next] = await ride.collector.sent();
      dispatchId = next?.dispatch_id ?? "";
    }
    return { ...ride, dispatchId };
  }

  test("is imported by the third importer, alone in memory", async () => {
    const { collector, dispatchId, status } = await suspected();
    expect(await deliver(collector, dispatchId, 1, "retry")).toEqual(DONE);
    expect(await status()).toBe("imported");
    const afterwards = requestMemory(collector.name);
    expect(afterwards.tryGrowTo(INTAKE_BYTES)).toBe(true);
    afterwards.release();
  });

  test("is retried later, and does not fail, while other files are in memory", async () => {
    const { collector, dispatchId, downloads, status } = await suspected();
    const other = requestMemory("another-partner");
    expect(other.tryGrowTo(INTAKE_BYTES)).toBe(true);
    paused.length = 0;
    const delivered = deliver(collector, dispatchId, 1, "retry");
    await vi.waitFor(() => expect(paused).not.toEqual([]));
    vi.advanceTimersByTime(EXCLUSIVE_WAIT_MS);
    expect(await delivered).toEqual(DONE);
    expect({ downloads: downloads(), status: await status() }).toEqual({ downloads: 0, status: "queued" });
    other.release();
    vi.setSystemTime(Date.now() + 60 * 60_000);
    await collector.alarm();
    const [next] = await collector.sent();
    expect(await collector.claim(next?.dispatch_id ?? "")).toMatchObject({ exclusive: true });
  });
});

test("A redirect to a host of this service is rejected", async () => {
  const who = await newPartner();
  const outside = playOutside({
    [`${HOST}/1`]: () =>
      new Response(null, { status: 302, headers: { Location: "https://api.example.com/health/" } }),
  });
  const [file] = await ping(who, { summary_id: "1", callback_url: `${HOST}/1` });
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({
    status: "failed",
    error: { code: "callback_refused" },
  });
  expect(outside.to("https://api.example.com/health/")).toHaveLength(0);
});

test("the line of a dispatch tells a store of the service that fails from a host that fails", async () => {
  const who = await newPartner();
  playOutside({
    [`${HOST}/ride`]: () => new Response(rideFile()),
    [`${HOST}/dead`]: () => new Response("", { status: 503 }),
  });
  const written = vi.spyOn(console, "log");
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const linesOfDispatches = () =>
    written.mock.calls.flatMap(([text]) => {
      const line = z.looseObject({ unit: z.string() }).parse(JSON.parse(String(text)));
      return line.unit === "dispatch" ? [line] : [];
    });
  await ping(who, { summary_id: "dead", callback_url: `${HOST}/dead` });
  for (const { dispatch_id } of await collector.sent()) await deliverDispatch(collector, dispatch_id);
  expect(linesOfDispatches()).toMatchObject([{ try_again: 1, own_faults: 0 }]);

  written.mockClear();
  vi.spyOn(env.FILES, "put").mockRejectedValue(new Error("put: Service Unavailable (10043)"));
  await ping(who, { summary_id: "ride", callback_url: `${HOST}/ride` });
  for (const { dispatch_id } of await collector.sent()) await deliverDispatch(collector, dispatch_id);
  expect(linesOfDispatches().filter((line) => line["outcome"] === "done")).toMatchObject([
    { try_again: 1, own_faults: 1 },
  ]);
});
