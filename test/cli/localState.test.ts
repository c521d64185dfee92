import { readFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { localDatabases } from "../../src/cli/databases.ts";
import { applyMigrations, openLocalStores } from "../../src/cli/localState.ts";

test("a command that opens a state folder replaces its configuration in one step", async () => {
  const state = await mkdtemp(path.join(tmpdir(), "stores-"));
  const open = async () => {
    const stores = await openLocalStores(state);
    if (!stores.ok) throw new Error(stores.problem);
    await stores.close();
  };
  try {
    await open();
    const complete = readFileSync(path.join(state, "stores.json"), "utf8");
    const seen = new Set<string>();
    let opening = true;
    const others = Promise.all([open(), open()]).finally(() => (opening = false));
    // oxlint-disable-next-line no-unmodified-loop-condition -- `others` sets it to false
    while (opening) {
      seen.add(readFileSync(path.join(state, "stores.json"), "utf8"));
      await new Promise(setImmediate);
    }
    await others;
    expect([...seen]).toEqual([complete]);
    expect((await readdir(state)).filter((name) => name.startsWith("stores"))).toEqual(["stores.json"]);
  } finally {
    await rm(state, { recursive: true });
  }
});

test("a database that has lost its tables is named, and is not taken for an unused folder", async () => {
  const state = await mkdtemp(path.join(tmpdir(), "stores-"));
  try {
    const stores = await openLocalStores(state);
    if (!stores.ok) throw new Error(stores.problem);
    const [first] = stores.databases;
    if (first === undefined) throw new Error("No database is bound.");
    await applyMigrations(first.database);
    await stores.close();
    expect(await localDatabases(state)).toEqual({
      ok: false,
      exitCode: 1,
      problem: `DB_2 in the state folder ${state} has no tables. Start the service again, which creates them. If a file was lost, then write its rows anew with npm run project-again.`,
    });
  } finally {
    await rm(state, { recursive: true });
  }
});
