/** Every cell of the order's state chart: each command in each phase, and the next phase. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { writeId } from '../../../actors/ids.js';
import { importOf } from '../../../actors/order/imported-order.js';
import type { OrderContext, OrderState, Phase } from '../../../actors/order/order.js';
import { decideOrder } from '../../../actors/order/order-chart.js';
import { evolveOrder } from '../../../actors/order/order-fold.js';
import type { OrderCommand, OrderEvent } from '../../../actors/protocol.js';
import { A, contentOf, held, O1, oneLine, orderAfter, paymentTold, placed, short } from './samples.js';

const test = suite('order chart');

const LINE = oneLine(A, 2);
const HELD: OrderEvent = { type: 'held', answers: [held(A)], currency: 'USD', total: 1000 };
const act = { ref: writeId('ACT'), fingerprint: 'f' };
const before = { ref: writeId('BEFORE'), fingerprint: 'f' };
const paid = (captured: boolean): OrderEvent[] => [
  placed(LINE),
  HELD,
  { type: 'paid', captured },
  { type: 'confirmed' },
];
const shipped = (quantity: number): OrderEvent => ({
  ...{ type: 'shipped', act: before, id: `${O1}-F1` },
  lines: [{ product: A, quantity }],
});
const failed = (voidOwed: boolean): OrderEvent => ({
  ...{ type: 'failed', reason: 'timed_out', answers: [], shortages: [] },
  voidOwed,
});
const cancelled = (was: 'pending' | 'confirmed', voidOwed = false): OrderEvent => ({
  ...{ type: 'cancelled', act: before, was },
  voidOwed,
});
const REFUND: OrderEvent = { type: 'refund_requested', id: `${O1}-P1`, minor: 1000, currency: 'USD' };

/** A phase with several states that differ has an entry for each of them, in this order. */
const states: { readonly [P in Phase]: readonly OrderState[] } = {
  absent: [orderAfter([])],
  holding: [orderAfter([placed(LINE)])],
  charging: [orderAfter([placed(LINE), HELD])],
  // To be captured, paid, partly shipped.
  confirmed: [paid(false), paid(true), [...paid(true), shipped(1)]].map((story) => orderAfter(story)),
  shipped: [orderAfter([...paid(true), shipped(2)])],
  delivered: [orderAfter([...paid(true), shipped(2), { type: 'delivered', act: before, ids: [`${O1}-F1`] }])],
  // While it was held, to be voided, to be refunded.
  cancelled: [
    [placed(LINE), cancelled('pending')],
    [placed(LINE), HELD, cancelled('pending', true)],
    [...paid(true), cancelled('confirmed'), REFUND],
  ].map((story) => orderAfter(story)),
  // While it was held, to be voided.
  failed: [
    [placed(LINE), failed(false)],
    [placed(LINE), HELD, failed(true)],
  ].map((story) => orderAfter(story)),
};

const GIVEN = { origin: 'boutique', items: [{ product: A, quantity: 2 }] };
const ONE = [{ product: A, quantity: 1 }];
const commands = {
  place: { type: 'place', content: LINE, correlation: 'c' },
  'place another': { type: 'place', content: contentOf(), correlation: 'c' },
  import: { type: 'import', ...importOf(GIVEN), correlation: 'c' },
  held: { type: 'holdsAnswered', answers: [held(A)] },
  short: { type: 'holdsAnswered', answers: [short(A)] },
  stockArrived: { type: 'stockArrived', lines: ONE },
  sendLate: { type: 'sendLate' },
  timeOut: { type: 'timeOut' },
  authorized: paymentTold('authorized'),
  declined: paymentTold('declined'),
  captured: paymentTold('captured'),
  'capture declined': paymentTold('declined', 'capture'),
  'capture voided': paymentTold('voided', 'capture'),
  voided: paymentTold('voided'),
  'void captured': paymentTold('captured', 'void'),
  refunded: paymentTold('refunded', 'refund', `${O1}-P1`),
  'refund declined': paymentTold('declined', 'refund', `${O1}-P1`),
  cancel: { type: 'cancel', act },
  ship: { type: 'ship', act },
  'ship one': { type: 'ship', act, lines: ONE },
  deliver: { type: 'deliver', act },
  'deliver another': { type: 'deliver', act, fulfillment: 'F9' },
  'ship otherwise': { type: 'ship', act, tracking: 'another' },
  'cancel otherwise': { type: 'cancel', act, reason: 'another' },
  closeAct: { type: 'closeAct', act, refused: 'backordered' },
  requestReturn: { type: 'requestReturn', act, lines: ONE },
  receiveReturn: { type: 'receiveReturn', act, returned: 'R9', restock: true },
  refund: { type: 'refund', act },
  extendHold: { type: 'extendHold', act },
  forget: { type: 'forget', act },
  'move to pending': { type: 'move', act, to: 'pending' },
  'move to confirmed': { type: 'move', act, to: 'confirmed' },
  'move to shipped': { type: 'move', act, to: 'shipped' },
  'move to delivered': { type: 'move', act, to: 'delivered' },
  'move to cancelled': { type: 'move', act, to: 'cancelled' },
  'move to failed': { type: 'move', act, to: 'failed' },
} as const satisfies Record<string, OrderCommand>;

