import { databaseFor } from "../database/databases.ts";
import { faultName, logLine } from "../log.ts";
import type { DispatchSender } from "./dispatches/sender.ts";
import { readDueBacklogs, doDueWork, nextDueWork } from "./dueWork.ts";
import type { CollectorEnv } from "./env.ts";
import type { CollectorEraser } from "./erase.ts";
import { nameOf } from "./identity.ts";
import { drainOutbox } from "./outbox/drainOutbox.ts";
import type { UnprojectedDispatches } from "./outbox/unprojectedDispatches.ts";
import type { CollectorTurns } from "./turns.ts";

/** The platform drops an alarm after six failures, which take about two minutes. An alarm this late was dropped. */
const OVERDUE_MS = 5 * 60_000;

/** Parts of the collector that an alarm uses. */
interface AlarmParts {
  env: CollectorEnv;
  turns: CollectorTurns;
  sender: DispatchSender;
  eraser: CollectorEraser;
  unprojected: UnprojectedDispatches;
}

/**
 * Alarm of a collector: does the work that is due. Only the alarm writes pings to the read model, so `ensure` sets a
 * missing one.
 */
export class CollectorAlarm {
  readonly #parts: AlarmParts;
  #failuresInARow = 0;
  #moreWaits = false;
  /** Whether this instance of the object has checked that no alarm is missing. */
  #isChecked = false;

  constructor(parts: AlarmParts) {
    this.#parts = parts;
  }

  /** Sets an alarm that is missing or long overdue. Returns whether it set one. */
  ensure(): boolean {
    const { turns } = this.#parts;
    const now = Date.now();
    const isOverdue = turns.alarmAt !== null && turns.alarmAt < now - OVERDUE_MS;
    if (this.#isChecked && !isOverdue) return false;
    this.#isChecked = true;
    if (turns.alarmAt !== null && !isOverdue) return false;
    const next = this.#nextDueWork(now);
    if (next === null) {
      turns.clearAlarm();
      return false;
    }
    const lateBy = now - (turns.alarmAt ?? now);
    turns.resetAlarm(Math.max(next, now));
    logLine({
      unit: "setback",
      outcome: "alarm_set_again",
      collector: this.#collector(),
      late_by_milliseconds: lateBy,
    });
    return true;
  }

  /** Does the due work and sets the next alarm. Never throws: after six throwing alarms the platform sets no more. */
  async run(): Promise<void> {
    const { turns } = this.#parts;
    const startedAt = Date.now();
    this.#isChecked = true;
    turns.clearAlarm();
    let fault: unknown = null;
    try {
      // An unavailable queue or R2 does not stop the alarm's other work. The next alarm retries it after a pause.
      this.#failuresInARow = (await this.#work()) ? 0 : this.#failuresInARow + 1;
    } catch (thrown) {
      this.#failuresInARow += 1;
      fault = thrown;
    }
    const next = this.#nextDueWork(Date.now());
    if (next !== null) turns.alarmBy(next);
    logLine({
      unit: "alarm",
      collector: this.#collector(),
      outcome: fault === null ? "done" : "fault",
      fault: fault === null ? undefined : faultName(fault),
      next_in_milliseconds: next === null ? null : next - startedAt,
      milliseconds: Date.now() - startedAt,
    });
  }

  /** Does the due work, sends dispatches, then writes to the read model. Returns false when a queue or R2 failed. */
  async #work(): Promise<boolean> {
    const { env, turns, sender, eraser, unprojected } = this.#parts;
    this.#moreWaits = false;
    await eraser.expire(Date.now());
    const allDeleted = await eraser.deleteObjects();
    const backlogs = await readDueBacklogs(turns.storage, env);
    const turn = turns.beginIfKnown();
    if (turn === null) return allDeleted;
    const { unsent, sentByRequests } = turns.commit(() => {
      const sentByRequests = sender.noteSentByRequests(turn);
      return { unsent: doDueWork(turn, backlogs), sentByRequests };
    });
    sender.forgetSentByRequests(sentByRequests);
    const allSent = await sender.sendUnsent(turn, unsent);
    const database = databaseFor(env, turn.identity);
    this.#moreWaits = await drainOutbox(turn, env, database, unprojected, async (bound) =>
      eraser.applyMissed(bound),
    );
    return allDeleted && allSent;
  }

  #nextDueWork(nowMs: number): number | null {
    const { turns, unprojected } = this.#parts;
    const state = { failuresInARow: this.#failuresInARow, moreWaits: this.#moreWaits, unprojected };
    return nextDueWork(turns.storage, turns.clock, state, nowMs);
  }

  #collector(): string | null {
    const { storage } = this.#parts.turns;
    const identity = storage.refusal === null ? storage.identity.get() : null;
    return identity === null ? null : nameOf(identity);
  }
}
