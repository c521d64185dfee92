import type { AcceptedPings, CollectorNames, PingEntry } from "../collector/calls.ts";
import { inlineKey } from "../files/objectKeys.ts";
import { pingFieldsOf } from "../files/pingFields.pure.ts";
import { callbackDigest, collectorName, randomId } from "../identifiers.ts";
import { fileIdOf, type ValidPing } from "./ping.ts";

/** A request may name hundreds of users; their collectors are called this many at a time. */
export const COLLECTORS_AT_ONCE = 50;

/** Pings of one user and source, which one collector takes in one turn. */
export interface Group {
  names: CollectorNames;
  collector: string;
  /** Where each ping stood in the request. */
  places: number[];
  entries: PingEntry[];
}

/** What a group's collector has said of each of its pings. */
export interface TakenGroup {
  group: Group;
  accepted: AcceptedPings;
}

/** A request's pings by user and source, each group in the request's order. */
export function groupPings(partnerId: string, pings: readonly ValidPing[], nowMs: number): Group[] {
  const groups = new Map<string, Group>();
  let group: Group | undefined;
  for (const [place, ping] of pings.entries()) {
    // Most requests are about one user: the group of the last ping is nearly always this one's.
    if (group?.names.user_id !== ping.user_id || group.names.source !== ping.source) {
      const key = JSON.stringify([ping.user_id, ping.source]);
      group = groups.get(key) ?? {
        names: { partner_id: partnerId, user_id: ping.user_id, source: ping.source },
        collector: collectorName(partnerId, ping.user_id, ping.source),
        places: [],
        entries: [],
      };
      groups.set(key, group);
    }
    const file_id = fileIdOf(partnerId, ping);
    group.places.push(place);
    group.entries.push({
      file_id,
      summary_id: ping.summary_id,
      submission: {
        ...pingFieldsOf(ping),
        // No store keeps half of a surrogate pair.
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
