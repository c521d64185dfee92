import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SMALL_RIDE, SMALL_RIDE_START } from "../../src/docs/examples.ts";
import { outcomesEventSchema, type OutcomesEvent } from "../../src/outcomes/event.ts";
import { startEventReceiver, type EventReceiver } from "../support/eventReceiver.ts";
import { eventually } from "../support/eventually.ts";
import { ServiceProcess } from "../support/serviceProcess.ts";
import { partnerClient } from "./partnerClient.ts";

let service: ServiceProcess;
let receiver: EventReceiver;
beforeAll(async () => {
  service = await ServiceProcess.start();
  receiver = await startEventReceiver();
}, 180_000);
afterAll(async () => {
  await service.stop();
  await receiver.close();
}, 60_000);

const RIDES = 1_000;
const USERS = 50;
const SECONDS = 60;

test("live rides, a thousand in a minute, are reported in at most 20 events a minute, 95 % within 6 seconds of their import", async () => {
  const credentials = await service.createPartner("outcomes", "--event-url", receiver.url);
  receiver.expect(credentials.webhook_secret);
  const partner = partnerClient(service.url, credentials);
  const chosen = await partner.send("PATCH", "/api/endpoints/ep_default/", {
    event_types: ["file.imported"],
  });
  expect(chosen.status).toBe(200);

  const events: { event: OutcomesEvent; at: number }[] = [];
  const seen = () => {
    for (const { body } of receiver.received.slice(events.length)) {
      events.push({ event: outcomesEventSchema.parse(body), at: Date.now() });
    }
    return events.reduce((sum, { event }) => sum + event.data.outcomes.length, 0);
  };
  const startedAt = Date.now();
  for (let tick = 0; tick < SECONDS * 4; tick += 1) {
    await pause(Math.max(0, startedAt + tick * 250 - Date.now()));
    seen();
    const from = Math.round((tick * RIDES) / (SECONDS * 4));
    const to = Math.round(((tick + 1) * RIDES) / (SECONDS * 4));
    await Promise.all(
      Array.from({ length: to - from }, async (_, index) =>
        partner.ping({
          summary_id: `ride-${from + index}`,
          callback_url: SMALL_RIDE,
          priority: 1,
          user_id: `rider-${(from + index) % USERS}`,
          start_time_in_seconds: SMALL_RIDE_START,
        }),
      ),
    );
  }
  await eventually("all outcomes arrive", 60, () => (seen() >= RIDES ? true : undefined));

  const outcomes = events.flatMap(({ event, at }) =>
    event.data.outcomes.map((outcome) => ({ ...outcome, at })),
  );
  const sequences = outcomes.map(({ sequence }) => sequence).sort((a, b) => a - b);
  expect(sequences).toEqual(Array.from({ length: RIDES }, (_, index) => index + 1));
  const delays = outcomes.map(({ at, updated_at }) => at - Date.parse(updated_at)).sort((a, b) => a - b);
  const p95 = delays[Math.floor(delays.length * 0.95)] ?? Infinity;
  console.log(
    `${events.length} events in ${Math.round((Date.now() - startedAt) / 1_000)} s; p50 ${delays[RIDES / 2]} ms, p95 ${p95} ms, most ${delays.at(-1)} ms`,
  );
  // A busy machine takes longer than a minute to import them.
  const minutes = Math.max(1, ((events.at(-1)?.at ?? startedAt) - startedAt) / 60_000);
  expect(events.length).toBeLessThanOrEqual(Math.ceil(20 * minutes));
  expect(delays[0]).toBeGreaterThanOrEqual(0);
  expect(p95).toBeLessThanOrEqual(6_000);
}, 240_000);
