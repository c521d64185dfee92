import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Watchdog } from "../../src/cli/watchdog.ts";

let stores: string;
let database: string;
let nowMs = Date.parse("2026-11-25T12:00:00Z");

beforeEach(async () => {
  stores = await mkdtemp(path.join(tmpdir(), "watchdog-"));
  const folder = path.join(stores, "do", "PingCollector");
  await mkdir(folder, { recursive: true });
  database = path.join(folder, "user.sqlite-wal");
  await writeFile(database, "");
  for (const entry of [database, folder, path.dirname(folder)]) await utimes(entry, 0, 0);
});
afterEach(async () => {
  await rm(stores, { recursive: true });
});

/** What the service does during a call that it does not answer. */
type Sign = (watchdog: Watchdog) => Promise<void> | void;

/** Watches a service that does this in each round and answers none of the calls, or all of them. */
async function watch(rounds: Sign[], answered = false): Promise<boolean[]> {
  let sign: Sign = () => {};
  const ask = async () => {
    nowMs += 20_000;
    await sign(watchdog);
    return answered;
  };
  const watchdog = new Watchdog(ask, stores, () => nowMs);
  const stuck: boolean[] = [];
  for (sign of rounds) {
    stuck.push(await watchdog.isStuck());
    nowMs += 10_000;
  }
  return stuck;
}

const nothing: Sign = () => {};
const line: Sign = (watchdog) => watchdog.sawLine();
const write: Sign = async () => utimes(database, nowMs / 1000, nowMs / 1000);

test("a service that neither answers nor writes for three calls is stuck", async () => {
  expect(await watch([nothing, nothing, nothing])).toEqual([false, false, true]);
});

test("a service that answers is not stuck, though it finds nothing to do", async () => {
  expect(await watch(Array<Sign>(5).fill(nothing), true)).not.toContain(true);
});

test.each([
  ["to its stores", write],
  ["to its log", line],
])("a busy service that writes %s is not stuck, however long it answers nothing", async (_where, sign) => {
  expect(await watch(Array<Sign>(20).fill(sign))).not.toContain(true);
});

test("what was written before the last three calls does not count", async () => {
  expect(await watch([write, line, nothing, nothing, nothing])).toEqual([false, false, false, false, true]);
});
