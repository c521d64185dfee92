import { createMessageBatch } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import worker from "../../src/index.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, deliverDispatch, type CollectorUnderTest } from "../support/world.ts";
import { HOST, ping, SOURCE, task } from "../flows/partnerActs.ts";

/** Number of connections of one invocation that the platform lets wait for headers. */
const CONNECTIONS = 6;

afterEach(() => {
  vi.restoreAllMocks();
});

/** Makes every request wait for its headers until it is released. `waiting`: requests that wait now. */
function hangingHost() {
  const waiting: (() => void)[] = [];
  let most = 0;
  let requests = 0;
  vi.spyOn(globalThis, "fetch").mockImplementation(async () => {
    requests += 1;
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
      most = Math.max(most, waiting.length);
    });
    return new Response(rideFile());
  });
  return {
    most: () => most,
    requests: () => requests,
    /** Responds to all waiting and later requests, until this many were sent. */
    answer: async (files: number) => {
      let answered = 0;
      while (answered < files) {
        await vi.waitFor(() => expect(waiting.length).toBeGreaterThan(0));
        for (const letGo of waiting.splice(0)) {
          letGo();
          answered += 1;
        }
      }
    },
  };
}

async function hold(who: TestPartner, files: number): Promise<CollectorUnderTest> {
  const pings = Array.from({ length: files }, (_, index) => ({
    summary_id: `ride-${index}`,
    callback_url: `${HOST}/${index}`,
    priority: 0 as const,
  }));
  await ping(who, ...pings);
  return collectorOf(who.partnerId, "user-1", SOURCE);
}

describe("A host that delays its headers", () => {
  test("occupies at most six connections of an invocation, however many files a message has", async () => {
    const who = await newPartner();
    const collector = await hold(who, 25);
    await task(who);
    await collector.alarm();
    const [dispatch] = await collector.sent();
    const host = hangingHost();
    const done = deliverDispatch(collector, dispatch?.dispatch_id ?? "", "partner-api-bulk");
    await host.answer(25);
    await done;
    expect({ requests: host.requests(), most: host.most() }).toEqual({ requests: 25, most: CONNECTIONS });
  });

  test("occupies at most six connections of an invocation, however many messages come together", async () => {
    const who = await newPartner();
    const collector = await hold(who, 60);
    await task(who);
    await collector.alarm();
    const sent = await collector.sent();
    expect(sent).toHaveLength(3);
    const host = hangingHost();
    const messages = sent.map(({ dispatch_id }) => ({
      id: dispatch_id,
      timestamp: new Date(),
      attempts: 1,
      body: { collector: collector.name, dispatch_id },
    }));
    const done = worker.queue(createMessageBatch("partner-api-retry", messages), env);
    await host.answer(60);
    await done;
    expect({ requests: host.requests(), most: host.most() }).toEqual({ requests: 60, most: CONNECTIONS });
  });
});

describe("A history of thousands of files", () => {
  test("has at most eight messages in the queue, so that another partner's message is the ninth at the latest", async () => {
    const queued: string[] = [];
    const sendBatch = env.BULK.sendBatch.bind(env.BULK);
    vi.spyOn(env.BULK, "sendBatch").mockImplementation(async (messages) => {
      const batch = [...messages];
      for (const { body } of batch) queued.push(body.collector);
      return sendBatch(batch);
    });
    const [large, small] = [await newPartner(), await newPartner()];
    const history = await hold(large, 2_000);
    await task(large);
    await history.alarm();
    await history.alarm();
    const other = await hold(small, 10);
    await task(small);
    await other.alarm();
    expect(queued).toEqual([...Array<string>(8).fill(history.name), other.name]);

    // Each finished message makes room for another one.
    vi.spyOn(globalThis, "fetch").mockImplementation(async () => new Response(null, { status: 410 }));
    const [first] = await history.sent();
    await deliverDispatch(history, first?.dispatch_id ?? "", "partner-api-bulk");
    await history.alarm();
    expect(queued.slice(9)).toEqual([history.name]);
  });
});
