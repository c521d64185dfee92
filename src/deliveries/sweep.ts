import { isUsedUp, sumOverDatabases, wholeInvocation, type Allowance } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { EVENTS_KEPT_FOR_MS } from "../contract/limits.ts";
import { deleteExpiredEvents, postponeOverdueDeliveries } from "./write.ts";

/** A queue under load delivers messages seconds late. A message later than this counts as lost. */
const GRACE_MS = 2 * 60_000;
/** Shorter, because local queues lose their messages on a restart while a developer waits. */
const LOCAL_GRACE_MS = 5_000;
/** Maximum number of messages in one `sendBatch`. */
const BATCH_MESSAGES = 100;
/** Maximum number of batches in one run. Later runs send the rest: a backlog of hours takes minutes. */
const BATCHES_PER_RUN = 5;
/** Few enough for one short statement. */
const EXPIRED_PER_RUN = 10_000;

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

/** Deletes expired events that belong to no user, so that no erasure deletes them. Returns how many. */
export async function sweepExpiredEvents(
  env: Env,
  nowMs: number,
  allowance: Allowance = wholeInvocation(),
): Promise<number> {
  return sumOverDatabases(env, { nowMs, allowance }, async (database) =>
    deleteExpiredEvents(database, nowMs - EVENTS_KEPT_FOR_MS, EXPIRED_PER_RUN),
  );
}
