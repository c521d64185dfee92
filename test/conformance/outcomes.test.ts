import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { OUTCOMES_GATHERED_FOR_MS } from "../../src/contract/limits.ts";
import { SMALL_RIDE, SMALL_RIDE_START } from "../../src/docs/smallRide.ts";
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

const RIDES = 120;
const USERS = 20;
const SECONDS = 6;

test("live rides of many users are reported together: one event for each time of gathering, each ride once, in sequence, and none before it can be read", async () => {
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
  const lastedFor = (events.at(-1)?.at ?? startedAt) - startedAt;
  expect(events.length).toBeLessThanOrEqual(Math.ceil(lastedFor / OUTCOMES_GATHERED_FOR_MS) + 1);
  expect(delays[0]).toBeGreaterThanOrEqual(0);
}, 240_000);
