import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { eraseUser } from "../../src/erasure/eraseUser.ts";
import { ROWS_PER_PAGE } from "../../src/erasure/steps.ts";
import { sweepErasures } from "../../src/erasure/sweep.ts";
import { claimDueErasures } from "../../src/erasure/write.ts";
import { collectorName, userHash } from "../../src/identifiers.ts";
import { castTo } from "../model/platform.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { countRows, seedHistory } from "./history.ts";
import { databaseOf, ownerOf } from "../support/databases.ts";

afterEach(() => vi.restoreAllMocks());

const MINUTE = 60_000;

interface ErasedRow {
  sweeps_left: number;
  step: string | null;
  after_id: string;
  user_id: string | null;
}

const erasureOf = async (partnerId: string, userId: string) =>
  databaseOf(partnerId)
    .prepare("SELECT sweeps_left, step, after_id, user_id FROM erased WHERE partner_id = ? AND user_hash = ?")
    .bind(partnerId, userHash(partnerId, userId))
    .first<ErasedRow>();

/** Returns a list that records the rows each batch changes. The batches with these numbers fail without effect. */
function watchBatches(who: TestPartner, failing: readonly number[] = []): number[] {
  const changes: number[] = [];
  const batch = databaseOf(who).batch.bind(databaseOf(who));
  vi.spyOn(databaseOf(who), "batch").mockImplementation(async <T>(statements: D1PreparedStatement[]) => {
    if (failing.includes(changes.length)) {
      changes.push(0);
      throw new Error("D1_ERROR: overloaded");
    }
    const results = await batch<T>(statements);
    changes.push(results.reduce((rows, { meta }) => rows + meta.changes, 0));
    return results;
  });
  return changes;
}

/** Runs the clock each minute until the user's first sweep is complete. Returns the number of runs. */
async function runUntilSwept(partnerId: string, userId: string, from: number): Promise<number> {
  for (let runs = 0; runs < 20; runs += 1) {
    if ((await erasureOf(partnerId, userId))?.sweeps_left !== 2) return runs;
    await sweepErasures(env, from + (runs + 1) * MINUTE);
  }
  throw new Error("the sweep does not complete");
}

const filesLeft = async (partnerId: string, userId: string) =>
  (
    await databaseOf(partnerId)
      .prepare("SELECT file_id, source FROM files WHERE partner_id = ? AND user_id = ? ORDER BY file_id")
      .bind(partnerId, userId)
      .all<{ file_id: string; source: string }>()
  ).results;

test("an erasure of 20,000 rows deletes them page by page, continues where it was interrupted, and spares other users", async () => {
  const who = await newPartner();
  const other = await newPartner();
  await seedHistory(other.partnerId, "leaver", { files: 50, imports: 2 });
  await seedHistory(who.partnerId, "stayer", { files: 50, imports: 2 });
  const spared = await countRows(other.partnerId);
  expect(await countRows(who.partnerId)).toBe(spared);
  await seedHistory(who.partnerId, "leaver", { files: 9_700, sources: 3, imports: 40 });
  expect(await countRows(who.partnerId)).toBeGreaterThan(19_900 + spared - 50);

  const changes = watchBatches(who, [3, 5]);
  const now = Date.now();
  expect(await eraseUser(env, who.partner, "leaver", now)).toBe(true);
  // Two pages are deleted. The third failed.
  const interrupted = await erasureOf(who.partnerId, "leaver");
  expect(interrupted).toMatchObject({ sweeps_left: 2, step: "files", user_id: "leaver" });
  const left = await filesLeft(who.partnerId, "leaver");
  expect(left.length).toBeGreaterThan(5_000);
  expect(left.length).toBeLessThan(9_700 - 3_000);
  expect((left[0]?.file_id ?? "") > (interrupted?.after_id ?? "~")).toBe(true);

  expect(await runUntilSwept(who.partnerId, "leaver", now)).toBe(2);
  expect(await countRows(who.partnerId)).toBe(spared);
  expect(await countRows(other.partnerId)).toBe(spared);
  // The page's rows, the rows that list the removals, the partner's count, and the erasure's row: once for the numbers of
  // its receipt, and once for its position.
  expect(Math.max(...changes)).toBeLessThanOrEqual(ROWS_PER_PAGE + 7);
  expect(changes.length).toBeLessThan(20);
  expect(await erasureOf(who.partnerId, "leaver")).toMatchObject({ sweeps_left: 1, step: null });
});

