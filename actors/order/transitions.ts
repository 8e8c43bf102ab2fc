/**
 * The statuses that clients know, and the one table of transitions between them. The node decides by the table, clients
 * may read it, and `verify` checks histories against it.
 */
import type { OrderStatus } from '../protocol.js';
import { hasOutcome, type Life, type OrderState, type PaymentStatus, type Phase } from './order.js';

interface Transition {
  readonly from: OrderStatus;
  readonly to: OrderStatus;
  /** The event that makes the transition. */
  readonly event: 'confirmed' | 'imported' | 'failed' | 'cancelled' | 'shipped' | 'delivered';
  /** Whether a client may request it; the others happen by themselves. */
  readonly byRequest: boolean;
}

export const TRANSITIONS: readonly Transition[] = [
  { from: 'pending', to: 'confirmed', event: 'confirmed', byRequest: false },
  { from: 'pending', to: 'confirmed', event: 'imported', byRequest: false },
  { from: 'pending', to: 'failed', event: 'failed', byRequest: false },
  { from: 'pending', to: 'cancelled', event: 'cancelled', byRequest: true },
  { from: 'confirmed', to: 'cancelled', event: 'cancelled', byRequest: true },
  { from: 'confirmed', to: 'shipped', event: 'shipped', byRequest: true },
  { from: 'shipped', to: 'delivered', event: 'delivered', byRequest: true },
];

export const STATUSES: readonly OrderStatus[] = ['pending', 'confirmed', 'shipped', 'delivered', 'cancelled', 'failed'];

/** Orders with these statuses count as sold. From `confirmed` on, prices and quantities never change. */
export const SOLD: readonly OrderStatus[] = ['confirmed', 'shipped', 'delivered'];

export const isSold = (status: OrderStatus): boolean => SOLD.includes(status);

/**
 * `not_charged`: the order costs nothing, or ended before a provider could have been asked. No provider will be asked.
 */
export type ShownPaymentStatus = PaymentStatus | 'not_charged';

export const PAYMENT_STATUSES: readonly ShownPaymentStatus[] = [
  'pending',
  'not_charged',
  'authorized',
  'paid',
  'declined',
  'failed',
  'voided',
  'partially_refunded',
  'refunded',
];

type FulfillmentStatus =
  | 'unfulfilled'
  | 'partially_shipped'
  | 'shipped'
  | 'partially_delivered'
  | 'delivered'
  | 'partially_returned'
  | 'returned';

export const FULFILLMENT_STATUSES: readonly FulfillmentStatus[] = [
  'unfulfilled',
  'partially_shipped',
  'shipped',
  'partially_delivered',
  'delivered',
  'partially_returned',
  'returned',
];

const STATUS: { readonly [P in Phase]: OrderStatus } = {
  absent: 'pending',
  holding: 'pending',
  charging: 'pending',
  confirmed: 'confirmed',
  shipped: 'shipped',
  delivered: 'delivered',
  cancelled: 'cancelled',
  failed: 'failed',
};

/** Orders in the phases holding and charging show as pending. */
export const statusOf = (phase: Phase): OrderStatus => STATUS[phase];

/** An order with an outcome waits for no payment, unless a charge that was under way must still be voided. */
export const paymentStatusOf = (order: OrderState): ShownPaymentStatus =>
  order.payment === 'pending' && !order.voidOwed && hasOutcome(order) ? 'not_charged' : order.payment;

/** The statuses to which a client may move an order from this one. */
export const allowedFrom = (from: OrderStatus): OrderStatus[] =>
  TRANSITIONS.filter((move) => move.from === from && move.byRequest).map(({ to }) => to);

/** How far the goods are: the furthest status that is true for a part of them, or for all. */
export function fulfillmentStatusOf({ lines, life: { fulfillments, returns } }: OrderState): FulfillmentStatus {
  if (fulfillments.length === 0) return 'unfulfilled';
  const ordered = pieces(lines);
  const of = (some: readonly { readonly lines: readonly { readonly quantity: number }[] }[]) =>
    some.reduce((sum, each) => sum + pieces(each.lines), 0);
  const returned = of(returns.filter(({ status }) => status !== 'requested'));
  if (returned > 0) return returned === ordered ? 'returned' : 'partially_returned';
  const delivered = of(fulfillments.filter(({ deliveredAt }) => deliveredAt !== undefined));
  if (delivered > 0) return delivered === ordered ? 'delivered' : 'partially_delivered';
  return of(fulfillments) === ordered ? 'shipped' : 'partially_shipped';
}

/** The tracking id of the last shipment that has one; of an imported order, at first the one that it came with. */
export const trackingOf = ({ fulfillments, imported }: Life): string | undefined =>
  fulfillments.findLast(({ tracking }) => tracking !== undefined)?.tracking ?? imported?.tracking;

const pieces = (lines: readonly { readonly quantity: number }[]): number =>
  lines.reduce((sum, { quantity }) => sum + quantity, 0);
