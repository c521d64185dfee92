import type { Env } from "../env.ts";
import { collectorName } from "../identifiers.ts";
import type { CollectorNames } from "./calls.ts";
import type { PingCollector } from "./PingCollector.ts";

/** A remote handle: each method call is one request to the collector, and throws when it cannot be reached. */
export type Collector = DurableObjectStub<PingCollector>;

/** Returns the collector that owns a user's files from one source. */
export function collectorFor(env: Pick<Env, "COLLECTOR">, names: CollectorNames): Collector {
  return collectorNamed(env, collectorName(names.partner_id, names.user_id, names.source));
}

/** Returns the collector of this name, as `collectorName` makes it and queue messages and object keys carry it. */
export function collectorNamed(env: Pick<Env, "COLLECTOR">, name: string): Collector {
  return env.COLLECTOR.getByName(name);
}
