import { REQUESTS_STORED_AFTER_MS } from "../contract/limits.ts";
import { databaseFor, type Owner } from "../database/databases.ts";
import type { Env } from "../env.ts";
import type { RequestClass, RequestCounts } from "./days.ts";
import { addRequests } from "./write.ts";

/** Maximum number of partners with requests that are not stored yet. Requests of further partners are not counted. */
const MAX_COUNTED_PARTNERS = 1_000;

/** Age of counts that the next request stores, because the invocation that should have stored them has ended. */
const OVERDUE_AFTER_MS = 2 * REQUESTS_STORED_AFTER_MS;

interface Counted {
  owner: Owner;
  sinceMs: number;
  counts: RequestCounts;
}

/** Requests of this isolate that are not stored yet, by partner. */
const counted = new Map<string, Counted>();

/** Returns the class of a status. Redirects and informational responses do not occur. */
function classOf(status: number): RequestClass {
  if (status === 429) return "status_429";
  if (status >= 500) return "status_5xx";
  return status >= 400 ? "status_4xx" : "status_2xx";
}

/** Counts a request in memory. Returns true if its invocation must store the partner's counts. */
export function countRequest({ partner_id, database }: Owner, status: number, nowMs: number): boolean {
  const known = counted.get(partner_id);
  if (known !== undefined) {
    known.counts[classOf(status)] += 1;
    if (nowMs - known.sinceMs < OVERDUE_AFTER_MS) return false;
    known.sinceMs = nowMs;
    return true;
  }
  if (counted.size >= MAX_COUNTED_PARTNERS) return false;
  const counts: RequestCounts = { status_2xx: 0, status_4xx: 0, status_429: 0, status_5xx: 0 };
  counts[classOf(status)] += 1;
  counted.set(partner_id, { owner: { partner_id, database }, sinceMs: nowMs, counts });
  return true;
}

/** Stores the counted requests of a partner on the current day, in one row. If D1 fails, they are lost. */
export async function storeRequests(env: Env, partnerId: string): Promise<void> {
  const known = counted.get(partnerId);
  if (known === undefined) return;
  counted.delete(partnerId);
  await addRequests(databaseFor(env, known.owner), partnerId, known.counts);
}
