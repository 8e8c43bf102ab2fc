/**
 * An order as one flat record, for those who want tables and not histories. It has no personal data but the user's id.
 * Stored form: fields are only ever added.
 */
import { amountText } from '../../actors/money.js';
import { NO_USER } from '../../actors/order/imported-order.js';
import type { OrderState } from '../../actors/order/order.js';
import { fulfillmentStatusOf, paymentStatusOf, statusOf, trackingOf } from '../../actors/order/transitions.js';

/** Unknown values are absent, as in the API: prices until products answer, the total until all lines are held. */
export function orderFacts(state: OrderState): string {
  const { content, currency, total, lines, life } = state;
  const facts: string[] = [];
  const add = (name: string, value: string | number | undefined) => {
    if (value !== undefined) facts.push(`"${name}":${JSON.stringify(value)}`);
  };
  const amount = (name: string, minor: number | undefined) => {
    if (minor === undefined || currency === undefined || !Number.isSafeInteger(minor)) return;
    facts.push(`"${name}_amount":${amountText(minor, currency)}`, `"${name}_minor":${minor}`);
  };
  add('order_id', state.id);
  add('version', state.version);
  add('user_id', content.user === NO_USER ? undefined : content.user);
  add('status', statusOf(state.phase));
  add('reason', state.reason ?? life.cancelled?.reason);
  add('payment_status', paymentStatusOf(state));
  add('fulfillment_status', fulfillmentStatusOf(state));
  add('payment_method', content.paymentMethod);
  add('currency', currency);
  amount('total', total);
  const refunds = life.refunds.filter(({ status }) => status === 'done');
  amount(
    'refunded',
    refunds.reduce((sum, { minor }) => sum + minor, 0),
  );
  add('tracking_id', trackingOf(life));
  add(
    'units',
    lines.reduce((sum, { quantity }) => sum + quantity, 0),
  );
  add('created_at', new Date(state.createdAt).toISOString());
  add('updated_at', new Date(state.updatedAt).toISOString());
  const items = lines.map(({ product, quantity, unitPrice, backordered, hold }, i) => {
    const priced =
      unitPrice === undefined || currency === undefined
        ? ''
        : `,"unit_price":${amountText(unitPrice, currency)},"unit_price_minor":${unitPrice}`;
    const subtotal = (unitPrice ?? Number.NaN) * quantity;
    const summed = Number.isSafeInteger(subtotal) ? `,"subtotal_minor":${subtotal}` : '';
    return `{"line":${i + 1},"product_id":${JSON.stringify(product)},"quantity":${quantity}${priced}${summed},"backordered":${backordered},"hold":"${hold}"}`;
  });
  return `{${facts.join(',')},"items":[${items.join(',')}]}`;
}
