import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { clockFor } from "../../src/collector/clock.pure.ts";
import { sweepSources } from "../../src/sources/sweep.ts";
import { castTo } from "../model/platform.ts";
import { allDatabases } from "../../src/database/databases.ts";
import { newPartner } from "../support/partner.ts";
import { collectorOf, type CollectorUnderTest } from "../support/world.ts";
import { HOST, ping, read, SOURCE } from "../flows/partnerActs.ts";
import { databaseOf } from "../support/databases.ts";

beforeEach(async () => {
  // The round visits the collectors of all partners.
  for (const database of allDatabases(env)) {
    await database.batch([
      database.prepare("DELETE FROM user_sources"),
      database.prepare("DELETE FROM source_rounds"),
    ]);
  }
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const WAKES_PER_RUN = clockFor(env.ENVIRONMENT).wakesPerRun;
const HELD = { summary_id: "1", callback_url: `${HOST}/1`, priority: 0 } as const;

const alarmOf = async ({ stub }: CollectorUnderTest) =>
  runInDurableObject(stub, async (_instance, { storage }) => storage.getAlarm());

/** Deletes the alarm, as the platform does after six failed deliveries. */
async function loseAlarm({ stub }: CollectorUnderTest): Promise<void> {
  await runInDurableObject(stub, async (_instance, { storage }) => storage.deleteAlarm());
  await evictDurableObject(stub);
}

function setbacks(): unknown[] {
  const lines: unknown[] = [];
  vi.spyOn(console, "log").mockImplementation((line: unknown) => {
    const parsed: unknown = JSON.parse(String(line));
    lines.push(parsed);
  });
  return lines;
}

/** Sets the clock an hour ahead of the one that runs alarms, so that no alarm runs by itself. */
function stopAlarms(): void {
  const now = Date.now();
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(now + 60 * 60_000);
}

test("any call sets an alarm again that the platform has dropped", async () => {
  const who = await newPartner();
  stopAlarms();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  await ping(who, HELD);
  await loseAlarm(collector);
  expect(await alarmOf(collector)).toBeNull();
  const lines = setbacks();
  await collector.stub.readImport("none");
  expect(await alarmOf(collector)).toBeLessThanOrEqual(Date.now() + 1_000);
  expect(lines).toContainEqual(
    expect.objectContaining({ unit: "setback", outcome: "alarm_set_again", collector: collector.name }),
  );
  await collector.alarm();
  expect(await read(who, "/api/files/")).toMatchObject({ data: [{ status: "held" }] });
});

test("an alarm that is minutes late is set again by the running object, and an alarm on time does not change", async () => {
  const who = await newPartner();
  stopAlarms();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  await ping(who, HELD);
  const planned = await alarmOf(collector);
  expect(await collector.stub.wake()).toBe(false);
  vi.setSystemTime(Date.now() + 2 * 60_000);
  expect(await collector.stub.wake()).toBe(false);
  expect(await alarmOf(collector)).toBe(planned);
  vi.setSystemTime(Date.now() + 10 * 60_000);
  expect(await collector.stub.wake()).toBe(true);
  expect(await alarmOf(collector)).toBeGreaterThan(planned ?? 0);
});

test("an alarm that is minutes late and has no work does not keep a later ping from setting its own", async () => {
  const who = await newPartner();
  stopAlarms();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  await ping(who, HELD);
  await collector.alarm();
  const late = Date.now() - 10 * 60_000;
  await runInDurableObject(collector.stub, async (instance, { storage }) => {
    storage.sql.exec("DELETE FROM files");
    storage.sql.exec("UPDATE identity SET housekeeping_at = NULL");
    await storage.setAlarm(late);
    return instance;
  });
  await evictDurableObject(collector.stub);
  await ping(who, { ...HELD, summary_id: "2" });
  expect(await alarmOf(collector)).toBeGreaterThan(Date.now() - 1_000);
});

test("the scheduled sweep finds a collector without calls, and its pings become readable", async () => {
  const who = await newPartner();
  stopAlarms();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  await ping(who, HELD, { ...HELD, source: "phone" });
  await loseAlarm(collector);
  setbacks();
  expect(await sweepSources(env)).toBe(1);
  expect(await sweepSources(env)).toBe(0);
  await collector.alarm();
  expect(await read(who, "/api/files/")).toMatchObject({ data: [{ source: SOURCE }] });
});

test("a round visits every collector once, a limited number per minute and ten at a time, then starts again", async () => {
  const who = await newPartner();
  const sources = 2 * WAKES_PER_RUN + 5;
  await databaseOf(who)
    .prepare(
      `INSERT INTO user_sources (partner_id, user_id, source, version)
     SELECT ?1, 'user-' || (value % 7), 'source-' || value, 1 FROM json_each(?2)`,
    )
    .bind(who.partnerId, JSON.stringify(Array.from({ length: sources }, (_, index) => index)))
    .run();
  const visits: string[] = [];
  let underway = 0;
  let most = 0;
  vi.spyOn(env.COLLECTOR, "getByName").mockImplementation((name) =>
    castTo({
      wake: async () => {
        visits.push(name);
        underway += 1;
        most = Math.max(most, underway);
        await Promise.resolve();
        underway -= 1;
        // a collector that cannot be reached delays no other.
        if (visits.length === 3) throw new Error("the collector is away");
        return false;
      },
    }),
  );
  const perRun: number[] = [];
  for (let run = 0; run < 4; run += 1) {
    const before = visits.length;
    await sweepSources(env);
    perRun.push(visits.length - before);
  }
  expect(perRun).toEqual([WAKES_PER_RUN, WAKES_PER_RUN, 5, WAKES_PER_RUN]);
  expect(new Set(visits.slice(0, sources)).size).toBe(sources);
  expect(most).toBeLessThanOrEqual(10);
});

test("a source that a restored database has lost is listed again at the next change of a file", async () => {
  const who = await newPartner();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const sources = async () =>
    (
      await databaseOf(who)
        .prepare("SELECT source FROM user_sources WHERE partner_id = ?")
        .bind(who.partnerId)
        .all()
    ).results;
  await ping(who, HELD);
  await collector.alarm();
  expect(await sources()).toEqual([{ source: SOURCE }]);
  await databaseOf(who).prepare("DELETE FROM user_sources WHERE partner_id = ?").bind(who.partnerId).run();
  await ping(who, { ...HELD, summary_id: "2" });
  await collector.alarm();
  expect(await sources()).toEqual([{ source: SOURCE }]);
});
