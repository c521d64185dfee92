/** After a fault that stays, how long an alarm waits at most: an outage that ends is noticed within this. */
export const LONGEST_PAUSE_MS = 60_000;

/** When the alarm has something to do next, in Unix milliseconds; null: nothing is left. Pure. */
export function nextAlarm(waiting: {
  earliestDispatch: number | null;
  /** More entries of the outbox are due than one alarm handles. */
  moreWaits: boolean;
  /** Files of an import wait, and there is room for more bulk dispatches. */
  bulkWaits: boolean;
  /** Changes gather for the read model. */
  changesWait: boolean;
  projectionDelayMs: number;
  housekeepingAt: number | null;
  erasureExpiresAt: number | null;
  /** Alarms that ended in a fault, since the last that did not. */
  failuresInARow: number;
  nowMs: number;
}): number | null {
  const { nowMs, failuresInARow } = waiting;
  const times: number[] = [];
  if (waiting.earliestDispatch !== null) times.push(waiting.earliestDispatch);
  if (waiting.moreWaits || waiting.bulkWaits) times.push(nowMs);
  if (waiting.changesWait) times.push(nowMs + waiting.projectionDelayMs);
  if (waiting.housekeepingAt !== null) times.push(waiting.housekeepingAt);
  if (waiting.erasureExpiresAt !== null) times.push(waiting.erasureExpiresAt);
  if (times.length === 0) return null;
  // After a fault everything waits a little longer each time; six throwing alarms would be the last.
  const pause = failuresInARow === 0 ? 0 : Math.min(1_000 * 2 ** failuresInARow, LONGEST_PAUSE_MS);
  return Math.max(Math.min(...times), nowMs + pause);
}
