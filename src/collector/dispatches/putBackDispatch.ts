import { skipUnclaimed } from "../imports/cancelImport.ts";
import type { CollectorTurn } from "../turn.ts";

/**
 * Ends the claim of an importer that may not work on the remaining files, because the partner is suspended. The
 * collector sends them again after the lease. Does nothing when the claim has ended.
 */
export function putBackDispatch(turn: CollectorTurn, dispatchId: string, claim: string): void {
  const { storage, now, clock } = turn;
  const dispatch = storage.dispatches.read(dispatchId);
  if (dispatch === null || dispatch.state !== "claimed" || dispatch.claim?.claim !== claim) return;
  const due_at = now + clock.leaseMs;
  storage.dispatches.write([{ ...dispatch, state: "sent", claim: null, due_at }]);
  turn.alarmBy(due_at);
  skipUnclaimed(turn);
}
