import { expect, test } from "vitest";
import { nextAlarm } from "../../src/collector/nextAlarm.pure.ts";

const now = 1_780_000_000_000;
const idle: Parameters<typeof nextAlarm>[0] = {
  earliestDispatch: null,
  moreWaits: false,
  bulkWaits: false,
  changesWait: false,
  projectionDelayMs: 1_000,
  housekeepingAt: null,
  erasureExpiresAt: null,
  failuresInARow: 0,
  nowMs: now,
};

test.each<[string, Partial<typeof idle>, number | null]>([
  ["nothing is left: no alarm", {}, null],
  ["nothing is left after a fault: no alarm", { failuresInARow: 3 }, null],
  ["a dispatch comes due", { earliestDispatch: now + 5_000 }, now + 5_000],
  ["a dispatch is overdue: at once", { earliestDispatch: now - 5_000 }, now],
  [
    "more changes wait than one alarm writes: at once",
    { moreWaits: true, earliestDispatch: now + 5_000 },
    now,
  ],
  ["bulk work has room: at once", { bulkWaits: true, housekeepingAt: now + 5_000 }, now],
  ["changes gather for their delay", { changesWait: true, housekeepingAt: now + 5_000 }, now + 1_000],
  ["something comes of age", { housekeepingAt: now + 5_000 }, now + 5_000],
  ["an erasure is to be forgotten", { erasureExpiresAt: now + 5_000 }, now + 5_000],
  ["the first fault: two seconds", { moreWaits: true, failuresInARow: 1 }, now + 2_000],
  ["the third fault: eight seconds", { moreWaits: true, failuresInARow: 3 }, now + 8_000],
  ["an outage of hours: a minute", { moreWaits: true, failuresInARow: 2_000 }, now + 60_000],
  ["a pause puts off nothing later", { housekeepingAt: now + 90_000, failuresInARow: 1 }, now + 90_000],
])("%s", (_, waiting, expected) => {
  expect(nextAlarm({ ...idle, ...waiting })).toBe(expected);
});