test.each(["sources", "files", "file_batches", "imports", "events", "plans"])(
  "an erasure that does not get D1's response after a page of %s misses nothing",
  async (table) => {
    const who = await newPartner();
    await seedHistory(who.partnerId, "leaver", { files: 120, sources: 2, imports: 120 });
    const batch = databaseOf(who).batch.bind(databaseOf(who));
    const begun = Date.now();
    const lost = vi
      .spyOn(databaseOf(who), "batch")
      .mockImplementation(async <T>(statements: D1PreparedStatement[]) => {
        const step = (await erasureOf(who.partnerId, "leaver"))?.step ?? "sources";
        const results = await batch<T>(statements);
        if (step === table) throw new Error("D1_ERROR: Network connection lost.");
        return results;
      });
    await eraseUser(env, who.partner, "leaver", begun);
    lost.mockRestore();
    expect(await erasureOf(who.partnerId, "leaver")).toMatchObject({ sweeps_left: 2 });
    await sweepErasures(env, begun + MINUTE);
    expect(await countRows(who.partnerId)).toBe(0);
  },
);

test("the clock completes an erasure that is too large for its request", async () => {
  const who = await newPartner();
  await seedHistory(who.partnerId, "leaver", { files: 10, imports: 2_500 });
  const begun = Date.now();
  expect(await eraseUser(env, who.partner, "leaver", begun)).toBe(true);
  expect(await erasureOf(who.partnerId, "leaver")).toMatchObject({ sweeps_left: 2, step: "imports" });
  expect(await countRows(who.partnerId)).toBeGreaterThan(1_000);
  expect(await runUntilSwept(who.partnerId, "leaver", begun)).toBeGreaterThanOrEqual(1);
  expect(await countRows(who.partnerId)).toBe(0);
  expect(await erasureOf(who.partnerId, "leaver")).toMatchObject({ sweeps_left: 1 });
});

test("collectors of a user with hundreds of sources are visited once, a page at a time", async () => {
  const who = await newPartner();
  await seedHistory(who.partnerId, "leaver", { files: 500, sources: 250 });
  const visits: string[] = [];
  vi.spyOn(env.COLLECTOR, "getByName").mockImplementation((name) =>
    castTo({
      newestVersion: async () => 0,
      erase: async () => {
        visits.push(name);
        return false;
      },
    }),
  );
  let visited = 0;
  const perPage: number[] = [];
  const batch = databaseOf(who).batch.bind(databaseOf(who));
  vi.spyOn(databaseOf(who), "batch").mockImplementation(async <T>(statements: D1PreparedStatement[]) => {
    perPage.push(visits.length - visited);
    visited = visits.length;
    return batch<T>(statements);
  });
  await eraseUser(env, who.partner, "leaver", Date.now());
  expect(new Set(visits).size).toBe(250);
  expect(visits).toHaveLength(250);
  // Before the first page most collectors know of the erasure, so they accept a repeated ping as new.
  expect(perPage[0]).toBe(200);
  expect(Math.max(...perPage.slice(1))).toBeLessThanOrEqual(100);
  expect(await countRows(who.partnerId)).toBe(0);
});

