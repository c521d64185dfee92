import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { randomId } from "../../src/identifiers.ts";
import { enterHost } from "../../src/windows/client.ts";
import { SLOTS_OF_PARTNER, WAITING_OF_PARTNER } from "../../src/windows/partner.pure.ts";
import { FIRST_SIZE } from "../../src/windows/window.pure.ts";
import { shortenWaits } from "../support/shortWaits.ts";

const HOST = "files.example.com:8443";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const enter = (partnerId: string, host = HOST) => enterHost(env, partnerId, "PRIORITY", host, 1);

test("a ride without a free slot at a responsive host waits for the next slot, and is not postponed", async () => {
  const partnerId = randomId();
  await (await enter(partnerId)).leave({ answers: 100, timeouts: 0 });
  const held = await Promise.all(Array.from({ length: 16 }, () => enter(partnerId)));
  const waiting = enter(partnerId);
  await held[0]?.leave({ answers: 1, timeouts: 0 });
  expect((await waiting).admission).toEqual({ slots: 1 });
});

test("a ride without a free slot at a host without a response for a second is postponed immediately", async () => {
  const partnerId = randomId();
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
  await Promise.all(Array.from({ length: FIRST_SIZE }, () => enter(partnerId)));
  vi.setSystemTime(Date.now() + 1_001);
  const waits = shortenWaits();
  expect((await enter(partnerId)).admission).toHaveProperty("postponed_for_ms");
  expect(waits).toEqual([]);
});

test("a few callers wait for a slot at a busy host; the others are postponed immediately, each for another time", async () => {
  const partnerId = randomId();
  await (await enter(partnerId)).leave({ answers: 100, timeouts: 0 });
  await Promise.all(Array.from({ length: SLOTS_OF_PARTNER.PRIORITY }, () => enter(partnerId)));
  const waits = shortenWaits();
  const crowd = await Promise.all(Array.from({ length: 60 }, () => enter(partnerId)));
  const pauses = crowd.map(({ admission }) => ("slots" in admission ? 0 : admission.postponed_for_ms));
  expect(new Set(pauses).size).toBe(crowd.length);
  expect(Math.min(...pauses)).toBeGreaterThan(0);
  // Each waits for 12 checks at most.
  expect(waits.length).toBeLessThanOrEqual(12 * WAITING_OF_PARTNER.PRIORITY);
});

test("a host that hangs for one partner is open to another partner", async () => {
  const partnerId = randomId();
  await (await enter(partnerId)).leave({ answers: 0, timeouts: 1 });
  expect((await enter(partnerId)).admission).toHaveProperty("postponed_for_ms");
  expect((await enter(randomId())).admission).toEqual({ slots: 1 });
});

test("the suspension of a host writes one log line with partner, host and port", async () => {
  const log = vi.spyOn(console, "log").mockImplementation(() => undefined);
  const partnerId = randomId();
  const leases = await Promise.all([enter(partnerId), enter(partnerId)]);
  for (const lease of leases) await lease.leave({ answers: 0, timeouts: 1 });
  expect(log.mock.calls.map(([line]): unknown => JSON.parse(String(line)))).toEqual([
    { unit: "setback", outcome: "host_suspended", partner_id: partnerId, host: HOST, lane: "PRIORITY" },
  ]);
});

test("windows are new after an eviction, and results of earlier requests still count", async () => {
  const partnerId = randomId();
  const hanging = await enter(partnerId);
  await (await enter(partnerId)).leave({ answers: 0, timeouts: 1 });
  await evictDurableObject(env.WINDOWS.getByName(partnerId));
  expect((await enter(partnerId)).admission).toEqual({ slots: 1 });
  await hanging.leave({ answers: 0, timeouts: 1 });
  expect((await enter(partnerId)).admission).toHaveProperty("postponed_for_ms");
});
