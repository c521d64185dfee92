import type { Databases } from "../database/databases.ts";
import type { DeliveryMessage } from "../deliveries/message.ts";

/** Bindings that reporting outcomes uses. */
export interface OutcomesEnv extends Databases {
  DELIVERIES: Queue<DeliveryMessage>;
}
