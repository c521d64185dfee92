import type { Env } from "../env.ts";
import { collectorName, collectorNameOfId } from "../identifiers.ts";
import { inJurisdiction } from "../jurisdiction.ts";
import type { CollectorAddress } from "./calls.ts";
import type { PingCollector } from "./PingCollector.ts";

/** Bindings that reach collectors. */
type CollectorsEnv = Pick<Env, "COLLECTOR" | "ENVIRONMENT" | "JURISDICTION">;

/** Remote handle of a collector. Each method call is one request, and throws when the collector cannot be reached. */
export type Collector = DurableObjectStub<PingCollector>;

/** Returns the collector that owns a user's files from one source. */
export function collectorFor(env: CollectorsEnv, names: CollectorAddress): Collector {
  return collectorNamed(env, collectorName(names.partner_id, names.user_id, names.source));
}

/** Returns the collector of a file's or an import's id. It always belongs to this partner. */
export function collectorOfId(env: CollectorsEnv, partnerId: string, id: string): Collector {
  return collectorNamed(env, collectorNameOfId(partnerId, id));
}

/** Returns the collector of a name that `collectorName` made. Queue messages contain this name. */
export function collectorNamed(env: CollectorsEnv, name: string): Collector {
  return inJurisdiction(env.COLLECTOR, env).getByName(name);
}

const OBJECT_ID = /^[0-9a-f]{64}$/;

/** Returns the collector of a name, or of an id from the platform's list of Durable Objects. */
export function collectorListed(env: CollectorsEnv, nameOrId: string): Collector {
  if (!OBJECT_ID.test(nameOrId)) return collectorNamed(env, nameOrId);
  const collectors = inJurisdiction(env.COLLECTOR, env);
  return collectors.get(collectors.idFromString(nameOrId));
}
