import type { Env } from "../env.ts";

const SECRET_PREFIX = "whsec_";
/** Minimum number of bytes of a secret, by Standard Webhooks. */
const MIN_BYTES = 24;

/** Returns the bytes of the secret that the planner shares with the service. Null when none is configured, or a shorter one. */
export function plannerSecret({
  TRAINING_PLAN_SECRET = "",
}: Pick<Env, "TRAINING_PLAN_SECRET">): Buffer | null {
  const encoded = TRAINING_PLAN_SECRET.startsWith(SECRET_PREFIX)
    ? TRAINING_PLAN_SECRET.slice(SECRET_PREFIX.length)
    : TRAINING_PLAN_SECRET;
  const bytes = Buffer.from(encoded, "base64");
  return bytes.byteLength < MIN_BYTES ? null : bytes;
}
