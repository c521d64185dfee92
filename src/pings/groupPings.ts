import type { AcceptedPings, CollectorNames, PingEntry } from "../collector/calls.ts";
import type { Owner } from "../database/databases.ts";
import { inlineKey } from "../files/objectKeys.ts";
import { pingFieldsOf } from "../files/pingFields.pure.ts";
import { callbackDigest, collectorName, randomId } from "../identifiers.ts";
import { fileIdOf, type ValidPing } from "./ping.ts";

/** Number of collectors that one request calls at a time. It may name hundreds of users. */
export const COLLECTORS_AT_ONCE = 50;

/** Pings of one user and source. One collector accepts them in one call. */
export interface Group {
  names: CollectorNames;
  collector: string;
  /** Position of each ping in the request. */
  positions: number[];
  entries: PingEntry[];
}

/** A group with its collector's result for each ping. */
export interface AcceptedGroup {
  group: Group;
  accepted: AcceptedPings;
}

/** Groups a request's pings by user and source. Each group keeps the request's order. */
export function groupPings(owner: Owner, pings: readonly ValidPing[], nowMs: number): Group[] {
  const { partner_id: partnerId, database } = owner;
  const groups = new Map<string, Group>();
  let group: Group | undefined;
  for (const [position, ping] of pings.entries()) {
    // Most requests name one user, so the previous ping's group is nearly always the right one.
    if (group?.names.user_id !== ping.user_id || group.names.source !== ping.source) {
      const key = JSON.stringify([ping.user_id, ping.source]);
      group = groups.get(key) ?? {
        names: { partner_id: partnerId, database, user_id: ping.user_id, source: ping.source },
        collector: collectorName(partnerId, ping.user_id, ping.source),
        positions: [],
        entries: [],
      };
      groups.set(key, group);
    }
    const file_id = fileIdOf(partnerId, ping);
    group.positions.push(position);
    group.entries.push({
      file_id,
      summary_id: ping.summary_id,
      submission: {
        ...pingFieldsOf(ping),
        // No store accepts half of a surrogate pair.
        activity_name: ping.activity_name?.toWellFormed() ?? null,
        callback_url: ping.inline === null ? ping.callback_url : null,
        object_key: ping.inline === null ? null : inlineKey(partnerId, file_id, randomId(), nowMs),
        callback_digest: ping.inline === null ? null : callbackDigest(ping.callback_url),
        received_at: nowMs,
      },
    });
  }
  return [...groups.values()];
}
