import type { Databases } from "../database/databases.ts";
import type { DeliveryMessage } from "../deliveries/message.ts";
import type { GatherEnv } from "../outcomes/client.ts";
import type { QueueName } from "./dispatches/dispatch.pure.ts";

/** Queue message of one dispatch. The importer gets the rest by a claim. */
export interface DispatchMessage {
  collector: string;
  dispatch_id: string;
}

/** Bindings of a collector. They give it no access to other collectors. */
export interface CollectorEnv extends Databases, GatherEnv, Record<QueueName, Queue<DispatchMessage>> {
  FILES: R2Bucket;
  DELIVERIES: Queue<DeliveryMessage>;
  /** "local" for the local service and in tests. Any other value is a deployed service. */
  ENVIRONMENT: string;
  /** URL of the training plan service. Empty: plan requests are recorded, but not sent. */
  TRAINING_PLAN_URL: string;
}
