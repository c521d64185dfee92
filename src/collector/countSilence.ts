import { logSetback } from "../log.ts";
import { splitAfterSilence, type Clock } from "./dispatching.ts";
import type { LedgerRow } from "./ledger.ts";
import { fail, inFlight, interrupt } from "./settle.ts";
import { discardLeftBehind, followSettled, type SettlingTurn } from "./settleOutcomes.ts";
import type { Dispatch } from "./storage.ts";
import { Tally } from "./tally.ts";

/** What ending a claim needs of the collector's turn. */
export interface SilenceTurn extends SettlingTurn {
  clock: Pick<Clock, "exclusiveDelayMs">;
}

/** Ends a claim whose importer never reported: its files are dispatched alone, or fail if they were alone in memory. */
export function countSilence(turn: SilenceTurn, collector: string, dispatch: Dispatch, nowMs: number): void {
  const rows = turn.storage.readFiles(dispatch.files.map(([fileId]) => fileId));
  const files = dispatch.files.filter(([fileId, version]) => inFlight(rows.get(fileId), version) !== null);
  const { again, poison } = splitAfterSilence({ ...dispatch, files }, turn.clock, Math.random, nowMs);
  const tally = new Tally();
  const failed: [LedgerRow, LedgerRow][] = [];
  for (const [fileId, version] of poison) {
    const row = inFlight(rows.get(fileId), version);
    if (row === null) continue;
    const revision = row.revision + dispatch.claims + 1;
    const ended = fail(
      row,
      {
        code: "internal",
        detail: "The import of this file ended without an answer several times. We were told of it.",
        http_status: null,
        retryable: true,
      },
      revision,
      nowMs,
    );
    turn.storage.writeFiles([ended]);
    tally.add(row.current, "failed");
    failed.push([row, ended]);
  }
  turn.storage.deleteDispatch(dispatch.dispatch_id);
  turn.storage.writeDispatches(again);
  const interrupted = again.flatMap(({ files: alone }) =>
    alone.flatMap(([fileId, version]) => inFlight(rows.get(fileId), version) ?? []),
  );
  turn.storage.writeFiles(interrupted.map((row) => interrupt(row, nowMs)));
  followSettled(
    turn,
    failed.map(([row]) => row.file_id),
    tally,
    nowMs,
  );
  discardLeftBehind(turn, failed);
  logSetback("claim_unheard", {
    collector,
    dispatch_id: dispatch.dispatch_id,
    files: files.length,
    unheard: dispatch.unheard + 1,
    failed: failed.length,
  });
}
