import type { Next } from "./schedule.pure.ts";

/** Stored type of a test event that is signed with a throw-away secret. Its body looks like any test event. */
export const FORGED = "test.forged";

/** Type of a test event. */
export const TEST = "test.ping";

/** Returns whether events of this type test a receiver. */
export function isTest(type: string): boolean {
  return type === TEST || type === FORGED;
}

/** Statuses that reject a wrong signature. Others, such as 404 or 429, do not show that it was verified. */
export const REJECTIONS: readonly number[] = [400, 401, 403, 422];

/** Returns the state of a forged event after its only attempt: delivered when the receiver rejected it. */
export function afterForgedAttempt(httpStatus: number | null): Next {
  const rejected = httpStatus !== null && REJECTIONS.includes(httpStatus);
  return { status: rejected ? "delivered" : "failed", next_attempt_at: null };
}
