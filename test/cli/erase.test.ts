import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { localDatabase, withValues, type Database } from "../../src/cli/databases.ts";
import { applyMigrations, openLocalStores } from "../../src/cli/localState.ts";
import { ALL_ERASED } from "../../src/users/write.ts";
import { runNode } from "./commandRun.ts";

let state: string;
beforeAll(async () => {
  state = await mkdtemp(path.join(tmpdir(), "erase-"));
  const stores = await openLocalStores(state);
  if (!stores.ok) throw new Error(stores.problem);
  await applyMigrations(stores.database);
  await stores.close();
});
afterAll(async () => {
  await rm(state, { recursive: true });
});

const erase = async (...args: string[]) => runNode(["src/cli/erase.ts", ...args]);

async function using<T>(work: (database: Database) => Promise<T>): Promise<T> {
  const database = await localDatabase(state);
  if (!database.ok) throw new Error(database.problem);
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

const insertUser = "INSERT INTO users (partner_id, user_id, last_ping_at, created_at) VALUES (?1, ?2, 1, 1)";

test("a person is erased by the operator's word: noted for the clock, once for each user that there is", async () => {
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
    err: "acme has no user of this id.\n",
  });
});

test("whom a restored database has brought back is erased again, by the list that was saved before", async () => {
  await using(async (database) => database.run(insertUser, "acme", "leaver"));
  expect((await erase("acme", "leaver", "--state", state)).exitCode).toBe(0);
  const saved = path.join(state, "erased.json");
  const rows = await using(async (database) => database.run(ALL_ERASED));
  await writeFile(saved, JSON.stringify([{ results: rows, success: true }]));
  // As a restoration would: the erasure is forgotten, the user is there.
  await using(async (database) => database.run("DELETE FROM erased WHERE user_id = ?1", "leaver"));
  const again = await erase("--again", saved, "--state", state);
  expect(again.out).toMatch(/^Users that had come back: 1\.\nBegun: /);
  expect(await using(async (database) => database.run(ALL_ERASED))).toHaveLength(rows.length);
  expect((await erase("--again", saved, "--state", state)).out).toBe("Users that had come back: 0.\n");
}, 120_000);

describe("npm run erase refuses, with exit code 2,", () => {
  test.each<[string, string[]]>([
    ["a user without a partner", ["leaver"]],
    ["a user beside a list", ["acme", "leaver", "--again", "x"]],
    ["a staging that is local", ["acme", "leaver", "--env", "staging"]],
  ])("%s", async (_what, args) => {
    const { exitCode, out } = await erase(...args);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: "" });
  });
});

test("values stand in a statement as SQLite reads them, whatever they hold", () => {
  expect(withValues("a = ?1 AND b = ?2 AND a2 = ?1", ["o'?2", 7])).toBe(
    "a = 'o''?2' AND b = 7 AND a2 = 'o''?2'",
  );
});