test("files that were pinged again stay, and the sweep continues after more of them than a page holds", async () => {
  const who = await newPartner();
  const files = 2 * ROWS_PER_PAGE + 1;
  await seedHistory(who.partnerId, "leaver", { files, version: Date.now() + 60 * MINUTE });
  const seeded = await countRows(who.partnerId);
  await eraseUser(env, who.partner, "leaver", Date.now());
  expect(await erasureOf(who.partnerId, "leaver")).toMatchObject({ sweeps_left: 1 });
  expect(await countRows(who.partnerId)).toBe(seeded);
});

/** Makes calls of a collector fail from now on: all of them, or only those that erase. */
function unreachable(collector: string, calls: "all" | "erase") {
  const getByName = env.COLLECTOR.getByName.bind(env.COLLECTOR);
  return vi.spyOn(env.COLLECTOR, "getByName").mockImplementation((name) => {
    const stub = getByName(name);
    if (name !== collector) return stub;
    if (calls === "all") throw new Error("the collector cannot be reached");
    return new Proxy(stub, {
      get: (target, method) =>
        method === "erase"
          ? () => Promise.reject(new Error("the collector cannot be reached"))
          : () => target.newestVersion(),
    });
  });
}

test("an erasure fails and deletes nothing when a collector cannot be reached", async () => {
  const who = await newPartner();
  await seedHistory(who.partnerId, "leaver", { files: 20, sources: 2, imports: 2 });
  const rows = await countRows(who.partnerId);
  const away = unreachable(collectorName(who.partnerId, "leaver", "source-1"), "all");
  await expect(eraseUser(env, who.partner, "leaver", Date.now())).rejects.toThrow(
    "the collector cannot be reached",
  );
  away.mockRestore();
  await sweepErasures(env, Date.now() + MINUTE);
  expect(await countRows(who.partnerId)).toBe(rows);
  expect(await eraseUser(env, who.partner, "leaver", Date.now())).toBe(true);
  expect(await countRows(who.partnerId)).toBe(0);
});

test("an erasure that loses a collector midway fails, and the clock completes it", async () => {
  const who = await newPartner();
  await seedHistory(who.partnerId, "leaver", { files: 20, sources: 2, imports: 2 });
  const away = unreachable(collectorName(who.partnerId, "leaver", "source-1"), "erase");
  const begun = Date.now();
  await expect(eraseUser(env, who.partner, "leaver", begun)).rejects.toThrow(
    "the collector cannot be reached",
  );
  // Rows that name a collector stay until the collector was visited.
  const left = await filesLeft(who.partnerId, "leaver");
  expect(new Set(left.map((file) => file.source))).toEqual(new Set(["source-0", "source-1"]));
  away.mockRestore();
  await sweepErasures(env, begun + MINUTE);
  expect(await countRows(who.partnerId)).toBe(0);
});

test("the many erasures of one partner do not delay another's", async () => {
  const busy = await newPartner();
  let quiet = await newPartner();
  while (ownerOf(quiet).database !== ownerOf(busy).database) quiet = await newPartner();
  const due = Date.parse("2026-06-01T12:00:00.000Z");
  const insert = `INSERT INTO erased (partner_id, user_hash, before_version, answers_void_until, user_id, next_sweep_at, sweeps_left)
    VALUES (?1, ?2, 1, 1, 'leaver', ?3, 1)`;
  await databaseOf(busy).batch([
    ...Array.from({ length: 40 }, (_, user) =>
      databaseOf(busy).prepare(insert).bind(busy.partnerId, `hash-${user}`, due),
    ),
    databaseOf(quiet)
      .prepare(insert)
      .bind(quiet.partnerId, "hash", due + 1_000),
  ]);
  const claimed = await claimDueErasures(databaseOf(quiet), due + 2_000, 10);
  expect(claimed).toHaveLength(10);
  expect(claimed.map((erasure) => erasure.partner_id)).toContain(quiet.partnerId);
  expect(await claimDueErasures(databaseOf(busy), due + 2_000, 10)).toHaveLength(10);
  await databaseOf(busy).prepare("DELETE FROM erased WHERE partner_id = ?").bind(busy.partnerId).run();
});
