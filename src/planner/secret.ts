import { secretBytes } from "../deliveries/sign.ts";
import type { Env } from "../env.ts";

/** Minimum number of bytes of a secret, by Standard Webhooks. */
const MIN_BYTES = 24;

/** Returns the bytes of the secret that the planner shares with the service. Null when it is missing or too short. */
export function plannerSecret({
  TRAINING_PLAN_SECRET = "",
}: Pick<Env, "TRAINING_PLAN_SECRET">): Buffer | null {
  const bytes = secretBytes(TRAINING_PLAN_SECRET);
  return bytes.byteLength < MIN_BYTES ? null : bytes;
}
