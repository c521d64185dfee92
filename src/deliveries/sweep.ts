import { isUsedUp, sumOverDatabases, wholeInvocation, type Allowance } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { deleteTestEvents, postponeOverdueDeliveries } from "./write.ts";

/** A queue under load delivers messages seconds late. A message later than this counts as lost. */
const GRACE_MS = 2 * 60_000;
/** Shorter, because local queues lose their messages on a restart while a developer waits. */
const LOCAL_GRACE_MS = 5_000;
/** Maximum number of messages in one `sendBatch`. */
const BATCH_MESSAGES = 100;
/** Maximum number of batches in one run. Later runs send the rest: a backlog of hours takes minutes. */
const BATCHES_PER_RUN = 5;
/** Test events belong to no user, so erasure never deletes them. */
const TEST_EVENT_KEPT_FOR_MS = 30 * 24 * 60 * 60_000;
/** Exceeds the highest rate per minute of all partners. Few enough for one short statement. */
const TEST_EVENTS_PER_RUN = 10_000;

/** Sends messages again for due deliveries whose message seems lost. Returns how many. */
export async function sweepDeliveries(
  env: Env,
  nowMs: number,
  allowance: Allowance = wholeInvocation(),
): Promise<number> {
  const beforeMs = nowMs - (env.ENVIRONMENT === "local" ? LOCAL_GRACE_MS : GRACE_MS);
  return sumOverDatabases(env, { nowMs, allowance }, async (database, name) => {
    let sent = 0;
    for (let batch = 0; batch < BATCHES_PER_RUN && !isUsedUp(allowance); batch += 1) {
      const overdue = await postponeOverdueDeliveries(database, beforeMs, nowMs, BATCH_MESSAGES);
      if (overdue.length > 0)
        await env.DELIVERIES.sendBatch(
          overdue.map((delivery) => ({ body: { ...delivery, database: name } })),
        );
      sent += overdue.length;
      if (overdue.length < BATCH_MESSAGES) break;
    }
    return sent;
  });
}

/** Deletes test events that have expired. Returns how many. */
export async function sweepTestEvents(
  env: Env,
  nowMs: number,
  allowance: Allowance = wholeInvocation(),
): Promise<number> {
  return sumOverDatabases(env, { nowMs, allowance }, async (database) =>
    deleteTestEvents(database, nowMs - TEST_EVENT_KEPT_FOR_MS, TEST_EVENTS_PER_RUN),
  );
}
