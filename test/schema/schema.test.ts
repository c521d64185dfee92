import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import type { Env } from "../../src/env.ts";
import { app } from "../../src/http/app.ts";
import { problemSchema } from "../../src/http/problemSchema.ts";
import { NEWEST_MIGRATION } from "../../src/schema/schema.ts";
import { databaseOf, ownerOf } from "../support/databases.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const NAMES = ["DB", "DB_2"] as const;

/** Returns a database as an isolate finds it that has not read it before. Records each statement. */
function unread(name: (typeof NAMES)[number], statements: string[] = []): D1Database {
  const database = env[name];
  if (database === undefined) throw new Error(`${name} is not bound`);
  const prepare = (sql: string) => {
    statements.push(sql);
    return database.prepare(sql);
  };
  return { prepare, batch: database.batch.bind(database) } as D1Database;
}

/** Removes the list of applied migrations while `work` runs. */
async function withoutSchema(names: readonly (typeof NAMES)[number][], work: () => Promise<void>) {
  const rename = async (from: string, to: string) => {
    for (const name of names) await env[name]?.prepare(`ALTER TABLE ${from} RENAME TO ${to}`).run();
  };
  await rename("d1_migrations", "gone");
  try {
    await work();
  } finally {
    await rename("gone", "d1_migrations");
  }
}

async function ask(
  bindings: Env,
  path: string,
  who: TestPartner | null = null,
  init: { method?: string; headers?: Record<string, string>; body?: string } = {},
) {
  const response = await app.request(
    path,
    { ...init, headers: { ...who?.headers, ...init.headers } },
    bindings,
  );
  return { status: response.status, body: await response.json(), headers: response.headers };
}

const codeOf = (body: unknown) => problemSchema.parse(body).code;

const ping = {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ activity_files: [] }),
};

/** Returns two partners, one in each database. */
async function oneInEach(): Promise<[first: TestPartner, second: TestPartner]> {
  const pair = [await newPartner(), await newPartner()] as const;
  const inDatabase = (name: string) => pair.find((who) => who.partner.database === name);
  const [first, second] = [inDatabase("DB"), inDatabase("DB_2")];
  if (first === undefined || second === undefined) throw new Error("both partners are in one database");
  return [first, second];
}

test("a service without tables says so: /health/ names the command, and every other request gets the code", async () => {
  const log = vi.spyOn(console, "log");
  const [who] = await oneInEach();
  await withoutSchema(NAMES, async () => {
    const bindings = { ...env, DB: unread("DB"), DB_2: unread("DB_2") };
    const health = await ask(bindings, "/health/");
    expect(health).toMatchObject({ status: 503, body: { code: "schema_missing" } });
    expect(problemSchema.parse(health.body).detail).toContain(
      "npx wrangler d1 migrations apply DB --local && npx wrangler d1 migrations apply DB_2 --local",
    );
    for (const asked of [
      await ask(bindings, "/api/fit_partner_ping/", null, ping),
      await ask(bindings, "/api/fit_partner_ping/", who, ping),
      await ask(bindings, "/api/files/", who),
    ]) {
      expect([asked.status, codeOf(asked.body)]).toEqual([503, "schema_missing"]);
      expect(asked.headers.get("Retry-After")).toBe("5");
    }
    const lines = log.mock.calls.map(([line]): unknown => JSON.parse(String(line)));
    for (const database of NAMES) {
      const setback = {
        unit: "setback",
        outcome: "schema_missing",
        database,
        migration: NEWEST_MIGRATION,
      };
      expect(lines.filter((line) => JSON.stringify(line) === JSON.stringify(setback))).toHaveLength(1);
    }
  });
});

test("a service continues by itself within two seconds after the migrations", async () => {
  const bindings = { ...env, DB: unread("DB"), DB_2: unread("DB_2") };
  await withoutSchema(NAMES, async () => {
    expect((await ask(bindings, "/health/")).status).toBe(503);
  });
  expect((await ask(bindings, "/health/")).status).toBe(503);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2_000 });
  expect(await ask(bindings, "/health/")).toMatchObject({
    status: 200,
    body: { status: "ok", jurisdiction: null },
  });
});

test("a database without tables stops only its own partners", async () => {
  const [first, second] = await oneInEach();
  await withoutSchema(["DB_2"], async () => {
    const bindings = { ...env, DB: unread("DB"), DB_2: unread("DB_2") };
    expect((await ask(bindings, "/api/files/", first)).status).toBe(200);
    const refused = await ask(bindings, "/api/files/", second);
    expect([refused.status, codeOf(refused.body)]).toEqual([503, "schema_missing"]);
    const { detail } = problemSchema.parse((await ask(bindings, "/health/")).body);
    expect(detail).toContain("migrations apply DB_2 --local`");
    expect(detail).not.toContain("apply DB --local");
  });
});

test("an isolate checks a database once, and a database that is down once in 30 seconds", async () => {
  const [who] = await oneInEach();
  const statements: string[] = [];
  const bindings = { ...env, DB: unread("DB", statements) };
  const checks = () => statements.filter((sql) => sql.includes("d1_migrations")).length;
  for (let request = 0; request < 3; request += 1) await ask(bindings, "/api/files/", who);
  expect(checks()).toBe(1);

  let calls = 0;
  const down = {
    prepare: () => {
      calls += 1;
      throw new Error("D1_ERROR: overloaded");
    },
  } as unknown as D1Database;
  for (let request = 0; request < 3; request += 1) {
    expect((await ask({ ...env, DB: down }, "/health/")).status).toBe(200);
  }
  expect(calls).toBe(1);
});

test("a table or a column that is older than the code is reported with the same code", async () => {
  const who = await newPartner();
  await databaseOf(who).prepare("ALTER TABLE users RENAME COLUMN created_at TO older").run();
  try {
    const refused = await ask(env, "/api/users/", who);
    expect([refused.status, codeOf(refused.body)]).toEqual([503, "schema_missing"]);
  } finally {
    await databaseOf(who).prepare("ALTER TABLE users RENAME COLUMN older TO created_at").run();
  }
});

test("a partner of a database that is not bound gets 503, and the log names the database", async () => {
  const who = await newPartner({ database: "DB_9" });
  const log = vi.spyOn(console, "log");
  const item = {
    file_type: "FIT",
    activity_name: "Ride",
    priority: 0,
    user_id: "u",
    source: "s",
    overwrite_mode: false,
    start_time_in_seconds: "1760000000",
    callback_url: "https://files.example.com/1",
    summary_id: "1",
  };
  for (const asked of [
    await ask(env, "/api/files/", who),
    await ask(env, "/api/fit_partner_ping/", who, {
      ...ping,
      body: JSON.stringify({ activity_files: [item] }),
    }),
  ]) {
    expect([asked.status, codeOf(asked.body)]).toEqual([503, "store_unavailable"]);
  }
  const lines = log.mock.calls.map(([line]): unknown => JSON.parse(String(line)));
  expect(lines).toHaveLength(2);
  for (const line of lines) expect(line).toMatchObject({ status: 503, fault: "UnboundDatabase:DB_9" });
  for (const name of NAMES) {
    const row = await env[name]
      ?.prepare("SELECT 1 FROM user_sources WHERE partner_id = ?")
      .bind(who.partnerId)
      .first();
    expect(row).toBeNull();
  }
  expect(ownerOf(who).database).toMatch(/^DB(_2)?$/);
});
