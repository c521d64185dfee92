import type { AcceptedEntry, PingEntry } from "./calls.ts";
import { judgePing, newestOf, type LedgerRow } from "./ledger.ts";
import { objectsLeftBehind, stateOf, type Owner } from "./projection.ts";
import { inFlight, take } from "./settle.ts";
import type { OutboxEntry } from "./storage.ts";

export interface Judged {
  accepted: AcceptedEntry[];
  /** Rows to write, each with the last of its pings. */
  changed: LedgerRow[];
  /** [file_id, version] of what is to be dispatched at once. */
  live: [string, number][];
  /** Ids of files whose bulk ping repeats what is there: the next import counts them as skipped. */
  duplicates: string[];
  /** Objects that no row names any more. */
  discarded: OutboxEntry[];
}

/**
 * What pings mean for their files, one after the other. `known` are the rows of those files that were pinged
 * before, `floor` the version below which none may start. Pure: the time is an argument.
 */
export function judgePings(
  owner: Owner,
  entries: readonly PingEntry[],
  known: ReadonlyMap<string, LedgerRow>,
  floor: number,
  nowMs: number,
): Judged {
  const rows = new Map(known);
  const changed = new Map<string, LedgerRow>();
  const live: [string, number][] = [];
  const duplicates: string[] = [];
  const discarded: OutboxEntry[] = [];
  const repeated = new Set<string>();
  const accepted = entries.map((entry): AcceptedEntry => {
    const row = rows.get(entry.file_id) ?? null;
    const verdict = judgePing(row, entry.submission, nowMs);
    if (row !== null && (verdict === "duplicate" || verdict === "held_already")) {
      if (verdict === "duplicate" && entry.submission.priority === 0) duplicates.push(entry.file_id);
      // A state may be long, and a request may repeat one file thousands of times: it is said once.
      const told = changed.has(entry.file_id) || repeated.has(entry.file_id);
      const open = row.held !== null || row.current?.state === "queued";
      repeated.add(entry.file_id);
      return {
        status: verdict === "duplicate" ? "duplicate" : "held",
        version: newestOf(row)?.version ?? 0,
        taken: null,
        state: open && !told ? stateOf(row) : null,
      };
    }
    const verb = verdict === "dispatch" ? "dispatch" : "hold";
    const taken = take(entry.file_id, entry.summary_id, row, entry.submission, verb, floor, nowMs);
    for (const key of objectsLeftBehind(owner, row, taken)) {
      discarded.push({ kind: "discard_object", file_id: entry.file_id, object_key: key });
    }
    if (taken.held === null && taken.current !== null) live.push([entry.file_id, taken.current.version]);
    rows.set(entry.file_id, taken);
    changed.set(entry.file_id, taken);
    return {
      status: taken.held === null ? "queued" : "held",
      version: newestOf(taken)?.version ?? 0,
      taken: {
        revision: taken.revision,
        import_id: taken.held === null ? (taken.current?.import_id ?? null) : null,
      },
    };
  });
  return {
    accepted,
    changed: [...changed.values()],
    // A file that was replaced twice in one request needs only its last dispatch.
    live: live.filter(([fileId, version]) => inFlight(rows.get(fileId), version) !== null),
    duplicates,
    discarded,
  };
}
