import { logLine } from "../../log.ts";
import { followSettled } from "../files/followSettled.ts";
import * as versions from "../files/versions.pure.ts";
import { nameOf } from "../identity.ts";
import { Tally } from "../imports/tally.pure.ts";
import type { CollectorTurn } from "../turn.ts";
import { splitExpired, type Dispatch } from "./dispatch.pure.ts";

/** A claim expired without a report: its files go on alone, or fail if they were alone in memory. */
export function expireClaim(turn: CollectorTurn, dispatch: Dispatch): void {
  const { storage, now } = turn;
  const found = storage.files.read(dispatch.files.map(([fileId]) => fileId));
  const files = dispatch.files.filter(
    ([fileId, version]) => versions.queuedVersion(found.get(fileId), version) !== null,
  );
  const { again, lost } = splitExpired({ ...dispatch, files }, turn.clock, turn, now);
  const tally = new Tally();
  const failed: { before: versions.FileVersions; after: versions.FileVersions }[] = [];
  for (const [fileId, version] of lost) {
    const before = found.get(fileId);
    const queued = versions.queuedVersion(before, version);
    if (before === undefined || queued === null) continue;
    failed.push({
      before,
      after: versions.lose(before, version, before.revision + dispatch.claims + 1, now),
    });
    tally.add(queued, "failed");
  }
  storage.files.write(failed.map(({ after }) => after));
  storage.dispatches.delete(dispatch.dispatch_id);
  storage.dispatches.write(again);
  const alone = again.flatMap((dispatch) => dispatch.files);
  storage.files.write(
    alone.flatMap(([fileId, version]) => {
      const file = found.get(fileId);
      return file === undefined ? [] : [versions.expireClaim(file, version, now)];
    }),
  );
  // The dispatch stood for its files until now.
  if (alone.length > 0 && dispatch.queue === "PRIORITY") {
    storage.outbox.add([{ kind: "project_files", file_ids: alone.map(([fileId]) => fileId) }]);
  }
  followSettled(turn, { project: failed.map(({ after }) => after.file_id), failed, tally });
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

/** The queue gave up on a message: an expired claim ends, and an unclaimed dispatch is sent again. */
export function abandonDispatch(turn: CollectorTurn, dispatchId: string): void {
  const { storage, now } = turn;
  const dispatch = storage.dispatches.read(dispatchId);
  if (dispatch === null || (dispatch.state === "claimed" && dispatch.due_at > now)) return;
  if (dispatch.state === "claimed") expireClaim(turn, dispatch);
  else storage.dispatches.write([{ ...dispatch, state: "unsent", sent_at: null, due_at: now }]);
  turn.alarmBy(now);
}
