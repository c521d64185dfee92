import type { CollectorClock } from "./clock.pure.ts";
import { afterLease, readBacklogs, type Backlogs } from "./dispatches/backlogs.ts";
import { BULK_WINDOW, type Dispatch, type QueueName } from "./dispatches/dispatch.pure.ts";
import { expireClaim } from "./dispatches/expireClaim.ts";
import type { CollectorEnv } from "./env.ts";
import { erasureExpiresAt } from "./erase.ts";
import { housekeep } from "./housekeep.ts";
import { drainImports } from "./imports/drainImports.ts";
import { needsProjection } from "./imports/import.pure.ts";
import { LONGEST_PAUSE_MS, nextAlarm } from "./nextAlarm.pure.ts";
import type { UnprojectedDispatches } from "./outbox/unprojectedDispatches.ts";
import type { CollectorStorage } from "./storage/storage.ts";
import type { CollectorTurn } from "./turn.ts";

/** Dispatches, or held pings, that one alarm handles. The next alarm comes at once when more are due. */
const ALARM_LIMIT = 500;

/** Asks queues whether messages wait there whose lease has ended. */
export async function askQueues(
  storage: CollectorStorage,
  queues: Pick<CollectorEnv, QueueName>,
): Promise<Backlogs> {
  return readBacklogs(storage, queues, Date.now(), ALARM_LIMIT);
}

/**
 * Does what is due: claims expire, lost messages become unsent, imports are drained, old things expire. Returns the
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
  drainImports(turn);
  const { housekeepingAt } = storage.identity;
  if (housekeepingAt !== null && housekeepingAt <= now) housekeep(turn, ALARM_LIMIT);
  return storage.dispatches.due(now, ALARM_LIMIT).filter((due) => due.state === "unsent");
}

/** What the alarm knows besides the storage. */
export interface AlarmState {
  failuresInARow: number;
  /** More entries of the outbox are due than the last alarm handled. */
  moreWaits: boolean;
  unprojected: UnprojectedDispatches;
}

/**
 * When the next work is due, in Unix milliseconds; null when nothing waits. Never throws: the platform gives up an alarm
 * that throws six times.
 */
export function nextDueWork(
  storage: CollectorStorage,
  clock: CollectorClock,
  state: AlarmState,
  nowMs: number,
): number | null {
  // The alarm outlives a roll-back: the newer code finds it set.
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
      imports.some((row) => row.drained_to !== null) && storage.dispatches.count("BULK") < BULK_WINDOW,
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
