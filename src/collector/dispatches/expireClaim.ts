import { logLine } from "../../log.ts";
import { finishAttempts } from "../files/finishAttempts.ts";
import * as versions from "../files/versions.pure.ts";
import { nameOf } from "../identity.ts";
import { skipUnclaimed } from "../imports/cancelImport.ts";
import { Tally } from "../imports/tally.pure.ts";
import type { CollectorTurn } from "../turn.ts";
import { splitExpired, type Dispatch } from "./dispatch.pure.ts";

/** Ends a claim that expired without a report. Its files get dispatches of their own; an exclusive file fails. */
export function expireClaim(turn: CollectorTurn, dispatch: Dispatch): void {
  const { storage, now } = turn;
  const found = storage.files.read(dispatch.files.map(([fileId]) => fileId));
  const files = dispatch.files.filter(
    ([fileId, version]) => versions.openVersion(found.get(fileId), version) !== null,
  );
  const { retries, exhausted } = splitExpired({ ...dispatch, files }, turn.clock, turn, now);
  const tally = new Tally();
  const failed: { before: versions.FileVersions; after: versions.FileVersions }[] = [];
  for (const [fileId, version] of exhausted) {
    const before = found.get(fileId);
    const open = versions.openVersion(before, version);
    if (before === undefined || open === null) continue;
    const after = versions.failExhausted(before, version, before.revision + dispatch.claims + 1, now);
    failed.push({ before, after });
    if (open.state === "queued") tally.add(open, versions.failedAs(after));
  }
  storage.files.write(failed.map(({ after }) => after));
  storage.dispatches.delete(dispatch.dispatch_id);
  storage.dispatches.write(retries);
  if (retries.length > 0) skipUnclaimed(turn);
  const alone = retries.flatMap((dispatch) => dispatch.files);
  storage.files.write(
    alone.flatMap(([fileId, version]) => {
      const file = found.get(fileId);
      return file === undefined ? [] : [versions.interruptAttempt(file, version, now)];
    }),
  );
  // An open PRIORITY dispatch replaces the outbox entry of its files. This dispatch is deleted now.
  if (alone.length > 0 && (dispatch.queue === "PRIORITY" || dispatch.prefetch)) {
    storage.outbox.add([{ kind: "project_files", file_ids: alone.map(([fileId]) => fileId) }]);
  }
  finishAttempts(turn, { project: failed.map(({ after }) => after.file_id), failed, tally });
  logLine({
    unit: "setback",
    outcome: "claim_expired",
    collector: nameOf(turn.identity),
    dispatch_id: dispatch.dispatch_id,
    files: files.length,
    expired_claims: dispatch.expired_claims + 1,
    failed: failed.length,
  });
}

/** Handles a dead-lettered message: ends an expired claim, or sends an unclaimed dispatch again. */
export function abandonDispatch(turn: CollectorTurn, dispatchId: string): void {
  const { storage, now } = turn;
  const dispatch = storage.dispatches.read(dispatchId);
  if (dispatch === null || (dispatch.state === "claimed" && dispatch.due_at > now)) return;
  if (dispatch.state === "claimed") expireClaim(turn, dispatch);
  else storage.dispatches.write([{ ...dispatch, state: "unsent", sent_at: null, due_at: now }]);
  turn.alarmBy(now);
}
