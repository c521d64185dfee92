import type { Owner } from "../database/databases.ts";

/** A queue message: the names of a due delivery, and the database that has it. */
export interface DeliveryMessage extends Owner {
  delivery_id: string;
}
