import type { Databases } from "../database/databases.ts";
import type { DeliveryMessage } from "../deliveries/message.ts";
import type { QueueName } from "./dispatches/dispatch.pure.ts";

/** Names work to do. The importer asks the collector for everything else about it. */
export interface DispatchMessage {
  collector: string;
  dispatch_id: string;
}

/** What a collector is bound to. It reaches no other collector. */
export interface CollectorEnv extends Databases, Record<QueueName, Queue<DispatchMessage>> {
  FILES: R2Bucket;
  DELIVERIES: Queue<DeliveryMessage>;
  /** "local" only under the local start and in tests; anything else is a deployed service. */
  ENVIRONMENT: string;
  /** Where training plans are asked for; empty: requests are recorded only. */
  TRAINING_PLAN_URL: string;
}
