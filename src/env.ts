import type { PingCollector } from "./collector/PingCollector.ts";

/** What the Worker is bound to; wrangler.toml names the same. */
export interface Env {
  PARTNERS: KVNamespace;
  FILES: R2Bucket;
  DB: D1Database;
  COLLECTOR: DurableObjectNamespace<PingCollector>;
  PRIORITY: Queue<DispatchMessage>;
  BULK: Queue<DispatchMessage>;
  RETRY: Queue<DispatchMessage>;
  DELIVERIES: Queue<DeliveryMessage>;
  DISPATCHES_DEAD: Queue<DispatchMessage>;
  DELIVERIES_DEAD: Queue<DeliveryMessage>;
  REQUEST_CEILING: RateLimit;
  /** "local" only under the local start and in tests; anything else is a deployed service. */
  ENVIRONMENT: string;
  /** Hosts of this service, comma separated, with a port where it is not the scheme's own. No address leads back there. */
  OWN_HOSTS: string;
  /** Where training plans are asked for; empty: requests are recorded only. */
  TRAINING_PLAN_URL: string;
  /** The planner's signing secret, `whsec_…`; needed with TRAINING_PLAN_URL. */
  TRAINING_PLAN_SECRET?: string;
}

/** Names work to do; everything else about it is asked of the collector. */
export interface DispatchMessage {
  collector: string;
  dispatch_id: string;
}

export interface DeliveryMessage {
  partner_id: string;
  delivery_id: string;
}
