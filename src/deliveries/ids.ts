/** Every event's id begins with this, followed by its import's id, or for a test event by a random one. */
export const EVENT_PREFIX = "evt_";
/** Every training plan request's id begins with this, followed by its import's id. */
export const PLAN_PREFIX = "plan_";

/** Returns the id of an import's only event. It is also the `webhook-id`, and keeps the event from being made twice. */
export function deliveryIdOfEvent(importId: string): string {
  return EVENT_PREFIX + importId;
}

/** Returns the id of an import's only training plan request. */
export function deliveryIdOfPlan(importId: string): string {
  return PLAN_PREFIX + importId;
}
