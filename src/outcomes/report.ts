import { databaseFor, type Owner } from "../database/databases.ts";
import { EVENT_PREFIX } from "../deliveries/ids.ts";
import { randomId } from "../identifiers.ts";
import { chunksOf } from "../concurrency/chunksOf.ts";
import type { OutcomesEnv } from "./env.ts";
import { eventsFor } from "./gather.pure.ts";
import {
  readBatches,
  readFilesOf,
  readOutcomeEndpoints,
  type OutcomeBatch,
  type OutcomeEndpoint,
} from "./read.ts";
import { storeOutcomes } from "./write.ts";

/** Maximum number of batches that a page examines, with outcomes or without. */
const BATCHES_PER_PAGE = 500;
/** Maximum number of files of a page's batches. The last batch may exceed it. */
const FILES_PER_PAGE = 1_000;
/** Maximum number of messages in one `sendBatch`. */
const MESSAGES = 100;

/** Result of one round over a partner's endpoints. */
export interface Reported {
  events: number;
  /** Whether an endpoint has more outcomes to receive. */
  moreWaits: boolean;
}

/**
 * Stores and sends the next outcomes of each of the partner's endpoints, at most one page each. May be interrupted at any
 * time, and may run twice at once: an endpoint's position moves in the transaction that stores its events, and the clock
 * sends events whose message is lost.
 */
export async function reportOutcomes(env: OutcomesEnv, owner: Owner, nowMs: number): Promise<Reported> {
  const db = databaseFor(env, owner);
  const reported: Reported = { events: 0, moreWaits: false };
  for (const endpoint of await readOutcomeEndpoints(db, owner.partner_id)) {
    const { deliveryIds, isLast } = await reportPage(db, owner.partner_id, endpoint, nowMs);
    reported.events += deliveryIds.length;
    reported.moreWaits ||= !isLast;
    for (const ids of chunksOf(deliveryIds, MESSAGES)) {
      await env.DELIVERIES.sendBatch(ids.map((delivery_id) => ({ body: { ...owner, delivery_id } })));
    }
  }
  return reported;
}

async function reportPage(
  db: D1Database,
  partnerId: string,
  endpoint: OutcomeEndpoint,
  nowMs: number,
): Promise<{ deliveryIds: string[]; isLast: boolean }> {
  const found = await readBatches(db, partnerId, endpoint.position, BATCHES_PER_PAGE);
  const hasOutcomes = ({ outcomes }: OutcomeBatch) => outcomes > (endpoint.include_history ? 0 : 1);
  let files = 0;
  const end = found.findIndex((batch) => {
    const isFull = files >= FILES_PER_PAGE;
    if (hasOutcomes(batch)) files += batch.files;
    return isFull;
  });
  const batches = end === -1 ? found : found.slice(0, end);
  const through = batches.at(-1);
  if (through === undefined) return { deliveryIds: [], isLast: true };
  const listed = batches.filter(hasOutcomes);
  const changed =
    listed.length === 0 ? [] : await readFilesOf(db, partnerId, listed, endpoint.include_history);
  const events = eventsFor(endpoint, changed, nowMs).map((event) => ({
    delivery_id: EVENT_PREFIX + randomId(),
    event,
  }));
  const isStored = await storeOutcomes(db, partnerId, endpoint, events, through);
  const isLast = end === -1 && found.length < BATCHES_PER_PAGE;
  return { deliveryIds: isStored ? events.map(({ delivery_id }) => delivery_id) : [], isLast };
}
