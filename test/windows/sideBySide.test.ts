import { createMessageBatch } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { wait } from "../../src/concurrency/wait.ts";
import { HOST, ping, read, RECEIVER } from "../flows/partnerActs.ts";
import { send } from "../support/http.ts";
import worker from "../../src/index.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";

/** Simultaneous invocations of each queue. */
const CONSUMERS = 20;
/** Maximum number of a queue's consumers that one partner occupies. */
const MOST_OF_ONE_PARTNER = 16;
/** Generous, because all consumers share one thread with the test. */
const TIMEOUT_MS = 240_000;
const CHECK_EVERY_MS = 5;
/** Interval at which a hanging host checks whether it may end. */
const HANG_CHECK_EVERY_MS = 500;
const HANGING = "https://hanging.example.com";

afterEach(() => {
  vi.restoreAllMocks();
});

/** Returns a queue with concurrent consumers. Delayed messages are not delivered, because no time passes in a test. */
function consumersOf(name: string) {
  const waiting: unknown[] = [];
  const busy = new Set<Promise<void>>();
  let deliveries = 0;
  const startNext = () => {
    while (busy.size < CONSUMERS && waiting.length > 0) {
      deliveries += 1;
      const message = {
        id: `${name}-${deliveries}`,
        timestamp: new Date(),
        attempts: 1,
        body: waiting.shift(),
      };
      const batch = createMessageBatch(`partner-api-${name}`, [message]);
      const done = worker.queue(batch, env).finally(() => busy.delete(done));
      busy.add(done);
    }
  };
  return {
    push: (body: unknown, delaySeconds = 0) => {
      if (delaySeconds === 0) waiting.push(body);
    },
    /** Runs until no message waits and each busy consumer has a hanging request. Returns the number of busy consumers. */
    run: async (hanging: () => number): Promise<number> => {
      while (waiting.length > 0 || busy.size > hanging()) {
        startNext();
        await wait(CHECK_EVERY_MS);
      }
      return busy.size;
    },
    end: async () => Promise.all(busy),
  };
}

/** Simulates hosts that hang until they are released, and one that responds. Returns the hanging requests of each. */
function playHosts() {
  const released = new AbortController();
  const hanging = { files: 0, events: 0 };
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input) => {
    const url = new Request(input).url;
    if (url === RECEIVER) return new Response("thanks");
    if (!url.startsWith(HANGING) && !url.includes(".hanging.example.com")) return new Response(rideFile());
    const kind = url.includes("/events") ? "events" : "files";
    hanging[kind] += 1;
    // Each invocation waits by its own timers, because the runtime ends one that waits for another's promise.
    while (!released.signal.aborted) await wait(HANG_CHECK_EVERY_MS);
    return new Response(null, { status: 503 });
  });
  return {
    hanging,
    release: () => {
      released.abort();
    },
  };
}

function captureQueues() {
  const queues = { priority: consumersOf("priority"), deliveries: consumersOf("deliveries") };
  vi.spyOn(env.PRIORITY, "sendBatch").mockImplementation(async (messages) => {
    for (const { body } of messages) queues.priority.push(body);
    return { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };
  });
  vi.spyOn(env.DELIVERIES, "send").mockImplementation(async (body, options) => {
    queues.deliveries.push(body, options?.delaySeconds);
    return { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };
  });
  return queues;
}

async function sendTestEvent(who: TestPartner): Promise<string> {
  const response = await send(who, "POST", "/api/events/test/");
  expect(response.status).toBe(202);
  const { id } = await response.json<{ id: string }>();
  return id;
}

describe.each([
  ["one host", () => HANGING],
  ["a host each", (index: number) => `https://h${index}.hanging.example.com`],
])("Beside 500 live pings and 100 events of a partner that hang, at %s", (_, hostOf) => {
  test(
    "another partner's ride is readable and its event delivered while all of them hang",
    { timeout: TIMEOUT_MS },
    async () => {
      const stuck = await newPartner({ event_url: `${HANGING}/events` });
      const honest = await newPartner({ event_url: RECEIVER });
      const queues = captureQueues();
      const hosts = playHosts();
      const pings = Array.from({ length: 500 }, (_, index) => ({
        summary_id: `${index}`,
        callback_url: `${hostOf(index)}/${index}`,
        user_id: `user-${index % 100}`,
      }));
      await ping(stuck, ...pings);
      for (let event = 0; event < 100; event += 1) await sendTestEvent(stuck);
      const [file] = await ping(honest, { summary_id: "ride", callback_url: `${HOST}/ride` });
      const eventId = await sendTestEvent(honest);

      const held = await Promise.all([
        queues.priority.run(() => hosts.hanging.files),
        queues.deliveries.run(() => hosts.hanging.events),
      ]);
      for (const consumers of held) expect(consumers).toBeLessThanOrEqual(MOST_OF_ONE_PARTNER);
      expect(await read(honest, `/api/files/${file?.file_id}/`)).toMatchObject({ status: "imported" });
      expect(await read(honest, `/api/events/${eventId}/`)).toMatchObject({ status: "delivered" });

      hosts.release();
      await Promise.all([queues.priority.end(), queues.deliveries.end()]);
    },
  );
});
