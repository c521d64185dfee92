/** A queue message: names a delivery that is due. */
export interface DeliveryMessage {
  partner_id: string;
  delivery_id: string;
}