type Cells = { readonly [P in Phase]: readonly string[] };
const each = <T extends object>(record: T) => Object.keys(record) as (keyof T)[];
/** The same in all states, except those that are named. */
const all = (cell: string, over: Partial<Cells> = {}): Cells => {
  const same = Object.fromEntries(each(states).map((phase) => [phase, states[phase].map(() => cell)]));
  return { ...(same as unknown as Cells), ...over };
};
const NO = 'illegal_transition';
/** Commands of a client. */
const asked = (over: Partial<Cells>): Cells => all(NO, { absent: ['unknown_order'], ...over });

/** Events, or a refusal. `-`: accepted without effect. */
const chart: { readonly [C in keyof typeof commands]: Cells } = {
  place: all('-', { absent: ['placed'] }),
  'place another': all('other_body', { absent: ['placed'] }),
  import: all('not_yours', { absent: ['imported'] }),
  held: all('-', {
    holding: ['held'],
    cancelled: ['answered', 'answered', 'answered'],
    failed: ['answered', 'answered'],
  }),
  short: all('-', {
    holding: ['failed'],
    cancelled: ['answered', 'answered', 'answered'],
    failed: ['answered', 'answered'],
  }),
  stockArrived: all('-', {
    holding: ['stock_arrived'],
    charging: ['stock_arrived'],
    confirmed: ['stock_arrived', 'stock_arrived', 'stock_arrived'],
  }),
  sendLate: all('-'),
  timeOut: all('-', { holding: ['failed'], charging: ['failed'] }),
  authorized: all('-', { charging: ['paid confirmed'] }),
  declined: all('-', { charging: ['failed'] }),
  captured: all('-', { confirmed: ['captured', '-', '-'] }),
  'capture declined': all('-', { confirmed: ['capture_failed', '-', '-'] }),
  'capture voided': all('-', { confirmed: ['capture_failed', '-', '-'] }),
  voided: all('-', { cancelled: ['-', 'voided', '-'], failed: ['-', 'voided'] }),
  'void captured': all('-', {
    cancelled: ['-', 'captured refund_requested', '-'],
    failed: ['-', 'captured refund_requested'],
  }),
  refunded: all('-', { cancelled: ['-', '-', 'refunded'] }),
  'refund declined': all('-', { cancelled: ['-', '-', 'refund_failed'] }),
  cancel: asked({
    holding: ['cancelled'],
    charging: ['cancelled'],
    confirmed: ['cancelled', 'cancelled refund_requested', NO],
    cancelled: ['-', '-', '-'],
  }),
  ship: asked({ confirmed: ['shipped', 'shipped', 'shipped'], shipped: ['-'], delivered: ['-'] }),
  'ship one': asked({
    confirmed: ['shipped', 'shipped', 'shipped'],
    shipped: ['more_than_ordered'],
    delivered: ['more_than_ordered'],
  }),
  deliver: asked({ confirmed: [NO, NO, 'delivered'], shipped: ['delivered'], delivered: ['-'] }),
  'deliver another': asked({
    confirmed: ['unknown_fulfillment', 'unknown_fulfillment', 'unknown_fulfillment'],
    shipped: ['unknown_fulfillment'],
    delivered: ['unknown_fulfillment'],
  }),
  'ship otherwise': asked({
    confirmed: ['shipped', 'shipped', 'shipped'],
    shipped: ['done_otherwise'],
    delivered: ['done_otherwise'],
  }),
  'cancel otherwise': asked({
    holding: ['cancelled'],
    charging: ['cancelled'],
    confirmed: ['cancelled', 'cancelled refund_requested', NO],
    cancelled: ['done_otherwise', 'done_otherwise', 'done_otherwise'],
  }),
  closeAct: all('act_answered', { absent: ['unknown_order'] }),
  requestReturn: asked({
    confirmed: ['more_than_shipped', 'more_than_shipped', 'return_requested'],
    shipped: ['return_requested'],
    delivered: ['return_requested'],
  }),
  receiveReturn: asked({
    confirmed: ['unknown_return', 'unknown_return', 'unknown_return'],
    shipped: ['unknown_return'],
    delivered: ['unknown_return'],
  }),
  refund: asked({
    confirmed: ['refund_requested', 'refund_requested', 'refund_requested'],
    shipped: ['refund_requested'],
    delivered: ['refund_requested'],
    cancelled: ['more_than_paid', 'more_than_paid', 'more_than_paid'],
    failed: ['more_than_paid', 'more_than_paid'],
  }),
  forget: all('-', { absent: ['unknown_order'] }), // None has personal data: see personal-data.test.ts.
  extendHold: asked({ holding: ['hold_extended'], charging: ['hold_extended'] }),
  'move to pending': asked({ holding: ['-'], charging: ['-'] }),
  'move to confirmed': asked({ confirmed: ['-', '-', '-'] }),
  'move to shipped': asked({ confirmed: ['shipped', 'shipped', 'shipped'], shipped: ['-'] }),
  'move to delivered': asked({ shipped: ['delivered'], delivered: ['-'] }),
  'move to cancelled': asked({
    holding: ['cancelled'],
    charging: ['cancelled'],
    confirmed: ['cancelled', 'cancelled refund_requested', NO],
    cancelled: ['-', '-', '-'],
  }),
  'move to failed': asked({ failed: ['-', '-'] }),
};

