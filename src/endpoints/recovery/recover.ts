import { isUsedUp, sumOverDatabases, wholeInvocation, type Allowance } from "../../database/databases.ts";
import { failHeldTooLong, restartDeliveries } from "../../deliveries/write.ts";
import type { Env } from "../../env.ts";
import { endpointsToRecover, readEvents, readRecovery, type EndpointName } from "./read.ts";
import { moveRecovery } from "./write.ts";

/** Maximum number of endpoints in one run of the sweep. */
const ENDPOINTS_PER_RUN = 10;
/** Maximum number of pages of an endpoint in one run, so that a run stays short and its receiver is not flooded. */
const PAGES_PER_RUN = 5;
/** Maximum number of events that a page examines. */
const EXAMINED_PER_PAGE = 2_000;
/** Maximum number of events that a page sends: that of messages in one `sendBatch`. */
const SENT_PER_PAGE = 100;
/** Maximum number of events in one run that fail because they were held too long. */
const FAILED_PER_RUN = 1_000;

/**
 * Continues the recoveries that partners have requested, and fails the events that were held too long. Returns how many
 * events changed.
 */
export async function sweepRecoveries(
  env: Env,
  nowMs: number,
  allowance: Allowance = wholeInvocation(),
): Promise<number> {
  return sumOverDatabases(env, { nowMs, allowance }, async (db, database) => {
    let changed = await failHeldTooLong(db, nowMs, FAILED_PER_RUN);
    for (const endpoint of await endpointsToRecover(db, ENDPOINTS_PER_RUN)) {
      if (isUsedUp(allowance)) break;
      const { sent } = await recover(env, { db, database, ...endpoint }, nowMs);
      changed += sent;
    }
    return changed;
  });
}

/**
 * Sends again the next events of an endpoint that failed or were held since `recover_since`, a few pages. Includes events
 * of its types that had no receiver. Ends the recovery after the last one. Returns how many events were sent, and the number
 * of rows read.
 */
export async function recover(
  env: Env,
  endpoint: EndpointName & { db: D1Database; database: string },
  nowMs: number,
): Promise<{ sent: number; rowsRead: number }> {
  let sent = 0;
  let rowsRead = 0;
  for (let page = 0; page < PAGES_PER_RUN; page += 1) {
    const result = await recoverPage(env, endpoint, nowMs);
    sent += result.sent;
    rowsRead += result.rowsRead;
    if (result.isLast) break;
  }
  return { sent, rowsRead };
}

async function recoverPage(
  env: Env,
  endpoint: EndpointName & { db: D1Database; database: string },
  nowMs: number,
): Promise<{ sent: number; rowsRead: number; isLast: boolean }> {
  const { db, database, partner_id } = endpoint;
  const since = await readRecovery(db, endpoint);
  if (since === null) return { sent: 0, rowsRead: 1, isLast: true };
  const { events: rows, rowsRead } = await readEvents(db, endpoint, since, EXAMINED_PER_PAGE);
  const matches = rows.filter(({ is_match }) => is_match === 1).slice(0, SENT_PER_PAGE);
  const isLast = matches.length < SENT_PER_PAGE && rows.length < EXAMINED_PER_PAGE;
  // The next page begins at the time of the last row, because further rows may have the same time.
  const through = (matches.length < SENT_PER_PAGE ? rows : matches).at(-1)?.created_at ?? since;
  const next = through === since && matches.length === 0 ? since + 1 : through;
  const ids = matches.map(({ delivery_id }) => delivery_id);
  await db.batch([
    restartDeliveries(db, endpoint, ids, nowMs),
    moveRecovery(db, endpoint, since, isLast ? null : next),
  ]);
  if (ids.length > 0) {
    await env.DELIVERIES.sendBatch(
      ids.map((delivery_id) => ({ body: { partner_id, delivery_id, database } })),
    );
  }
  return { sent: ids.length, rowsRead, isLast };
}
