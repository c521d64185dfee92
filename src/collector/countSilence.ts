import { logUnit } from "../log.ts";
import { splitAfterSilence } from "./dispatching.ts";
import type { LedgerRow } from "./ledger.ts";
import { fail, inFlight, interrupt } from "./settle.ts";
import { discardLeftBehind, followSettled, type SettlingTurn } from "./settleOutcomes.ts";
import type { Dispatch } from "./storage.ts";
import { Tally } from "./tally.ts";

/** A dispatch whose importer ended without a word: its files go on alone, or fail once that happened too often. */
export function countSilence(turn: SettlingTurn, dispatch: Dispatch, nowMs: number): void {
  const rows = turn.storage.readFiles(dispatch.files.map(([fileId]) => fileId));
  const files = dispatch.files.filter(([fileId, version]) => inFlight(rows.get(fileId), version) !== null);
  const { again, poison } = splitAfterSilence({ ...dispatch, files }, nowMs);
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
  if (dispatch.state === "claimed") {
    const interrupted = again.flatMap(({ files: alone }) =>
      alone.flatMap(([fileId, version]) => inFlight(rows.get(fileId), version) ?? []),
    );
    turn.storage.writeFiles(interrupted.map((row) => interrupt(row, nowMs)));
  }
  followSettled(
    turn,
    failed.map(([row]) => row.file_id),
    tally,
    nowMs,
  );
  discardLeftBehind(turn, failed);
  logUnit("dispatch", {
    dispatch_id: dispatch.dispatch_id,
    outcome: "claim_unheard",
    files: files.length,
    unheard: dispatch.unheard + 1,
    failed: failed.length,
  });
}
