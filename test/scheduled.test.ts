import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { randomId } from "../src/identifiers.ts";
import { INSERT_ACT, READ_JOB } from "../src/operator/jobs/write.ts";
import { STATEMENTS_PER_INVOCATION } from "../src/database/databases.ts";
import { runScheduled } from "../src/scheduled.ts";

afterEach(() => vi.restoreAllMocks());

const EXAMINE = JSON.stringify({ action: "examine", partner_id: "", id: "" });
const HALF_PAST = Date.parse("2026-11-25T12:30:00Z");

async function lineOf(environment: typeof env, nowMs: number): Promise<unknown> {
  const lines: unknown[] = [];
  vi.spyOn(console, "log").mockImplementation((line: unknown) => {
    lines.push(line);
  });
  await runScheduled(environment, nowMs);
  expect(lines).toHaveLength(1);
  return JSON.parse(String(lines[0]));
}

test("each run of the clock writes one line, also when it finds nothing, so that a stopped clock is noticed", async () => {
  expect(await lineOf(env, HALF_PAST)).toEqual({
    unit: "scheduled",
    deliveries: 0,
    recovered_events: 0,
    partner_settings: 0,
    erasures: 0,
    expired_erasures: 0,
    expired_deletions: 0,
    operator_jobs: 0,
    operator_actions: 0,
    finished_jobs: 0,
    lost_alarms: 0,
    expired_events: 0,
    unreported_outcomes: 0,
    discarded_objects: 0,
    idempotent_requests: 0,
    stale_batches: 0,
    missing_files: 0,
    usage: 0,
    usage_days: 0,
    inline_bytes: 0,
    database_bytes: expect.any(Number),
    database_share: expect.closeTo(0, 2),
    outcome: "done",
    milliseconds: expect.any(Number),
  });
});

test("the line names a sweep with a store that is down, without the store's message, and the other sweeps run", async () => {
  const down = new Proxy(env.DB, {
    get() {
      throw new Error("SELECT secret");
    },
  });
  const line = await lineOf({ ...env, DB: down }, HALF_PAST);
  expect(line).toEqual({
    unit: "scheduled",
    outcome: "fault",
    fault:
      "database_size:Error deliveries:Error recovered_events:Error partner_settings:Error unreported_outcomes:Error expired_erasures:Error expired_deletions:Error operator_jobs:Error operator_actions:Error discarded_objects:Error idempotent_requests:Error expired_events:Error finished_jobs:Error lost_alarms:Error stale_batches:Error missing_files:Error usage:Error usage_days:Error inline_bytes:Error erasures:Error",
    milliseconds: expect.any(Number),
  });
  expect(JSON.stringify(line)).not.toContain("secret");
});

test("while one database is down, the clock does the work of the others", async () => {
  const down = new Proxy(env.DB, {
    get() {
      throw new Error("the database is down");
    },
  });
  const other = env.DB_2;
  if (other === undefined) throw new Error("wrangler.toml declares DB_2");
  const jobId = randomId();
  await other.prepare(INSERT_ACT).bind(jobId, EXAMINE).run();

  await lineOf({ ...env, DB: down }, Date.now());

  expect(await other.prepare(READ_JOB).bind(jobId).first()).toMatchObject({
    finished_at: expect.any(Number),
  });
});

test("with a hundred databases and much work in each, a run stays below D1's limit of statements, and each minute begins with another database", async () => {
  const asked: string[] = [];
  const real = env.DB;
  const counting = (name: string) =>
    new Proxy(real, {
      get(target, key) {
        if (key === "prepare") asked.push(name);
        const member: unknown = Reflect.get(target, key, target);
        return typeof member === "function" ? (member.bind(target) as unknown) : member;
      },
    });
  const names = Array.from({ length: 100 }, (_, index) => (index === 0 ? "DB" : `DB_${index + 1}`));
  const many = { ...env, ...Object.fromEntries(names.map((name) => [name, counting(name)])) };
  for (let user = 0; user < 60; user += 1) {
    await real
      .prepare(
        `INSERT INTO erased (partner_id, user_hash, before_version, user_id, next_sweep_at, sweeps_left)
         VALUES (?, ?, 1, 'u', 0, 2)`,
      )
      .bind(`partner-${user % 7}`, String(user).padStart(26, "0"))
      .run();
  }
  const firsts = [];
  for (let minute = 0; minute < 3; minute += 1) {
    asked.length = 0;
    expect(await lineOf(many, HALF_PAST + minute * 60_000)).toMatchObject({ outcome: "done" });
    expect(asked.length).toBeLessThan(STATEMENTS_PER_INVOCATION);
    expect(asked.length).toBeGreaterThan(STATEMENTS_PER_INVOCATION / 2);
    firsts.push(asked[0]);
  }
  expect(new Set(firsts).size).toBe(3);
  await real.prepare("DELETE FROM erased WHERE partner_id LIKE 'partner-_'").run();
});
