import { randomBytes } from "node:crypto";
import type { Next } from "./schedule.ts";

/** The stored type of a test event that is signed with a secret of nobody's; its body does not tell. */
export const FORGED = "test.forged";

/** A secret that no receiver knows. */
export function secretOfNobody(): string {
  return `whsec_${randomBytes(32).toString("base64")}`;
}

/** How receivers answer a signature that is wrong. Others, such as 404 or 429, say nothing about it. */
const REFUSALS = new Set([400, 401, 403, 422]);

/** A forged event is sent once. Its receiver has done right when it refused it for what it is. */
export function afterForgery(httpStatus: number | null): Next {
  const refused = httpStatus !== null && REFUSALS.has(httpStatus);
  return { status: refused ? "delivered" : "failed", next_attempt_at: null };
}
