import { randomId } from "../../identifiers.ts";
import type { Claim, WorkItem } from "../calls.ts";
import { queuedVersion } from "../files/versions.ts";
import { drainLater } from "../imports/drainImports.ts";
import type { CollectorTurn } from "../turn.ts";
import { renewClaim } from "./dispatch.ts";
import { workItem } from "./workItem.ts";

/** Gives a dispatch to one importer at a time. Null when it is settled, superseded or claimed. */
export function claimDispatch(turn: CollectorTurn, dispatchId: string): Claim | null {
  const { storage, identity, now } = turn;
  const dispatch = storage.dispatches.read(dispatchId);
  if (dispatch === null) return null;
  if (dispatch.state === "claimed") {
    // The alarm expires an overdue claim, and dispatches what is left of it.
    if (dispatch.due_at <= now) turn.alarmBy(now);
    return null;
  }
  const files = storage.files.read(dispatch.files.map(([fileId]) => fileId));
  const claims = dispatch.claims + 1;
  const items = dispatch.files.flatMap(([fileId, version]): WorkItem[] => {
    const file = files.get(fileId);
    const queued = queuedVersion(file, version);
    return file === undefined || queued === null ? [] : [workItem(file, queued, claims)];
  });
  if (items.length === 0) {
    storage.dispatches.delete(dispatchId);
    drainLater(turn);
    return null;
  }
  const claim = randomId();
  const claimed = renewClaim({ ...dispatch, claims, claim }, turn.clock, now);
  storage.dispatches.write([{ ...claimed, files: items.map((item) => [item.file_id, item.version]) }]);
  turn.alarmBy(claimed.due_at);
  const { partner_id, user_id, source } = identity;
  return {
    claim,
    until: claimed.due_at,
    names: { partner_id, user_id, source },
    own_host: storage.identity.ownHost,
    items,
  };
}
