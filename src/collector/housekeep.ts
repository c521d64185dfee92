import { CLOSED_IMPORT_KEPT_FOR_MS, HELD_FOR_MS, KEPT_URL_FOR_MS } from "./ages.ts";
import type { LedgerRow } from "./ledger.ts";
import { expire, withoutUrl } from "./settle.ts";
import type { ImportRow, OutboxEntry } from "./storage.ts";

/** What housekeeping needs of the storage. */
export interface HousekeptLedger {
  heldBefore(version: number, limit: number): LedgerRow[];
  keptFailures(): LedgerRow[];
  writeFiles(rows: readonly LedgerRow[]): void;
  addToOutbox(entries: readonly OutboxEntry[]): void;
  readImports(): ImportRow[];
  deleteImport(importId: string): void;
}

/**
 * Ends held pings, kept URLs and closed imports that are past their age; of held pings at most `limit`.
 * Answers the failures that lost their URL, before and after: objects may be left behind.
 */
export function housekeep(ledger: HousekeptLedger, nowMs: number, limit: number): [LedgerRow, LedgerRow][] {
  const expired = ledger.heldBefore(nowMs - HELD_FOR_MS, limit).flatMap((row) => expire(row, nowMs) ?? []);
  const stale = ledger
    .keptFailures()
    .filter((row) => (row.current?.settled_at ?? nowMs) <= nowMs - KEPT_URL_FOR_MS)
    .map((row): [LedgerRow, LedgerRow] => [row, withoutUrl(row)]);
  const written = [...expired, ...stale.map(([, after]) => after)];
  ledger.writeFiles(written);
  const touched = written.map((row) => row.file_id);
  if (touched.length > 0) ledger.addToOutbox([{ kind: "project_files", file_ids: touched }]);
  for (const row of ledger.readImports()) {
    if (row.completed_at !== null && row.completed_at <= nowMs - CLOSED_IMPORT_KEPT_FOR_MS) {
      ledger.deleteImport(row.import_id);
    }
  }
  return stale;
}

/** When the oldest held ping, kept URL or closed import comes of age; null: none there. */
export function nextHousekeeping(
  held: { count: number; oldest: number },
  keptFailures: readonly LedgerRow[],
  imports: readonly ImportRow[],
  nowMs: number,
): number | null {
  const times = keptFailures.map((row) => (row.current?.settled_at ?? nowMs) + KEPT_URL_FOR_MS);
  if (held.count > 0) times.push(held.oldest + HELD_FOR_MS);
  for (const row of imports) {
    if (row.completed_at !== null) times.push(row.completed_at + CLOSED_IMPORT_KEPT_FOR_MS);
  }
  return times.reduce<number | null>((least, time) => (least === null || time < least ? time : least), null);
}
