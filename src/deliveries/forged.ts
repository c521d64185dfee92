import type { Next } from "./schedule.pure.ts";

/** Stored type of a test event that is signed with a throw-away secret. Its body looks like any test event. */
export const FORGED = "test.forged";

/** Statuses with which a receiver refuses a wrong signature. Others, such as 404 or 429, say nothing about it. */
const REFUSALS = new Set([400, 401, 403, 422]);

/** A forged event is sent once, and counts as delivered when its receiver refuses it. */
export function afterForgery(httpStatus: number | null): Next {
  const refused = httpStatus !== null && REFUSALS.has(httpStatus);
  return { status: refused ? "delivered" : "failed", next_attempt_at: null };
}
