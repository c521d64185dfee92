import { sweepDeliveries, sweepExpiredEvents } from "./deliveries/sweep.ts";
import { metered, STATEMENTS_PER_INVOCATION, type Allowance } from "./database/databases.ts";
import { sweepRecoveries } from "./endpoints/recovery/recover.ts";
import type { Env } from "./env.ts";
import { sweepExpiredErasures } from "./erasure/expire.ts";
import { sweepErasures } from "./erasure/sweep.ts";
import { sweepBatches } from "./files/batches/sweep.ts";
import { sweepExpiredDeletions } from "./files/removals/expire.ts";
import { sweepDiscardedObjects, sweepInlineBytes } from "./files/sweep.ts";
import { sweepIdempotentRequests } from "./idempotency/sweep.ts";
import { sweepMissing } from "./imports/sweep.ts";
import { faultName, logLine, type SweepCounts } from "./log.ts";
import { runActs } from "./operator/act/act.ts";
import { sendJobs } from "./operator/jobs/consume.ts";
import { sweepFinishedJobs } from "./operator/jobs/sweep.ts";
import { sweepOutcomes } from "./outcomes/sweep.ts";
import { sweepSettings } from "./partners/sweep.ts";
import { sweepSources } from "./sources/sweep.ts";
import { publishDatabaseSizes, type DatabaseSize } from "./usage/databaseSizes.ts";
import { sweepUsage, sweepUsageDays } from "./usage/sweep.ts";

interface Sweep {
  name: keyof SweepCounts;
  run: (env: Env, nowMs: number, allowance: Allowance) => Promise<number>;
  /** Maximum number of statements of one run. Default: `FEW_STATEMENTS`. */
  statements?: number;
}

/** Enough for a sweep with one or two statements for each database. */
const FEW_STATEMENTS = 30;
/** Not given to sweeps: the last page of a sweep may exceed its allowance. */
const SPARE_STATEMENTS = 100;

/**
 * All sweeps of the schedule. They finish work that a crash has interrupted. One that fails does not stop the others.
 * They share the statements of an invocation: the last one, which may have the most work, gets what the others leave.
 */
const SWEEPS: readonly Sweep[] = [
  { name: "deliveries", run: sweepDeliveries, statements: 50 },
  { name: "recovered_events", run: sweepRecoveries, statements: 50 },
  { name: "partner_settings", run: sweepSettings, statements: 50 },
  { name: "unreported_outcomes", run: sweepOutcomes },
  { name: "expired_erasures", run: sweepExpiredErasures },
  { name: "expired_deletions", run: sweepExpiredDeletions },
  { name: "operator_jobs", run: sendJobs },
  { name: "operator_actions", run: runActs, statements: 50 },
  { name: "discarded_objects", run: sweepDiscardedObjects, statements: 50 },
  { name: "idempotent_requests", run: sweepIdempotentRequests },
  { name: "expired_events", run: sweepExpiredEvents },
  { name: "finished_jobs", run: sweepFinishedJobs },
  { name: "lost_alarms", run: sweepSources, statements: 50 },
  { name: "stale_batches", run: sweepBatches, statements: 70 },
  { name: "missing_files", run: sweepMissing },
  { name: "usage", run: sweepUsage },
  { name: "usage_days", run: sweepUsageDays },
  { name: "inline_bytes", run: sweepInlineBytes, statements: 70 },
  { name: "erasures", run: sweepErasures, statements: Infinity },
];

/** Runs all sweeps and logs how much each did. A missing log line shows that the schedule does not run. */
export async function runScheduled(env: Env, nowMs: number): Promise<void> {
  const startedAt = Date.now();
  const found: SweepCounts = {};
  const faults: string[] = [];
  let left = STATEMENTS_PER_INVOCATION - SPARE_STATEMENTS;
  const useOf = async <T>(most: number, work: (env: Env, allowance: Allowance) => Promise<T>): Promise<T> => {
    const given = Math.min(most, left);
    const allowance = { statements: given };
    try {
      return await work(metered(env, allowance), allowance);
    } finally {
      left -= given - allowance.statements;
    }
  };
  let size: DatabaseSize | undefined;
  try {
    size = await useOf(FEW_STATEMENTS, async (own, allowance) =>
      publishDatabaseSizes(own, { nowMs, allowance }),
    );
  } catch (fault) {
    faults.push(`database_size:${faultName(fault)}`);
  }
  for (const { name, run, statements = FEW_STATEMENTS } of SWEEPS) {
    try {
      found[name] = await useOf(statements, async (own, allowance) => run(own, nowMs, allowance));
    } catch (fault) {
      faults.push(`${name}:${faultName(fault)}`);
    }
  }
  logLine({
    unit: "scheduled",
    ...found,
    ...size,
    outcome: faults.length === 0 ? "done" : "fault",
    fault: faults.length === 0 ? undefined : faults.join(" "),
    milliseconds: Date.now() - startedAt,
  });
}
