import { sweepDeliveries, sweepTestEvents } from "./deliveries/sweep.ts";
import { sweepRecoveries } from "./endpoints/recovery/recover.ts";
import type { Env } from "./env.ts";
import { sweepExpiredErasures } from "./erasure/expire.ts";
import { sweepErasures } from "./erasure/sweep.ts";
import { sweepBatches } from "./files/batches/sweep.ts";
import { sweepDiscardedObjects, sweepInlineBytes } from "./files/sweep.ts";
import { sweepIdempotentRequests } from "./idempotency/sweep.ts";
import { sweepMissing } from "./imports/sweep.ts";
import { faultName, logLine, type SweepCounts } from "./log.ts";
import { runActs } from "./operator/act/act.ts";
import { sendJobs } from "./operator/jobs/consume.ts";
import { sweepFinishedJobs } from "./operator/jobs/sweep.ts";
import { sweepSources } from "./sources/sweep.ts";
import { publishDatabaseSizes, type DatabaseSize } from "./usage/databaseSizes.ts";
import { sweepUsage } from "./usage/sweep.ts";

interface Sweep {
  name: keyof SweepCounts;
  run(env: Env, nowMs: number): Promise<number>;
}

/** All sweeps of the schedule. They finish work that a crash has interrupted. One that fails does not stop the others. */
const SWEEPS: readonly Sweep[] = [
  { name: "deliveries", run: sweepDeliveries },
  { name: "recovered_events", run: sweepRecoveries },
  { name: "erasures", run: sweepErasures },
  { name: "expired_erasures", run: sweepExpiredErasures },
  { name: "operator_jobs", run: sendJobs },
  { name: "operator_actions", run: runActs },
  { name: "discarded_objects", run: sweepDiscardedObjects },
  { name: "idempotent_requests", run: sweepIdempotentRequests },
  { name: "test_events", run: sweepTestEvents },
  { name: "finished_jobs", run: sweepFinishedJobs },
  { name: "lost_alarms", run: sweepSources },
  { name: "stale_batches", run: sweepBatches },
  { name: "missing_files", run: sweepMissing },
  { name: "usage", run: sweepUsage },
  { name: "inline_bytes", run: sweepInlineBytes },
];

/** Runs all sweeps and logs how much each did. A missing log line shows that the schedule does not run. */
export async function runScheduled(env: Env, nowMs: number): Promise<void> {
  const startedAt = Date.now();
  const found: SweepCounts = {};
  const faults: string[] = [];
  for (const sweep of SWEEPS) {
    try {
      found[sweep.name] = await sweep.run(env, nowMs);
    } catch (fault) {
      faults.push(`${sweep.name}:${faultName(fault)}`);
    }
  }
  let size: DatabaseSize | undefined;
  try {
    size = await publishDatabaseSizes(env);
  } catch (fault) {
    faults.push(`database_size:${faultName(fault)}`);
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
