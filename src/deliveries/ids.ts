/** Prefix of an event's id. The import's id follows, or a random id for a test event. */
export const EVENT_PREFIX = "evt_";
/** Prefix of a training plan request's id. The import's id follows. */
export const PLAN_PREFIX = "plan_";

/** Returns the id of an import's only event, which is also its `webhook-id`. A fixed id prevents a second event. */
export function deliveryIdOfEvent(importId: string): string {
  return EVENT_PREFIX + importId;
}

/** Returns the id of an import's only event of its cancellation. It begins with the id of the import's event. */
export function deliveryIdOfCancellation(importId: string): string {
  return `${deliveryIdOfEvent(importId)}_cancelled`;
}

/** Returns the id of an import's only training plan request. */
export function deliveryIdOfPlan(importId: string): string {
  return PLAN_PREFIX + importId;
}
