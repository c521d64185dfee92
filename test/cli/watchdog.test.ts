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

/** An action of the service during a call. */
type Action = (watchdog: Watchdog) => Promise<void> | void;

/** Watches a service that does one action in each round. It responds to all calls or to none. */
async function watch(rounds: Action[], responds = false): Promise<boolean[]> {
  let action: Action = () => {};
  const isResponding = async () => {
    nowMs += 20_000;
    await action(watchdog);
    return responds;
  };
  const watchdog = new Watchdog(isResponding, stores, () => nowMs);
  const stuck: boolean[] = [];
  for (action of rounds) {
    stuck.push(await watchdog.isStuck());
    nowMs += 10_000;
  }
  return stuck;
}

const nothing: Action = () => {};
const line: Action = (watchdog) => watchdog.sawLine();
const write: Action = async () => utimes(database, nowMs / 1000, nowMs / 1000);

test("a service that neither responds nor writes during three calls is stuck", async () => {
  expect(await watch([nothing, nothing, nothing])).toEqual([false, false, true]);
});

test("a service that responds is not stuck, even if it writes nothing", async () => {
  expect(await watch(Array<Action>(5).fill(nothing), true)).not.toContain(true);
});

test.each([
  ["to its stores", write],
  ["to its log", line],
])("a busy service that writes %s is not stuck, however long it does not respond", async (_where, action) => {
  expect(await watch(Array<Action>(20).fill(action))).not.toContain(true);
});

test("writes before the last three calls do not count", async () => {
  expect(await watch([write, line, nothing, nothing, nothing])).toEqual([false, false, false, false, true]);
});
