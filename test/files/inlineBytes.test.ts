import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { hourOf, INLINE_PREFIX, inlineKey } from "../../src/files/objectKeys.ts";
import { sweepInlineBytes } from "../../src/files/sweep.ts";
import { collectorName, fileId, randomId } from "../../src/identifiers.ts";
import { base64, ping, SOURCE } from "../flows/partnerActs.ts";
import { databaseOf } from "../support/databases.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { shortenWaits } from "../support/shortWaits.ts";
import { collectorOf, settle } from "../support/world.ts";

const HOUR_MS = 60 * 60_000;
/** Maximum number of pages that one run of the sweep lists. */
const PAGES = 10;

afterEach(() => vi.restoreAllMocks());

/** Stores bytes as a request does that ends before its ping is accepted. Returns their key. */
async function storeWithoutPing(
  { partnerId }: TestPartner,
  summaryId: string,
  atMs: number,
): Promise<string> {
  const id = fileId({ partnerId, userId: "user-1", source: SOURCE, summaryId });
  const key = inlineKey(partnerId, id, randomId(), atMs);
  await env.FILES.put(key, rideFile());
  return key;
}

async function discarded(...partners: TestPartner[]): Promise<string[]> {
  // Each in its own database, where an import of the file withdraws them.
  const keys = [];
  for (const who of partners) {
    const { results } = await databaseOf(who)
      .prepare("SELECT object_key FROM discarded_objects")
      .all<{ object_key: string }>();
    keys.push(...results.map((row) => row.object_key).filter((key) => key.includes(`/${who.partnerId}/`)));
  }
  return keys.toSorted();
}

/** Makes R2 list one object per page. */
function listOneByOne() {
  const list = env.FILES.list.bind(env.FILES);
  return vi.spyOn(env.FILES, "list").mockImplementation(async (options) => list({ ...options, limit: 1 }));
}

test("the sweep reads a bounded number of pages, and later runs find all bytes without a ping, of every partner", async () => {
  const now = Date.now();
  const [flooding, other] = [await newPartner(), await newPartner()];
  const orphans: string[] = [];
  for (let index = 0; index < 2 * PAGES; index += 1) {
    orphans.push(await storeWithoutPing(flooding, String(index), now));
  }
  orphans.push(await storeWithoutPing(other, "orphan", now));
  // In the next hour, which a sweep of the first hour does not check.
  orphans.push(await storeWithoutPing(other, "later", now + HOUR_MS));
  await ping(other, { summary_id: "held", callback_url: base64(rideFile()), priority: 0 });

  const list = listOneByOne();
  const runs: number[] = [];
  for (let run = 0; run < 4; run += 1) {
    list.mockClear();
    runs.push(await sweepInlineBytes(env, now + 2 * HOUR_MS));
    expect(list.mock.calls.length).toBeLessThanOrEqual(PAGES);
  }
  expect(runs[0]).toBeLessThanOrEqual(PAGES);
  expect(runs[3]).toBe(0);
  // Runs that were missed are made up for.
  await sweepInlineBytes(env, now + 12 * HOUR_MS);
  await sweepInlineBytes(env, now + 12 * HOUR_MS);
  expect(await discarded(flooding, other)).toEqual(orphans.sort());
  list.mockClear();
  expect(await sweepInlineBytes(env, now + 12 * HOUR_MS)).toBe(0);
  expect(list).not.toHaveBeenCalled();
});

test("a collector that does not respond keeps its own objects only", async () => {
  const later = Date.now() + 100 * HOUR_MS;
  await sweepInlineBytes(env, later);
  for (let run = 0; run < 20; run += 1) await sweepInlineBytes(env, later);
  const [broken, other] = [await newPartner(), await newPartner()];
  await storeWithoutPing(broken, "1", later);
  const orphan = await storeWithoutPing(other, "1", later);
  const name = collectorName(broken.partnerId, "user-1", SOURCE);
  const getByName = env.COLLECTOR.getByName.bind(env.COLLECTOR);
  vi.spyOn(env.COLLECTOR, "getByName").mockImplementation((asked) => {
    if (asked === name) throw new Error("the object is down");
    return getByName(asked);
  });
  shortenWaits();
  const log = vi.spyOn(console, "log").mockImplementation(() => undefined);
  expect(await sweepInlineBytes(env, later + 2 * HOUR_MS)).toBe(1);
  expect(await discarded(broken, other)).toEqual([orphan]);
  const lines = log.mock.calls.map(([line]): unknown => JSON.parse(String(line)));
  expect(lines).toContainEqual(
    expect.objectContaining({ unit: "setback", outcome: "inline_unchecked", collector: name, objects: 1 }),
  );
});

test("bytes of imported files stay while a restored database has lost their rows", async () => {
  const now = Date.now();
  const partners = [await newPartner(), await newPartner()];
  const orphans: string[] = [];
  for (const who of partners) {
    for (const summary_id of ["lost", "kept"]) {
      await ping(who, { summary_id, callback_url: base64(rideFile()) });
      orphans.push(await storeWithoutPing(who, summary_id, now));
    }
    await settle(collectorOf(who.partnerId, "user-1", SOURCE));
    await databaseOf(who)
      .prepare("DELETE FROM files WHERE partner_id = ? AND summary_id = 'lost'")
      .bind(who.partnerId)
      .run();
  }
  // A restore also takes the sweep back to an earlier hour.
  await env.DB.prepare("UPDATE inline_rounds SET after_key = ?")
    .bind(INLINE_PREFIX + hourOf(now))
    .run();

  await sweepInlineBytes(env, now + 2 * HOUR_MS);

  const ofKept = orphans.filter((_key, index) => index % 2 === 1);
  expect(await discarded(...partners)).toEqual(ofKept.sort());
});
