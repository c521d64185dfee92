import type { CollectorEnv, DispatchMessage } from "./collector/env.ts";
import type { PingCollector } from "./collector/PingCollector.ts";
import type { DeliveryMessage } from "./deliveries/message.ts";
import type { PartnerWindows } from "./windows/PartnerWindows.ts";

/** What the Worker is bound to; wrangler.toml names the same. */
export interface Env extends CollectorEnv {
  PARTNERS: KVNamespace;
  COLLECTOR: DurableObjectNamespace<PingCollector>;
  WINDOWS: DurableObjectNamespace<PartnerWindows>;
  DISPATCHES_DEAD: Queue<DispatchMessage>;
  DELIVERIES_DEAD: Queue<DeliveryMessage>;
  REQUEST_CEILING: RateLimit;
  /** Hosts of this service, comma separated, with a port where it is not the scheme's own. No address leads back there. */
  OWN_HOSTS: string;
  /** The planner's signing secret, `whsec_…`; needed with TRAINING_PLAN_URL. */
  TRAINING_PLAN_SECRET?: string;
}
