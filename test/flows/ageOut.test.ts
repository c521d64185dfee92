import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { sweepExpiredEvents } from "../../src/deliveries/sweep.ts";
import { randomId } from "../../src/identifiers.ts";
import { INSERT_REDECODE } from "../../src/operator/jobs/write.ts";
import { runScheduled } from "../../src/scheduled.ts";
import { countsOf } from "../../src/imports/counts.pure.ts";
import { once, playOutside } from "../support/outside.ts";
import { newPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { seedDelivery } from "../support/rows.ts";
import { collectorOf, settle } from "../support/world.ts";
import { HOST, ping, SOURCE, task } from "./partnerActs.ts";
import { databaseOf } from "../support/databases.ts";

const DAY_MS = 24 * 60 * 60_000;
const now = Date.parse("2026-11-25T12:00:00Z");

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test("a test event can be read for 30 days, and an import's event until its user is erased", async () => {
  const { partnerId } = await newPartner();
  await seedDelivery(partnerId, "evt_old", { type: "test.ping", created_at: now - 30 * DAY_MS - 1 });
  await seedDelivery(partnerId, "evt_forged_old", { type: "test.forged", created_at: now - 30 * DAY_MS - 1 });
  await seedDelivery(partnerId, "evt_young", { type: "test.ping", created_at: now - 30 * DAY_MS + 1 });
  await seedDelivery(partnerId, "evt_import", { created_at: now - 400 * DAY_MS });
  await runScheduled(env, now);
  const left = await databaseOf(partnerId)
    .prepare("SELECT delivery_id FROM deliveries WHERE partner_id = ? ORDER BY delivery_id")
    .bind(partnerId)
    .all();
  expect(left.results.map((row) => row["delivery_id"])).toEqual(["evt_import", "evt_young"]);
});

test("old test events are found by an index, without reading every event", async () => {
  const prepared = vi.spyOn(env.DB, "prepare");
  await sweepExpiredEvents(env, now);
  const sql = prepared.mock.calls[0]?.[0] ?? "";
  prepared.mockRestore();
  const plan = await env.DB.prepare(`EXPLAIN QUERY PLAN ${sql}`).bind(1, 1).all<{ detail: string }>();
  expect(plan.results.map((step) => step.detail).join("\n")).toMatch(/INDEX expiring_events/);
});

test("a finished job can be read for 30 days; an unfinished job stays", async () => {
  const jobs = { old: now - 30 * DAY_MS - 1, young: now - 30 * DAY_MS + 1, unfinished: null };
  const ids = new Map<string, string>();
  for (const [name, finishedAt] of Object.entries(jobs)) {
    const id = randomId();
    ids.set(id, name);
    await env.DB.batch([
      env.DB.prepare(INSERT_REDECODE).bind(id, JSON.stringify({ since: now, code: null })),
      // Another run has claimed it, so that this one does not finish it.
      env.DB.prepare("UPDATE operator_jobs SET finished_at = ?, claimed_until = ? WHERE job_id = ?").bind(
        finishedAt,
        now + DAY_MS,
        id,
      ),
    ]);
  }
  await runScheduled(env, now);
  const left = await env.DB.prepare("SELECT job_id FROM operator_jobs").all();
  expect(left.results.map((row) => ids.get(String(row["job_id"])) ?? "").sort()).toEqual([
    "unfinished",
    "young",
  ]);
});

test("an imported file needs little storage in its collector, without its URL, and is still known years later", async () => {
  const who = await newPartner();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const callback_url = `${HOST}/ride?token=${"t".repeat(2_000)}`;
  playOutside({ [callback_url]: once(rideFile()) });
  await ping(who, { summary_id: "ride", callback_url });
  await settle(collector);
  const ledger = await runInDurableObject(collector.stub, (_, state) =>
    JSON.stringify(state.storage.sql.exec("SELECT * FROM files").one()),
  );
  expect(ledger).toContain("imported");
  expect(ledger).not.toContain("token");
  expect(ledger.length).toBeLessThan(800);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 1_000 * DAY_MS });
  await collector.alarm();
  const again = await ping(who, { summary_id: "ride", callback_url: `${HOST}/another` });
  expect(again).toMatchObject([{ status: "duplicate" }]);
});

test("a collector deletes a completed import after 30 days, and the partner can still read it", async () => {
  const who = await newPartner();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  await ping(who, { summary_id: "ride", priority: 0, callback_url: "https://gone.example.com/ride" });
  const { import_id } = await task(who, {});
  vi.spyOn(globalThis, "fetch").mockImplementation(async () => new Response(null, { status: 410 }));
  await settle(collector);
  const closed = { ...countsOf({ total: 1, failed: 1 }), status: "completed_with_failures" };
  const start = Date.now();
  for (const [days, kept] of [
    [29, closed],
    [31, null],
  ] as const) {
    vi.useFakeTimers({ toFake: ["Date"], now: start + days * DAY_MS });
    await collector.alarm();
    expect(await collector.stub.readImport(import_id)).toEqual(kept);
  }
  const row = await databaseOf(who)
    .prepare("SELECT status, failed FROM imports WHERE import_id = ?")
    .bind(import_id)
    .first();
  expect(row).toEqual({ status: "completed_with_failures", failed: 1 });
});
