// Orders that have lived through every phase, by Holdfast's own decisions, and rows made of them.
import {
  type OrderId,
  orderId,
  type ProductId,
  partitionOf,
  productId,
  userId,
  type WriteId,
  writeId,
} from '../../../actors/ids.js';
import { importOf } from '../../../actors/order/imported-order.js';
import { absentOrder, type OrderState } from '../../../actors/order/order.js';
import { decideOrder } from '../../../actors/order/order-chart.js';
import { evolveOrder } from '../../../actors/order/order-fold.js';
import type { Mark, OperationRow, OrderChange, ProductChange, TurnRow } from '../../../actors/ports/snapshot-rows.js';
import { NO_BACKORDERS } from '../../../actors/product/inventory.js';
import type { HoldAnswer, OrderCommand, OrderContent, OrderEvent } from '../../../actors/protocol.js';

/** The rows made here are of a system with so many partitions. */
export const SAMPLE_PARTITIONS = 16;

let count = 0;
export const uniqueName = (what: string): string => `${what}-${process.pid}-${Date.now().toString(36)}-${++count}`;

/** Text that breaks hand-written quoting. */
export const NASTY = [
  '',
  ' ',
  '"',
  '\\',
  '\\"',
  '{',
  '}',
  '{}',
  ',',
  ',,',
  'NULL',
  'null',
  '"NULL"',
  "'",
  "''; drop table orders; --",
  '\n',
  '\t\r\n',
  'a\\nb',
  '$1',
  '%',
  '\u{1f600}\u00e9\u4e2d\u0301',
  '\u0001\u001f',
  '\u001e',
  '\\x00',
  '\u2028',
  '[1,2]',
];

const AT = 1_712_345_678_901;

const CONTENT: OrderContent = {
  user: userId('user-1'),
  userIsNumber: false,
  lines: [
    { product: productId('P-1'), quantity: 2 },
    { product: productId('P-2'), quantity: 1_000_000 },
  ],
  email: 'a@b.example',
  shippingAddress: { street: 'Main "St" 1', city: null, zip: ['0', 1.5] },
  billingAddress: 'plain text',
  notes: 'line\nline',
  paymentMethod: 'card',
};

export function afterCommands(
  content: OrderContent,
  commands: readonly OrderCommand[],
  id = orderId(uniqueName('ORD')),
) {
  let state = absentOrder(id);
  for (const command of [{ type: 'place', content, correlation: 'corr' } as const, ...commands]) {
    const decision = decideOrder(state, command, {});
    if ('refused' in decision) throw new Error(`a sample was refused: ${decision.refused}`);
    for (const event of decision.events)
      state = evolveOrder(state, event, state.updatedAt === 0 ? AT : state.updatedAt + 7);
  }
  return state;
}

const [P1, P2] = [productId('P-1'), productId('P-2')];
const held = (product: ProductId, currency: string, unitPrice = 1_999): HoldAnswer => ({
  product,
  answer: 'held',
  unitPrice,
  currency,
});
const answered = (...answers: HoldAnswer[]): OrderCommand => ({ type: 'holdsAnswered', answers });
const OPERATION = { authorized: 'authorize', declined: 'authorize', captured: 'capture', voided: 'void' } as const;
const paid = (outcome: keyof typeof OPERATION): OrderCommand => ({
  ...{ type: 'paymentAnswered', ref: `ref-${outcome}`, outcome },
  operation: OPERATION[outcome],
});

/** A foreign id, no user, an amount finer than a cent, and another content told later. */
function afterImport(): OrderState {
  const cost = { currency: 'USD', units: 67n, nanos: 989_999_999 };
  const given = {
    origin: 'boutique',
    email: 'a@b.example',
    address: { zip_code: '94043' },
    items: [{ product: P1, quantity: 2, cost }],
  };
  const told = importOf({
    ...given,
    tracking: 'T-1',
    shipping: { currency: 'USD', units: 8n, nanos: 990_000_000 },
    placedAt: AT - 86_400_000,
  });
  const again = importOf({ ...given, tracking: 'T-2' });
  let state = absentOrder(orderId(uniqueName('0f2f2a3c-boutique')));
  for (const each of [told, again]) {
    const decision = decideOrder(state, { type: 'import', ...each, correlation: 'corr' }, {});
    if ('refused' in decision) throw new Error(`a sample was refused: ${decision.refused}`);
    for (const event of decision.events) state = evolveOrder(state, event, AT);
  }
  return state;
}

