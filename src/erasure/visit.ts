import { collectorFor, type Collector } from "../collector/client.ts";
import { settleAll } from "../concurrency/settleAll.ts";
import { wait } from "../concurrency/wait.ts";
import type { Env } from "../env.ts";
import type { Erasure } from "./write.ts";

/** Maximum number of collectors that are called at the same time. */
const COLLECTORS_AT_ONCE = 10;
/** Pauses before a failed call is repeated: a collector cannot be reached for a moment while its object is replaced. */
const PAUSES_MS = [100, 400];

/** Erases the user in these sources' collectors up to the bound. Returns whether each still has later versions. */
export async function visitCollectors(
  env: Env,
  { partner_id, user_id, before_version }: Pick<Erasure, "partner_id" | "user_id" | "before_version">,
  sources: readonly string[],
): Promise<PromiseSettledResult<boolean>[]> {
  return callCollectors(env, { partner_id, user_id }, sources, async (collector) =>
    collector.erase(before_version),
  );
}

/** Calls the collectors of a user's sources, a few at a time. Repeats calls that fail. */
export async function callCollectors<T>(
  env: Env,
  user: { partner_id: string; user_id: string },
  sources: readonly string[],
  call: (collector: Collector) => Promise<T>,
): Promise<PromiseSettledResult<T>[]> {
  return settleAll(sources, COLLECTORS_AT_ONCE, async (source) => {
    // A stub may stay broken after a call has thrown, so each call gets its own.
    const once = async () => call(collectorFor(env, { ...user, source }));
    for (const pauseMs of PAUSES_MS) {
      try {
        return await once();
      } catch {
        await wait(pauseMs);
      }
    }
    return once();
  });
}
