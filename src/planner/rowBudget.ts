import { charge, take, type Bucket } from "../concurrency/tokenBucket.pure.ts";

/**
 * Maximum number of rows that the plan requests of one partner read in a minute, in one isolate: the histories of 1,000 users with
 * 250 activities. All partners share the database, so that a planner that fails must not multiply one partner's reads.
 */
export const PLAN_ROWS_PER_MINUTE = 500_000;

/** Buckets of this isolate, by partner. */
const buckets = new Map<string, Bucket>();

/** Returns whether a plan request of the partner may read rows now. */
export function mayReadRows(partnerId: string, nowMs: number): boolean {
  const { bucket, quota } = take(buckets.get(partnerId) ?? null, PLAN_ROWS_PER_MINUTE, 1, nowMs);
  buckets.set(partnerId, bucket);
  return quota.granted;
}

/** Counts rows that were read. Their number is known only after the read, so the bucket may go below zero. */
export function chargePlanRows(partnerId: string, rows: number, nowMs: number): void {
  const { bucket } = charge(buckets.get(partnerId) ?? null, PLAN_ROWS_PER_MINUTE, rows, nowMs);
  buckets.set(partnerId, bucket);
}
