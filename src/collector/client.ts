import type { Env } from "../env.ts";
import { collectorName, collectorNameOfId } from "../identifiers.ts";
import type { CollectorNames } from "./calls.ts";
import type { PingCollector } from "./PingCollector.ts";

/** A remote handle: each method call is one request to the collector, and throws when it cannot be reached. */
export type Collector = DurableObjectStub<PingCollector>;

/** Returns the collector that owns a user's files from one source. */
export function collectorFor(env: Pick<Env, "COLLECTOR">, names: CollectorNames): Collector {
  return collectorNamed(env, collectorName(names.partner_id, names.user_id, names.source));
}

/** Returns the collector that a file's or an import's id leads to. It is always one of this partner's. */
export function collectorOfId(env: Pick<Env, "COLLECTOR">, partnerId: string, id: string): Collector {
  return collectorNamed(env, collectorNameOfId(partnerId, id));
}

/** Returns the collector of this name, as `collectorName` makes it and queue messages carry it. */
export function collectorNamed(env: Pick<Env, "COLLECTOR">, name: string): Collector {
  return env.COLLECTOR.getByName(name);
}
