/** Maximum pause between alarms during an outage. The alarm notices the end of the outage within this time. */
export const LONGEST_PAUSE_MS = 60_000;

/** Returns when the alarm has work next, in Unix milliseconds. Null when no work is left. Pure. */
export function nextAlarm(waiting: {
  earliestDispatch: number | null;
  /** More entries of the outbox are due than one alarm handles. */
  moreWaits: boolean;
  /** Files of an import, or held files to download, wait, and their window has room. Or files of a cancelled import wait. */
  bulkWaits: boolean;
  /** Changes wait for the read model. */
  changesWait: boolean;
  projectionDelayMs: number;
  housekeepingAt: number | null;
  erasureExpiresAt: number | null;
  /** Consecutive alarms that ended in a fault. */
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
  // Each consecutive fault doubles the pause.
  const pause = failuresInARow === 0 ? 0 : Math.min(1_000 * 2 ** failuresInARow, LONGEST_PAUSE_MS);
  return Math.max(Math.min(...times), nowMs + pause);
}
