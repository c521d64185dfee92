import { databaseFor, sumOverDatabases, wholeInvocation, type Allowance } from "../database/databases.ts";
import { sendPending } from "../deliveries/sendEvent.ts";
import { EVENT_PREFIX } from "../deliveries/ids.ts";
import { readPendingOfEvent } from "../deliveries/write.ts";
import type { Env } from "../env.ts";
import { randomId } from "../identifiers.ts";
import { faultName, logLine } from "../log.ts";
import { gatherOutcomes } from "../outcomes/client.ts";
import { readWanted, wantedOf } from "../outcomes/read.ts";
import { HANDLERS, type Sweep } from "./steps.ts";
import { completeSweep, saveProgress, STEPS, claimDueErasures, type Erasure } from "./write.ts";

/** Bounds of one invocation's sweeps. */
interface Budget {
  /** Maximum number of non-empty pages. */
  pages: number;
  /** No page begins after this time, in Unix milliseconds. */
  untilMs: number;
  /** No page begins with fewer statements than a page may need. */
  allowance: Allowance;
}

/** A page passes up to seven empty steps, and its batch has up to twelve statements. */
const STATEMENTS_PER_PAGE = 20;

/** Enough to erase most users before the response. The clock erases the rest of a long history. */
const REQUEST_PAGES = 20;
const REQUEST_MS = 5_000;
const RUN_PAGES = 100;
const RUN_MS = 20_000;
/** Maximum number of erasures that one run of the clock continues in each database. */
const ERASURES_PER_RUN = 50;

/** Continues erasures with a due sweep. A failure does not delay the others. Returns how many were due. */
export async function sweepErasures(
  env: Env,
  nowMs: number,
  allowance: Allowance = wholeInvocation(),
): Promise<number> {
  const budget = { pages: RUN_PAGES, untilMs: Date.now() + RUN_MS, allowance };
  return sumOverDatabases(env, { nowMs, allowance }, async (database, databaseName) => {
    if (isSpent(budget)) return 0;
    const erasures = await claimDueErasures(database, nowMs, ERASURES_PER_RUN);
    const sweeps = erasures.map((erasure) => ({ env, database, databaseName, erasure, visited: new Map() }));
    await advanceInTurn(sweeps, budget, nowMs);
    return erasures.length;
  });
}

/**
 * Begins the first sweep of an erasure at once. `visited` has the sources that were erased in their collectors, and
 * whether each still has later versions. The clock continues a sweep that does not complete here.
 */
export async function beginSweep(
  env: Env,
  databaseName: string,
  erasure: Erasure,
  visited: ReadonlyMap<string, boolean>,
  nowMs: number,
): Promise<void> {
  const database = databaseFor(env, { partner_id: erasure.partner_id, database: databaseName });
  // A request has no other statements to count. Its pages bound it.
  const budget = { pages: REQUEST_PAGES, untilMs: Date.now() + REQUEST_MS, allowance: wholeInvocation() };
  await advanceInTurn([{ env, database, databaseName, erasure, visited }], budget, nowMs);
}

/** Advances sweeps by one page each, round after round, until all are complete or the budget is spent. */
async function advanceInTurn(sweeps: readonly Sweep[], budget: Budget, nowMs: number): Promise<void> {
  let open = sweeps;
  while (open.length > 0) {
    const incomplete: Sweep[] = [];
    for (const sweep of open) {
      if (isSpent(budget)) return;
      budget.pages -= 1;
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

function isSpent({ pages, untilMs, allowance }: Budget): boolean {
  return pages <= 0 || Date.now() >= untilMs || allowance.statements < STATEMENTS_PER_PAGE;
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
      await complete(sweep, deletions, nowMs);
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

/** Completes a sweep, sends the receipts that it stored, and has its removals reported if an endpoint wants outcomes. */
async function complete(
  { env, database, databaseName, erasure }: Sweep,
  deletions: readonly D1PreparedStatement[],
  nowMs: number,
): Promise<void> {
  const { partner_id } = erasure;
  const receiptId = EVENT_PREFIX + randomId();
  const owner = { partner_id, database: databaseName };
  const results = await database.batch<{ delivery_id: string }>([
    ...deletions,
    ...completeSweep(database, erasure, receiptId, nowMs),
    readWanted(database, partner_id),
    readPendingOfEvent(database, partner_id, receiptId),
  ]);
  await sendPending(env, owner, results.at(-1));
  if (wantedOf(results.at(-2)) !== "none") await gatherOutcomes(env, owner);
}
