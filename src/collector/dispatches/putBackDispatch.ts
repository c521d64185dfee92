import type { CollectorTurn } from "../turn.ts";

/**
 * Ends a claim whose importer may not work on the remaining files now. They are sent again after the lease. Does nothing
 * when the claim is over.
 */
export function putBackDispatch(turn: CollectorTurn, dispatchId: string, claim: string): void {
  const { storage, now, clock } = turn;
  const dispatch = storage.dispatches.read(dispatchId);
  if (dispatch === null || dispatch.state !== "claimed" || dispatch.claim?.claim !== claim) return;
  const due_at = now + clock.leaseMs;
  storage.dispatches.write([{ ...dispatch, state: "sent", claim: null, due_at }]);
  turn.alarmBy(due_at);
}
