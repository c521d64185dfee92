import type { CollectorClock } from "./clock.pure.ts";
import { afterLease, readBacklogs, type Backlogs } from "./dispatches/backlogs.ts";
import { BULK_WINDOW, type Dispatch, type QueueName } from "./dispatches/dispatch.pure.ts";
import { expireClaim } from "./dispatches/expireClaim.ts";
import type { CollectorEnv } from "./env.ts";
import { erasureExpiresAt } from "./erase.ts";
import { housekeep } from "./housekeep.ts";
import { skipCancelled } from "./imports/cancelImport.ts";
import { drainImports } from "./imports/drainImports.ts";
import { drainPrefetches, prefetchWaits } from "./imports/drainPrefetches.ts";
import { needsProjection } from "./imports/import.pure.ts";
import { LONGEST_PAUSE_MS, nextAlarm } from "./nextAlarm.pure.ts";
import type { UnprojectedDispatches } from "./outbox/unprojectedDispatches.ts";
import type { CollectorStorage } from "./storage/storage.ts";
import type { CollectorTurn } from "./turn.ts";

/** Maximum number of dispatches, held pings and kept URLs that one alarm handles. The next alarm handles the rest. */
const ALARM_LIMIT = 500;

/** Returns the backlogs of the queues of dispatches with an ended lease. */
export async function readDueBacklogs(
  storage: CollectorStorage,
  queues: Pick<CollectorEnv, QueueName>,
): Promise<Backlogs> {
  return readBacklogs(storage, queues, Date.now(), ALARM_LIMIT);
}

/**
 * Does the due work: expires claims, marks lost messages as unsent, dispatches files that wait and deletes old data. Returns the
 * dispatches to send.
 */
export function doDueWork(turn: CollectorTurn, backlogs: Backlogs): Dispatch[] {
  const { storage, now } = turn;
  for (const dispatch of storage.dispatches.due(now, ALARM_LIMIT)) {
    if (dispatch.state === "sent") {
      storage.dispatches.write([afterLease(dispatch, backlogs, turn.clock, now)]);
    }
    if (dispatch.state === "claimed") expireClaim(turn, dispatch);
  }
  skipCancelled(turn);
  drainImports(turn);
  drainPrefetches(turn);
  const { housekeepingAt } = storage.identity;
  if (housekeepingAt !== null && housekeepingAt <= now) housekeep(turn, ALARM_LIMIT);
  return storage.dispatches.due(now, ALARM_LIMIT).filter((due) => due.state === "unsent");
}

/** State of the alarm that is not in storage. */
export interface AlarmState {
  failuresInARow: number;
  /** More entries of the outbox are due than the last alarm handled. */
  moreWaits: boolean;
  unprojected: UnprojectedDispatches;
}

/**
 * Returns when the next work is due, in Unix milliseconds. Null when nothing waits. Never throws: the platform drops an
 * alarm that throws six times.
 */
export function nextDueWork(
  storage: CollectorStorage,
  clock: CollectorClock,
  state: AlarmState,
  nowMs: number,
): number | null {
  // Older code keeps the alarm set, so that the newer code finds it after its next deployment.
  if (storage.refusal !== null) return nowMs + LONGEST_PAUSE_MS;
  try {
    return dueWork(storage, clock, state, nowMs);
  } catch {
    return nowMs + LONGEST_PAUSE_MS;
  }
}

function dueWork(
  storage: CollectorStorage,
  clock: CollectorClock,
  state: AlarmState,
  nowMs: number,
): number | null {
  const isKnown = storage.identity.get() !== null;
  const imports = storage.imports.all();
  return nextAlarm({
    earliestDispatch: storage.dispatches.earliestDue(),
    moreWaits: state.moreWaits,
    bulkWaits:
      imports.some((row) => row.skipped_to !== null) ||
      (imports.some((row) => row.drained_to !== null) && storage.dispatches.countBulk() < BULK_WINDOW) ||
      prefetchWaits(storage, imports, nowMs),
    changesWait:
      !storage.outbox.isEmpty ||
      (isKnown && (state.unprojected.size > 0 || !storage.identity.isIntroduced)) ||
      imports.some(needsProjection),
    projectionDelayMs: clock.projectionDelayMs,
    housekeepingAt: storage.identity.housekeepingAt,
    erasureExpiresAt: erasureExpiresAt(storage),
    failuresInARow: state.failuresInARow,
    nowMs,
  });
}
