import { collectorFor, type Collector } from "../collector/client.ts";
import { settleAll } from "../concurrency/settleAll.ts";
import { wait } from "../concurrency/wait.ts";
import type { Env } from "../env.ts";
import type { Erasure } from "./write.ts";

/** Collectors are visited this many at a time. */
const COLLECTORS_AT_ONCE = 10;
/** A collector is away for moments while its object is replaced, so a call that fails is repeated after these pauses. */
const PAUSES_MS = [100, 400];

/** Erases what these sources' collectors hold of the user up to the bound. Returns whether each keeps anything later. */
export async function visitCollectors(
  env: Env,
  { partner_id, user_id, before_version }: Pick<Erasure, "partner_id" | "user_id" | "before_version">,
  sources: readonly string[],
): Promise<PromiseSettledResult<boolean>[]> {
  return callCollectors(env, { partner_id, user_id }, sources, async (collector) =>
    collector.erase(before_version),
  );
}

/** Calls the collectors of a user's sources, a few at a time, each again when it could not be reached. */
export async function callCollectors<T>(
  env: Env,
  user: { partner_id: string; user_id: string },
  sources: readonly string[],
  call: (collector: Collector) => Promise<T>,
): Promise<PromiseSettledResult<T>[]> {
  return settleAll(sources, COLLECTORS_AT_ONCE, async (source) => {
    // A stub whose call has thrown may stay broken, so each call gets its own.
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
