/** A queue message: the names of a due delivery. */
export interface DeliveryMessage {
  partner_id: string;
  delivery_id: string;
}
