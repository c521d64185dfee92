import type { Claim, Claimant, WorkItem } from "../calls.ts";
import { openVersion, stopPrefetch, type FileVersions } from "../files/versions.pure.ts";
import { drainLater } from "../imports/drainImports.ts";
import type { CollectorTurn } from "../turn.ts";
import { hasEnded, renewClaim } from "./dispatch.pure.ts";
import { expireClaim } from "./expireClaim.ts";
import { workItem } from "./workItem.pure.ts";

/**
 * Claims a dispatch for one importer. Null when it is settled, superseded or claimed by another importer. A repeated
 * call with the same claim id renews and returns the same claim.
 */
export function claimDispatch(turn: CollectorTurn, dispatchId: string, claimant: Claimant): Claim | null {
  const { storage, identity, now } = turn;
  const dispatch = storage.dispatches.read(dispatchId);
  if (dispatch === null) return null;
  const holder = dispatch.state === "claimed" ? dispatch.claim : null;
  if (holder !== null && (dispatch.due_at <= now || hasEnded(holder, claimant))) {
    // One of its files may have crashed the importer, so each gets a dispatch of its own.
    expireClaim(turn, dispatch);
    turn.alarmBy(now);
    return null;
  }
  const isRepeated = holder?.claim === claimant.claim;
  if (holder !== null && !isRepeated) return null;
  const files = storage.files.read(dispatch.files.map(([fileId]) => fileId));
  const claims = isRepeated ? dispatch.claims : dispatch.claims + 1;
  const unwanted: FileVersions[] = [];
  const items = dispatch.files.flatMap(([fileId, version]): WorkItem[] => {
    const file = files.get(fileId);
    const open = openVersion(file, version);
    if (file === undefined || open === null) return [];
    const isWanted = open.state !== "held" || claimant.prefetches === true;
    if (!isWanted) unwanted.push(file);
    return isWanted ? [workItem(file, open, claims)] : [];
  });
  leaveToTask(turn, unwanted);
  if (items.length === 0) {
    storage.dispatches.delete(dispatchId);
    drainLater(turn);
    return null;
  }
  const claimed = renewClaim({ ...dispatch, claims, claim: claimant }, turn.clock, now);
  storage.dispatches.write([{ ...claimed, files: items.map((item) => [item.file_id, item.version]) }]);
  turn.alarmBy(claimed.due_at);
  const { partner_id, user_id, source, database } = identity;
  return {
    claim: claimant.claim,
    until: claimed.due_at,
    names: { partner_id, user_id, source, database },
    exclusive: dispatch.exclusive,
    items,
  };
}

/** Leaves held files to their task, because the partner does not want them downloaded before it any more. */
function leaveToTask(turn: CollectorTurn, files: readonly FileVersions[]): void {
  const changed = files.flatMap((before) => {
    const after = stopPrefetch(before);
    return after === before ? [] : [after];
  });
  if (changed.length === 0) return;
  turn.storage.files.write(changed);
  turn.storage.outbox.add([{ kind: "project_files", file_ids: changed.map((file) => file.file_id) }]);
  turn.alarmBy(turn.now + turn.clock.projectionDelayMs);
}