/** order.O2: the phases that each phase may lead to. */
const ways: { readonly [P in Phase]: readonly Phase[] } = {
  absent: ['holding', 'confirmed'],
  holding: ['holding', 'charging', 'confirmed', 'failed', 'cancelled'],
  charging: ['charging', 'confirmed', 'failed', 'cancelled'],
  confirmed: ['confirmed', 'shipped', 'cancelled'],
  shipped: ['shipped', 'delivered'],
  delivered: ['delivered'],
  cancelled: ['cancelled'],
  failed: ['failed'],
};

const payments: readonly OrderContext['instantPayment'][] = [undefined, () => 'authorized', () => 'declined'];

for (const name of each(commands)) {
  for (const phase of each(states)) {
    test(`${phase}: ${name} -> ${chart[name][phase].join(' | ')}`, () => {
      const cells = states[phase].map((state) => {
        const decided = decideOrder(state, commands[name], {});
        if ('refused' in decided) return decided.refused;
        return decided.events.map((event) => event.type).join(' ') || '-';
      });
      assert.equal(cells, chart[name][phase]);
    });
  }
}

test('no command leads where the chart has no arrow, and none makes two outcomes', () => {
  for (const phase of each(states)) {
    for (const state of states[phase]) {
      for (const name of each(commands)) {
        for (const instantPayment of payments) {
          const decided = decideOrder(state, commands[name], { instantPayment });
          if ('refused' in decided || decided.events.length === 0) continue;
          const after = decided.events.reduce((s, event) => evolveOrder(s, event, 2_000), state);
          assert.ok(ways[phase].includes(after.phase), `${phase} --${name}--> ${after.phase}`);
        }
      }
    }
  }
});

test('a decision does not change its state', () => {
  const state = orderAfter([placed(LINE)]);
  const then = structuredClone(state);
  decideOrder(state, commands.held, { instantPayment: () => 'authorized' });
  evolveOrder(state, HELD, 9);
  assert.equal(state, then);
});

test('the time comes with the event', () => {
  const state = evolveOrder(orderAfter([]), placed(LINE), 77);
  assert.equal([state.id, state.createdAt, state.updatedAt], [O1, 77, 77]);
  const later = evolveOrder(state, HELD, 99);
  assert.equal([later.createdAt, later.updatedAt], [77, 99]);
});

test.run();
