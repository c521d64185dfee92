import { sweepDeliveries, sweepTestEvents } from "./deliveries/sweep.ts";
import type { Env } from "./env.ts";
import { sweepExpiredErasures } from "./erasure/expire.ts";
import { sweepErasures } from "./erasure/sweep.ts";
import { sweepBatches } from "./files/batches/sweep.ts";
import { sweepDiscardedObjects, sweepInlineBytes } from "./files/sweep.ts";
import { sweepIdempotentRequests } from "./idempotency/sweep.ts";
import { sweepMissing } from "./imports/sweep.ts";
import { faultName, logLine, type SweepCounts } from "./log.ts";
import { continueAgainJobs } from "./operator/again/continueJobs.ts";
import { continueJobs } from "./operator/redecode.ts";
import { sweepFinishedJobs } from "./operator/sweep.ts";
import { sweepSources } from "./sources/sweep.ts";
import { sweepUsage } from "./usage/sweep.ts";

/** Minutes of the hour at which a sweep of a whole past hour runs. Twice, in case one run is missed. */
const HOURLY_MINUTES = new Set([5, 35]);

interface Sweep {
  name: keyof SweepCounts;
  isDue(nowMs: number): boolean;
  run(env: Env, nowMs: number): Promise<number>;
}

/** All sweeps of the schedule. They finish work that a crash has interrupted. One that fails does not stop the others. */
const SWEEPS: readonly Sweep[] = [
  { name: "deliveries", isDue: () => true, run: sweepDeliveries },
  { name: "erasures", isDue: () => true, run: sweepErasures },
  { name: "expired_erasures", isDue: () => true, run: sweepExpiredErasures },
  { name: "operator_jobs", isDue: () => true, run: continueJobs },
  { name: "projected_again", isDue: () => true, run: continueAgainJobs },
  { name: "discarded_objects", isDue: () => true, run: sweepDiscardedObjects },
  { name: "idempotent_requests", isDue: () => true, run: sweepIdempotentRequests },
  { name: "test_events", isDue: () => true, run: sweepTestEvents },
  { name: "finished_jobs", isDue: () => true, run: sweepFinishedJobs },
  { name: "lost_alarms", isDue: () => true, run: sweepSources },
  { name: "stale_batches", isDue: () => true, run: sweepBatches },
  { name: "missing_files", isDue: () => true, run: sweepMissing },
  { name: "usage", isDue: () => true, run: sweepUsage },
  {
    name: "inline_bytes",
    isDue: (nowMs) => HOURLY_MINUTES.has(new Date(nowMs).getUTCMinutes()),
    run: sweepInlineBytes,
  },
];

/** Runs all sweeps that are due and logs how much each did. A missing log line shows that the schedule does not run. */
export async function runScheduled(env: Env, nowMs: number): Promise<void> {
  const startedAt = Date.now();
  const found: SweepCounts = {};
  const faults: string[] = [];
  for (const sweep of SWEEPS) {
    if (!sweep.isDue(nowMs)) continue;
    try {
      found[sweep.name] = await sweep.run(env, nowMs);
    } catch (fault) {
      faults.push(`${sweep.name}:${faultName(fault)}`);
    }
  }
  logLine({
    unit: "scheduled",
    ...found,
    outcome: faults.length === 0 ? "done" : "fault",
    fault: faults.length === 0 ? undefined : faults.join(" "),
    milliseconds: Date.now() - startedAt,
  });
}
