/** One event of each type as a shop would have it, for EVENTS.md. A new type does not compile without one. */
import { orderId, productId, userId, writeId } from '../../actors/ids.js';
import { eventBatch } from '../../actors/node/cloud-events.js';
import type { ActorFacts } from '../../actors/node/event-facts.js';
import type { JournaledEvent } from '../../actors/node/record.js';
import type { OrderEvent, ProductEvent } from '../../actors/protocol.js';

const CONSOLE = productId('PROD-001');
const ORDER = orderId('ORD-4PE9TG5Y4ATA7R877CD86BWVCS');
const AT = Date.UTC(2026, 10, 21, 11, 49, 34, 506);
const act = { ref: writeId('act'), fingerprint: 'f' };
const refund = { id: `${ORDER}:refund:1`, minor: 49_999 };
const line = { product: CONSOLE, quantity: 2 };
const facts = { user: userId('ada'), lines: [line], currency: undefined, total: undefined, refunds: undefined };
const held = { ...facts, lines: [{ ...line, unitPrice: 49_999 }], currency: 'USD', total: 99_998 };
const answers = [{ product: CONSOLE, answer: 'held', unitPrice: 49_999, currency: 'USD' }] as const;

const orderExamples: { readonly [T in OrderEvent['type']]: Extract<OrderEvent, { type: T }> } = {
  placed: {
    type: 'placed',
    correlation: 'c',
    content: { user: facts.user, userIsNumber: false, lines: [line], paymentMethod: 'card' },
  },
  imported: {
    ...{ type: 'imported', correlation: 'c' },
    content: { user: facts.user, userIsNumber: false, lines: [line], currency: 'USD' },
    facts: {
      ...{ origin: 'boutique', tracking: 'JD014600003828', shipping: { currency: 'USD', amount: '8.99' } },
      ...{ prices: [49_999], total: 99_998 },
      items: [{ ...line, cost: { currency: 'USD', amount: '499.989999999' } }],
    },
  },
  import_differed: { type: 'import_differed', fields: ['tracking_id'] },
  answered: { type: 'answered', answers },
  held: { type: 'held', answers, currency: 'USD', total: 99_998 },
  late_sent: { type: 'late_sent' },
  hold_extended: { type: 'hold_extended', act },
  paid: { type: 'paid', captured: false },
  confirmed: { type: 'confirmed' },
  captured: { type: 'captured' },
  capture_failed: { type: 'capture_failed' },
  failed: {
    ...{ type: 'failed', reason: 'out_of_stock', voidOwed: false },
    answers: [{ product: CONSOLE, answer: 'short', available: 1, unitPrice: 49_999, currency: 'USD' }],
    shortages: [{ product: CONSOLE, asked: 2, available: 1 }],
  },
  voided: { type: 'voided' },
  cancelled: { type: 'cancelled', act, was: 'confirmed', reason: 'changed my mind', voidOwed: false },
  stock_arrived: { type: 'stock_arrived', lines: [{ product: CONSOLE, quantity: 1 }] },
  shipped: { type: 'shipped', act, id: 'F1', lines: [line], tracking: 'JD014600003828', carrier: 'DHL' },
  delivered: { type: 'delivered', act, ids: ['F1'] },
  return_requested: {
    ...{ type: 'return_requested', act, id: 'R1', lines: [{ product: CONSOLE, quantity: 1 }] },
    reason: 'one is enough',
  },
  return_received: { type: 'return_received', act, id: 'R1', restocked: true },
  refund_requested: { type: 'refund_requested', ...refund, currency: 'USD', returned: 'R1' },
  refunded: { type: 'refunded', id: refund.id },
  refund_failed: { type: 'refund_failed', id: refund.id },
  forgotten: { type: 'forgotten', act },
  act_answered: { type: 'act_answered', act, refused: 'illegal_transition' },
};

const stockWrite = { ref: writeId('receipt-7'), fingerprint: 'f' };
const moved = { order: ORDER, quantity: 2 };
const productExamples: { readonly [T in ProductEvent['type']]: Extract<ProductEvent, { type: T }> } = {
  received: {
    ...{ type: 'received', ...stockWrite, name: 'Gaming Console - PS5' },
    ...{ unitPrice: 49_999, currency: 'USD', quantity: 100 },
  },
  adjusted: { type: 'adjusted', ...stockWrite, delta: -2, reason: 'damaged' },
  held: { type: 'held', ...moved },
  released: { type: 'released', ...moved },
  committed: { type: 'committed', ...moved },
  returned: { type: 'returned', ...moved, no: 1 },
  backordered: { type: 'backordered', ...moved },
  unbackordered: { type: 'unbackordered', ...moved },
};

/** Before these the order's lines have no prices. */
const EARLY: readonly string[] = ['answered', 'held', 'late_sent', 'failed'];

export interface Told {
  readonly type: string;
  readonly data: object;
}

/** Every type's example, as it is published. */
export const examples = (): readonly Told[] => [
  ...Object.values(orderExamples).map((event) => {
    const before = EARLY.includes(event.type) ? facts : { ...held, refunds: [refund] };
    const of = { kind: 'order', id: ORDER } as const;
    return told(
      { of, version: event.type === 'placed' || event.type === 'imported' ? 1 : 4, event },
      { ...of, facts: before },
    );
  }),
  ...Object.values(productExamples).map((event) => {
    const of = { kind: 'product', id: CONSOLE } as const;
    return told({ of, version: 7, event }, { ...of, facts: { onHand: 100, held: 2, backordered: 0 } });
  }),
];

function told(event: JournaledEvent, before: ActorFacts): Told {
  const cascades = [{ correlation: 'req-7', events: [event], before: [before] }];
  return JSON.parse(eventBatch({ at: AT, cascades }, '/holdfast/01M8MCGG2PWD2BHQAEJ1HHCB78'))[0];
}
