import type { Env } from "../env.ts";
import { collectorName, collectorNameOfId } from "../identifiers.ts";
import type { CollectorAddress } from "./calls.ts";
import type { PingCollector } from "./PingCollector.ts";

/** Remote handle of a collector. Each method call is one request, and throws when the collector cannot be reached. */
export type Collector = DurableObjectStub<PingCollector>;

/** Returns the collector that owns a user's files from one source. */
export function collectorFor(env: Pick<Env, "COLLECTOR">, names: CollectorAddress): Collector {
  return collectorNamed(env, collectorName(names.partner_id, names.user_id, names.source));
}

/** Returns the collector of a file's or an import's id. It always belongs to this partner. */
export function collectorOfId(env: Pick<Env, "COLLECTOR">, partnerId: string, id: string): Collector {
  return collectorNamed(env, collectorNameOfId(partnerId, id));
}

/** Returns the collector of a name that `collectorName` made. Queue messages contain this name. */
export function collectorNamed(env: Pick<Env, "COLLECTOR">, name: string): Collector {
  return env.COLLECTOR.getByName(name);
}

const OBJECT_ID = /^[0-9a-f]{64}$/;

/** Returns the collector of a name, or of an id from the platform's list of Durable Objects. */
export function collectorListed(env: Pick<Env, "COLLECTOR">, nameOrId: string): Collector {
  return OBJECT_ID.test(nameOrId)
    ? env.COLLECTOR.get(env.COLLECTOR.idFromString(nameOrId))
    : collectorNamed(env, nameOrId);
}