/** New orders each time, one for every phase of an order. */
export function lived(): OrderState[] {
  const all = (currency: string, price?: number) => answered(held(P1, currency, price), held(P2, currency, price));
  const many = {
    ...CONTENT,
    lines: Array.from({ length: 12 }, (_, i) => ({ product: productId(`M-${i}`), quantity: i + 1 })),
  };
  return [
    afterCommands(CONTENT, [all('USD')]),
    afterCommands(CONTENT, []),
    afterCommands({ ...CONTENT, currency: 'EUR', userIsNumber: true }, [answered(held(P2, 'EUR'))]),
    afterCommands(CONTENT, [all('USD'), paid('authorized')]),
    afterCommands(CONTENT, [all('USD'), paid('authorized'), paid('captured')]),
    afterCommands({ ...CONTENT, currency: 'JPY' }, [all('JPY', 7), paid('authorized'), paid('captured')]),
    afterCommands(CONTENT, [all('KWD', 1), paid('authorized'), paid('captured')]),
    afterCommands({ user: userId('5'), userIsNumber: true, lines: [{ product: P1, quantity: 1 }] }, [
      answered(held(P1, 'CLF', 9_007_199_254_740_991)),
      paid('authorized'),
      paid('captured'),
    ]),
    afterCommands(CONTENT, [answered(held(P1, 'USD'), { product: P2, answer: 'short', available: 3 })]),
    afterCommands(CONTENT, [
      answered({ product: P1, answer: 'short', available: 0, unitPrice: 250, currency: 'EUR' }),
      answered(held(P2, 'EUR')),
    ]),
    afterCommands(CONTENT, [answered(held(P1, 'USD'), held(P2, 'JPY'))]),
    afterCommands(CONTENT, [answered(held(P1, 'USD'), { product: P2, answer: 'unknown' })]),
    afterCommands(CONTENT, [answered({ product: P1, answer: 'unknown' }, { product: P2, answer: 'unknown' })]),
    afterCommands(CONTENT, [all('USD'), paid('declined')]),
    afterCommands(CONTENT, [all('USD'), paid('declined'), paid('voided')]),
    afterCommands(CONTENT, [{ type: 'timeOut' }]),
    afterCommands(CONTENT, [
      { type: 'timeOut' },
      answered(held(P1, 'USD'), { product: P2, answer: 'short', available: 0 }),
    ]),
    afterCommands(CONTENT, [all('USD'), { type: 'timeOut' }]),
    afterImport(),
    afterCommands(many, [answered(...many.lines.map(({ product }) => held(product, 'USD')))]),
  ];
}

export const aTurn = (of: Omit<TurnRow, 'count' | 'events'>, ...events: readonly OrderEvent[]): TurnRow => ({
  ...of,
  count: events.length,
  events: events.map((event) => JSON.stringify(event)).join(','),
});

export function anOrder(state: OrderState, mark: Mark): OrderChange {
  const { id: order, correlation } = state;
  const placed: OrderEvent = { type: 'placed', content: state.content, correlation };
  const shared = { order, correlation };
  const history = [
    aTurn({ ...shared, version: 1, at: AT, n: 1 }, placed),
    aTurn({ ...shared, version: 2, at: AT + 1, n: 2 }, { type: 'paid', captured: true }, { type: 'confirmed' }),
  ];
  const partition = partitionOf('order', order, SAMPLE_PARTITIONS);
  return { state, version: state.version, ...mark, partition, isNew: true, history };
}

export function aProduct(id: ProductId, mark: Mark): ProductChange {
  const state = {
    id,
    version: 3,
    known: true,
    name: 'Thing',
    unitPrice: 1_999,
    currency: 'USD',
    onHand: 10,
    held: 3,
    backordered: 0,
    backorders: NO_BACKORDERS,
    waiting: [],
    updatedAt: AT,
  };
  const partition = partitionOf('product', id, SAMPLE_PARTITIONS);
  return { state, version: 3, ...mark, partition, isNew: true, operations: [] };
}

export function anOperation(product: ProductId, version: number): OperationRow {
  return {
    ref: writeId(uniqueName('W')),
    order: null,
    product,
    version,
    type: 'receive',
    no: version,
    quantity: 5,
    onHandAfter: 5 * version,
    heldAfter: 0,
    backorderedAfter: 0,
    reason: null,
    fingerprint: 'print',
    correlation: 'corr',
    at: AT + version,
  };
}

export const refOf = (operation: OperationRow): WriteId => operation.ref as WriteId;
export type { OrderId };
