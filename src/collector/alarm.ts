import { databaseFor } from "../database/databases.ts";
import { faultName, logLine } from "../log.ts";
import type { DispatchSender } from "./dispatches/sender.ts";
import { askQueues, doDueWork, nextDueWork } from "./dueWork.ts";
import type { CollectorEnv } from "./env.ts";
import type { CollectorEraser } from "./erase.ts";
import { nameOf } from "./identity.ts";
import { drainOutbox } from "./outbox/drainOutbox.ts";
import type { UnprojectedDispatches } from "./outbox/unprojectedDispatches.ts";
import type { CollectorTurns } from "./turns.ts";

/** The platform gives up an alarm after six failures, which take about two minutes. One that is this late was given up. */
const OVERDUE_MS = 5 * 60_000;

/** What the work of an alarm needs. */
interface AlarmParts {
  env: CollectorEnv;
  turns: CollectorTurns;
  sender: DispatchSender;
  eraser: CollectorEraser;
  unprojected: UnprojectedDispatches;
}

/**
 * A collector's alarm: it does what is due by the clock. Pings reach the read model only through it, so `keep` sets a
 * missing one.
 */
export class CollectorAlarm {
  readonly #parts: AlarmParts;
  #failuresInARow = 0;
  #moreWaits = false;
  /** Whether this life of the object has seen that no alarm is missing. */
  #isChecked = false;

  constructor(parts: AlarmParts) {
    this.#parts = parts;
  }

  /** Sets an alarm that is missing or long overdue. Returns whether it had to. */
  keep(): boolean {
    const { turns } = this.#parts;
    const now = Date.now();
    const isOverdue = turns.alarmAt !== null && turns.alarmAt < now - OVERDUE_MS;
    if (this.#isChecked && !isOverdue) return false;
    this.#isChecked = true;
    if (turns.alarmAt !== null && !isOverdue) return false;
    const next = this.#nextDueWork(now);
    if (next === null) {
      turns.alarmRings();
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

  /** Does what is due, and sets the next alarm. Never throws: six alarms that throw would be the last. */
  async ring(): Promise<void> {
    const { turns } = this.#parts;
    const startedAt = Date.now();
    this.#isChecked = true;
    turns.alarmRings();
    let fault: unknown = null;
    try {
      // A queue or R2 that is down fails no other work of the alarm, but it is asked again only after a pause.
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

  /** Does and sends what is due, then writes to the read model. Returns whether the queues and R2 did their part. */
  async #work(): Promise<boolean> {
    const { env, turns, sender, eraser, unprojected } = this.#parts;
    this.#moreWaits = false;
    await eraser.expire(Date.now());
    const allDeleted = await eraser.deleteObjects();
    const backlogs = await askQueues(turns.storage, env);
    const turn = turns.beginIfKnown();
    if (turn === null) return allDeleted;
    const { unsent, noted } = turns.commit(() => {
      const noted = sender.noteSentAtOnce(turn);
      return { unsent: doDueWork(turn, backlogs), noted };
    });
    sender.forgetSentAtOnce(noted);
    const allSent = await sender.sendUnsent(turn, unsent);
    const database = databaseFor(env, turn.identity.partner_id);
    this.#moreWaits = await drainOutbox(turn, env, database, unprojected, async (bound) =>
      eraser.meet(bound),
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
