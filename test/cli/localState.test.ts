import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { localDatabases } from "../../src/cli/databases.ts";
import { applyMigrations, openLocalStores } from "../../src/cli/localState.ts";
import { ownRuntimes } from "../../src/cli/runtimeProcesses.ts";

test("stores of one folder share a runtime, which the last one that closes ends", async () => {
  const state = await mkdtemp(path.join(tmpdir(), "stores-"));
  const open = async () => {
    const stores = await openLocalStores(state);
    if (!stores.ok) throw new Error(stores.problem);
    return stores;
  };
  try {
    const before = ownRuntimes().length;
    const [first, second] = await Promise.all([open(), open()]);
    expect(ownRuntimes()).toHaveLength(before + 1);
    await first.partners.put("partner:acme", "{}");
    await first.close();
    expect(await second.partners.get("partner:acme")).toBe("{}");
    await second.close();
    expect(ownRuntimes()).toHaveLength(before);
    const third = await open();
    expect(await third.partners.get("partner:acme")).toBe("{}");
    await third.close();
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
