import { allDatabases } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { faultName, logLine } from "../log.ts";
import { HANDLERS, type Sweep } from "./steps.ts";
import { completeSweep, saveProgress, STEPS, takeDueErasures, type Erasure } from "./write.ts";

/** What one invocation spends on sweeps. */
interface Budget {
  /** Pages with rows or objects. Each takes up to eight queries, and an invocation may make 1,000. */
  pages: number;
  /** No page begins after this. */
  milliseconds: number;
}

/** Erases most users before the answer; of those with a long history the clock erases the rest. */
const REQUEST_BUDGET: Budget = { pages: 20, milliseconds: 5_000 };
const RUN_BUDGET: Budget = { pages: 100, milliseconds: 20_000 };
/** Erasures that one run of the clock continues, in each database. */
const ERASURES_PER_RUN = 50;

/** Continues erasures whose sweep is due; one that fails does not delay the others. Returns how many were due. */
export async function sweepErasures(env: Env, nowMs: number): Promise<number> {
  let due = 0;
  for (const database of allDatabases(env)) {
    const erasures = await takeDueErasures(database, nowMs, ERASURES_PER_RUN);
    await advanceInTurn(env, database, erasures, RUN_BUDGET, nowMs);
    due += erasures.length;
  }
  return due;
}

/**
 * Begins the first sweep of an erasure at once. `visited` are the sources whose collectors know of it, and whether each
 * keeps anything later. What the sweep leaves, or fails at, the clock continues.
 */
export async function beginSweep(
  env: Env,
  database: D1Database,
  erasure: Erasure,
  visited: ReadonlyMap<string, boolean>,
  nowMs: number,
): Promise<void> {
  await advanceInTurn(env, database, [erasure], REQUEST_BUDGET, nowMs, visited);
}

/** Advances sweeps by one page each, round after round, until all are complete or the budget is spent. */
async function advanceInTurn(
  env: Env,
  database: D1Database,
  erasures: readonly Erasure[],
  budget: Budget,
  nowMs: number,
  visited: ReadonlyMap<string, boolean> = new Map(),
): Promise<void> {
  const startedAt = Date.now();
  let pages = 0;
  let open = erasures.map((erasure): Sweep => ({ env, database, erasure, visited }));
  while (open.length > 0) {
    const incomplete: Sweep[] = [];
    for (const sweep of open) {
      if (pages >= budget.pages || Date.now() - startedAt >= budget.milliseconds) return;
      pages += 1;
      try {
        if (!(await advance(sweep, nowMs))) incomplete.push(sweep);
      } catch (fault) {
        const { partner_id, user_hash } = sweep.erasure;
        logLine({ unit: "setback", outcome: "erased_later", partner_id, user_hash, fault: faultName(fault) });
      }
    }
    open = incomplete;
  }
}

/** Handles the sweep's next page that is not empty. Returns whether the sweep is complete. */
async function advance(sweep: Sweep, nowMs: number): Promise<boolean> {
  const { database } = sweep;
  for (;;) {
    const { step, after_id } = sweep.erasure;
    const current = step ?? STEPS[0];
    const { deletions, lastId } = await HANDLERS[current](sweep, after_id);
    const next = lastId === null ? STEPS[STEPS.indexOf(current) + 1] : current;
    if (next === undefined) {
      await database.batch([...deletions, ...completeSweep(database, sweep.erasure, nowMs)]);
      return true;
    }
    const advanced = { ...sweep.erasure, step: next, after_id: lastId ?? "" };
    const isEmpty = deletions.length === 0 && lastId === null;
    if (!isEmpty) {
      await database.batch([...deletions, saveProgress(database, advanced)]);
    }
    sweep.erasure = advanced;
    if (!isEmpty) return false;
  }
}
