/**
 * Orders without any text: no e-mail, address or notes, and an id that Holdfast generated. A search finds them by their
 * id, user and products. So they have no row in `order_search`, and most of them cost the indexer nothing.
 */
import { isOurOrderId } from '../../actors/ids.js';
import type { OrderState } from '../../actors/order/order.js';

/** The SQL condition on a row of `orders` with the alias `o`. It must agree with `isPlain`. */
export const IS_PLAIN = `(o.user_email is null and o.notes is null and o.shipping_address is null and o.billing_address is null
  and o.order_id ~ '^ORD-[0-7][0-9A-HJKMNP-TV-Z]{25}$')`;

/** The SQL condition on a row of `orders` with the alias `o`. It must agree with `hasEndedEarly`. */
export const HAS_ENDED_EARLY = `o.status in ('cancelled', 'failed')`;

export const isPlain = ({ id, content }: OrderState): boolean =>
  content.email === undefined &&
  content.notes === undefined &&
  content.shippingAddress === undefined &&
  content.billingAddress === undefined &&
  isOurOrderId(id);

/** Ended before all products may have answered. A product of such an order may have no row: nobody ever received it. */
export const hasEndedEarly = ({ phase }: OrderState): boolean => phase === 'cancelled' || phase === 'failed';
