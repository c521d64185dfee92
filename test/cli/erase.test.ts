import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { boundStatement, localDatabases, type Database } from "../../src/cli/databases.ts";
import { applyMigrations, openLocalStores } from "../../src/cli/localState.ts";
import { fileId } from "../../src/identifiers.ts";
import { ALL_ERASED } from "../../src/erasure/again.ts";
import { runNode } from "./commandRun.ts";

let state: string;
beforeAll(async () => {
  state = await mkdtemp(path.join(tmpdir(), "erase-"));
  const stores = await openLocalStores(state);
  if (!stores.ok) throw new Error(stores.problem);
  for (const { database } of stores.databases) await applyMigrations(database);
  await stores.close();
});
afterAll(async () => {
  await rm(state, { recursive: true });
});

const erase = async (...args: string[]) => runNode(["src/cli/commands/erase.ts", ...args]);

/** Works on the second database: the command must find the partner there. */
async function using<T>(work: (database: Database) => Promise<T>): Promise<T> {
  const databases = await localDatabases(state);
  if (!databases.ok) throw new Error(databases.problem);
  try {
    const second = databases.all.find(({ name }) => name === "DB_2");
    if (second === undefined) throw new Error("no second database");
    return await work(second);
  } finally {
    await databases.close();
  }
}

const insertFile = `INSERT INTO files (partner_id, file_id, user_id, source, summary_id, priority, overwrite_mode,
    start_time_in_seconds, status, version, revision, received_at, updated_at)
  VALUES ('acme', ?1, ?2, 'watch', 'ride', 1, 0, '1', 'queued', ?3, 1, 1, 1)`;
const fileIdOf = (userId: string) =>
  fileId({ partnerId: "acme", userId, source: "watch", summaryId: "ride" });
const insertUser = "INSERT INTO users (partner_id, user_id, last_ping_at, created_at) VALUES (?1, ?2, 1, 1)";

test("erase records an erasure for the clock, and refuses an unknown user", async () => {
  await using(async (database) => database.run(insertUser, "acme", "o'hara"));
  const before = Date.now();
  const begun = await erase("acme", "o'hara", "--state", state);
  expect({ exitCode: begun.exitCode, err: begun.err }).toEqual({ exitCode: 0, err: "" });
  const rows = await using(async (database) => database.run("SELECT * FROM erased"));
  const [row] = z
    .tuple([
      z.looseObject({
        partner_id: z.literal("acme"),
        user_id: z.literal("o'hara"),
        before_version: z.number(),
        next_sweep_at: z.number(),
      }),
    ])
    .parse(rows);
  expect(row.before_version).toBeGreaterThanOrEqual(before);
  expect(row.next_sweep_at).toBeLessThanOrEqual(Date.now());
  expect(await erase("acme", "nobody", "--state", state)).toEqual({
    exitCode: 1,
    out: "",
    err: 'The partner acme has no user "nobody". Check both ids, and --local, --remote and --env.\n',
  });
});

test("erase --again erases the users of the saved list again, up to their saved bound, in a restored database", async () => {
  await using(async (database) => database.run(insertUser, "acme", "leaver"));
  expect((await erase("acme", "leaver", "--state", state)).exitCode).toBe(0);
  const saved = path.join(state, "erased.json");
  const rows = await using(async (database) => database.run(ALL_ERASED));
  await writeFile(saved, JSON.stringify([{ results: rows, success: true }]));
  // Simulates a restore: the erasure is missing, the user exists, and has a newer file.
  await using(async (database) => {
    await database.run("DELETE FROM erased WHERE user_id = ?1", "leaver");
    await database.run(insertFile, fileIdOf("leaver"), "leaver", Date.now());
  });
  const again = await erase("--again", saved, "--state", state);
  expect(again.out).toMatch(/^Erased users in the restored database: 1\.\nErasure started\. /);
  expect(new Set(await using(async (database) => database.run(ALL_ERASED)))).toEqual(new Set(rows));
  expect((await erase("--again", saved, "--state", state)).out).toBe(
    "Erased users in the restored database: 0.\n",
  );
}, 120_000);

describe("npm run erase exits with code 2 for", () => {
  test.each<[string, string[], RegExp]>([
    ["a user without a partner", ["leaver"], /^Usage: npm run erase -- <partner_id> <user_id> /],
    [
      "a user together with --again",
      ["acme", "leaver", "--again", "x"],
      /^Usage: npm run erase -- <partner_id> <user_id> /,
    ],
    ["a partner id with a space", ["a b", "leaver"], /^A partner id is 1 to 64 letters/],
    [
      "--env without --remote",
      ["acme", "leaver", "--env", "staging"],
      /^--env selects a deployed environment: add --remote, or remove --env\.\n$/,
    ],
  ])("%s", async (_what, args, line) => {
    const { exitCode, out, err } = await erase(...args);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: "" });
    expect(err).toMatch(line);
  });
});

describe("a state folder that no service has used is refused by", () => {
  test.each([
    ["erase", ["src/cli/commands/erase.ts", "acme", "leaver"]],
    ["redecode", ["src/cli/commands/redecode.ts", "--since", "2026-11-25"]],
  ])("npm run %s, which does not create it", async (_command, args) => {
    const typo = path.join(state, "typo");
    expect(await runNode([...args, "--state", typo])).toEqual({
      exitCode: 1,
      out: "",
      err: `No service has used the state folder ${typo}. Start one with npm start -- --state, or choose another folder with --state.\n`,
    });
    expect(existsSync(typo)).toBe(false);
  });

  test("npm run erase, also when a partner was created there before the first start", async () => {
    const unstarted = await mkdtemp(path.join(tmpdir(), "unstarted-"));
    expect(
      (await runNode(["src/cli/commands/partner.ts", "create", "acme", "--state", unstarted])).exitCode,
    ).toBe(0);
    const { exitCode, err } = await erase("acme", "leaver", "--state", unstarted);
    await rm(unstarted, { recursive: true });
    expect({ exitCode, err }).toEqual({
      exitCode: 1,
      err: expect.stringMatching(/^No service has used the state folder /),
    });
  });
});

test("a database that another program keeps locked is reported in one line", async () => {
  const folder = path.join(state, "v3", "d1", "miniflare-D1DatabaseObject");
  const file = (await readdir(folder)).find((name) => /^\w{64}\.sqlite$/.test(name)) ?? "";
  const other = new DatabaseSync(path.join(folder, file));
  other.exec("BEGIN EXCLUSIVE");
  const { exitCode, out, err } = await erase("acme", "leaver", "--state", state);
  other.exec("COMMIT");
  other.close();
  expect({ exitCode, out }).toEqual({ exitCode: 1, out: "" });
  expect(err).toMatch(/^Cannot open the local stores\. Another program has locked them, .*\n$/);
}, 120_000);

test("numbers are written into a statement, and texts become its parameters", () => {
  expect(boundStatement("a = ?1 AND b = ?2 AND a2 = ?1 AND c = ?3", ["o'?2", 7, "x"])).toEqual({
    sql: "a = ? AND b = 7 AND a2 = ? AND c = ?",
    params: ["o'?2", "o'?2", "x"],
  });
});
