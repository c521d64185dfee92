import type { CollectorEnv, DispatchMessage } from "./collector/env.ts";
import type { PingCollector } from "./collector/PingCollector.ts";
import type { DeliveryMessage } from "./deliveries/message.ts";
import type { PartnerWindows } from "./windows/PartnerWindows.ts";

/** A queue message: a database with operators' jobs to continue. */
export interface JobMessage {
  /** Name of its binding. */
  database: string;
}

/** Bindings of the Worker. wrangler.toml declares the same ones. */
export interface Env extends CollectorEnv {
  PARTNERS: KVNamespace;
  COLLECTOR: DurableObjectNamespace<PingCollector>;
  WINDOWS: DurableObjectNamespace<PartnerWindows>;
  DISPATCHES_DEAD: Queue<DispatchMessage>;
  DELIVERIES_DEAD: Queue<DeliveryMessage>;
  JOBS: Queue<JobMessage>;
  REQUEST_CEILING: RateLimit;
  /** The running version. Its tag is the commit. */
  CF_VERSION_METADATA: WorkerVersionMetadata;
  /** Hosts of this service, separated by commas, with a port unless it is the scheme's default. Never called by the service. */
  OWN_HOSTS: string;
  /** Where all data is stored: `eu`, `us` or `fedramp`. Empty for no jurisdiction. Never changes after the first deployment. */
  JURISDICTION: string;
  /** The planner's signing secret, `whsec_…`. Required if TRAINING_PLAN_URL is set. */
  TRAINING_PLAN_SECRET?: string;
}
