import type { Env } from "../env.ts";
import type { Group } from "./groupPings.ts";

/** A request may name thousands of users; their collectors are called this many at a time. */
export const COLLECTORS_AT_ONCE = 50;

export function collectorOf(env: Env, group: Group) {
  return env.COLLECTOR.getByName(group.collector);
}
