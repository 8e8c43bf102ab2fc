/** Sample orders, products and answers for unit tests. */
import { type OrderId, orderId, type ProductId, productId, userId, writeId } from '../../../actors/ids.js';
import { absentOrder, type OrderState } from '../../../actors/order/order.js';
import { evolveOrder } from '../../../actors/order/order-fold.js';
import { evolveProduct, type ProductState, unknownProduct } from '../../../actors/product/inventory.js';
import type {
  AdjustCommand,
  HoldAnswer,
  OrderCommand,
  OrderContent,
  OrderEvent,
  PaymentOperation,
  PaymentOutcome,
  ProductEvent,
  ReceiveCommand,
} from '../../../actors/protocol.js';

export const O1 = orderId('ORD-1');
export const A = productId('A');
export const B = productId('B');
export const C = productId('C');
export const ANN = userId('ann');

/** Two of A and one of B, for Ann, unless overridden. */
export const contentOf = (over: Partial<OrderContent> = {}): OrderContent => ({
  user: ANN,
  userIsNumber: false,
  lines: [
    { product: A, quantity: 2 },
    { product: B, quantity: 1 },
  ],
  ...over,
});

export const oneLine = (product: ProductId, quantity: number): OrderContent =>
  contentOf({ lines: [{ product, quantity }] });

export const placed = (content = contentOf()): OrderEvent => ({ type: 'placed', content, correlation: 'c' });
export const held = (product: ProductId, unitPrice = 500, currency = 'USD'): HoldAnswer => ({
  product,
  answer: 'held',
  unitPrice,
  currency,
});
export const short = (product: ProductId, available = 0, unitPrice = 500, currency = 'USD'): HoldAnswer => ({
  ...{ product, answer: 'short', available },
  ...{ unitPrice, currency },
});
export const unknown = (product: ProductId): HoldAnswer => ({ product, answer: 'unknown' });

export const hold = (product: ProductId, quantity: number, order: OrderId = O1) =>
  toProduct('hold', product, quantity, order);
export const release = (product: ProductId, quantity: number, order: OrderId = O1) =>
  toProduct('release', product, quantity, order);
export const commit = (product: ProductId, quantity: number, order: OrderId = O1) =>
  toProduct('commit', product, quantity, order);
const toProduct = <T extends 'hold' | 'release' | 'commit'>(
  type: T,
  id: ProductId,
  quantity: number,
  order: OrderId,
) => ({
  to: { kind: 'product' as const, id },
  command: { type, order, quantity },
});

const OPERATION: { readonly [O in PaymentOutcome]: PaymentOperation } = {
  authorized: 'authorize',
  declined: 'authorize',
  captured: 'capture',
  voided: 'void',
  refunded: 'refund',
};

/** A provider's answer, with the operation that it usually belongs to. */
export const paymentTold = (
  outcome: PaymentOutcome,
  operation = OPERATION[outcome],
  ref = `${O1}:${operation}`,
): Extract<OrderCommand, { type: 'paymentAnswered' }> => ({ type: 'paymentAnswered', operation, ref, outcome });

export const receiveOf = (over: Partial<ReceiveCommand> = {}): ReceiveCommand => ({
  type: 'receive',
  ref: writeId('W-1'),
  fingerprint: 'f',
  name: 'Headset',
  unitPrice: 500,
  currency: 'USD',
  quantity: 10,
  ...over,
});

export const adjustOf = (delta: number, over: Partial<AdjustCommand> = {}): AdjustCommand => ({
  type: 'adjust',
  ref: writeId('W-2'),
  fingerprint: 'f',
  delta,
  reason: 'count',
  ...over,
});

export const orderAfter = (events: readonly OrderEvent[], id: OrderId = O1): OrderState =>
  events.reduce((state, event, i) => evolveOrder(state, event, 1_000 + i), absentOrder(id));

export const productAfter = (events: readonly ProductEvent[], id: ProductId = A): ProductState =>
  events.reduce((state, event, i) => evolveProduct(state, event, 1_000 + i), unknownProduct(id));
