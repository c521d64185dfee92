import { allDatabases } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { deleteTestEvents, takeOverdueDeliveries } from "./write.ts";

/** A queue under load is late by seconds; what is later than this it has lost. */
const GRACE_MS = 2 * 60_000;
/** Local queues forget on a restart, and somebody is watching. */
const LOCAL_GRACE_MS = 5_000;
/** `sendBatch` takes this many messages. */
const BATCH_MESSAGES = 100;
/** A store that was down for hours is caught up with in minutes, one run after another. */
const BATCHES_PER_RUN = 5;
/** Nobody's data, and no deletion of a user takes them along; by then the receiver they tried out works. */
const TEST_EVENT_KEPT_FOR_MS = 30 * 24 * 60 * 60_000;
/** More than a minute brings at the highest rate of a partner; one statement stays short. */
const TEST_EVENTS_PER_RUN = 10_000;

/** Sends again the deliveries that are due and that no message seems to bring. Answers how many. */
export async function sweepDeliveries(env: Env, nowMs: number): Promise<number> {
  const beforeMs = nowMs - (env.ENVIRONMENT === "local" ? LOCAL_GRACE_MS : GRACE_MS);
  let sent = 0;
  for (const database of allDatabases(env)) {
    for (let batch = 0; batch < BATCHES_PER_RUN; batch += 1) {
      const overdue = await takeOverdueDeliveries(database, beforeMs, nowMs, BATCH_MESSAGES);
      if (overdue.length > 0) await env.DELIVERIES.sendBatch(overdue.map((body) => ({ body })));
      sent += overdue.length;
      if (overdue.length < BATCH_MESSAGES) break;
    }
  }
  return sent;
}

/** Forgets test events past their age. Answers how many. */
export async function sweepTestEvents(env: Env, nowMs: number): Promise<number> {
  let deleted = 0;
  for (const database of allDatabases(env)) {
    deleted += await deleteTestEvents(database, nowMs - TEST_EVENT_KEPT_FOR_MS, TEST_EVENTS_PER_RUN);
  }
  return deleted;
}
