/** An order's life after its placing: cancelled, captured, shipped, delivered. Given, when, then. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ProductId } from '../../../actors/ids.js';
import { isSettled } from '../../../actors/order/order.js';
import { fulfillmentStatusOf, paymentStatusOf } from '../../../actors/order/transitions.js';
import type { HoldAnswer, OrderEvent } from '../../../actors/protocol.js';
import {
  ALL,
  AT_ONCE,
  AUTHORIZED,
  act,
  actOf,
  before,
  CANCEL,
  CAPTURED,
  CONFIRMED,
  cancelled,
  DELIVER,
  delivered,
  given,
  HELD,
  line,
  owed,
  owes,
  PAID,
  paid,
  refunded,
  returned,
  SHIP,
  SHIPPED,
  sentBack,
  ship,
  shipped,
  toProduct,
  WAITING,
} from './order-story.js';
import { A, B, held, O1, orderAfter, paymentTold, placed, release, short } from './samples.js';

const test = suite('order life');

// ---------------------------------------------------------------- cancelled while pending

test('cancelled before any answer: nothing to release yet, not settled while answers are expected (O1)', () => {
  const state = given(placed())
    .when(CANCEL)
    .follows([cancelled('pending')]);
  assert.equal([state.phase, isSettled(state)], ['cancelled', false]);
});

test('cancelled half held: the held line is released, the other one when its answer comes (O1)', () => {
  const half: OrderEvent[] = [placed(), { type: 'answered', answers: [held(A)] }];
  given(...half)
    .when(CANCEL)
    .follows([cancelled('pending')], [release(A, 2)]);
  const late: HoldAnswer[] = [held(B)];
  const state = given(...half, cancelled('pending'))
    .when({ type: 'holdsAnswered', answers: late })
    .follows([{ type: 'answered', answers: late }], [release(B, 1)]);
  assert.ok(isSettled(state));
});

test('a shortage answered after the cancellation releases nothing, and settles the order', () => {
  const late = [short(A), short(B)];
  const state = given(placed(), cancelled('pending'))
    .when({ type: 'holdsAnswered', answers: late })
    .follows([{ type: 'answered', answers: late }]);
  assert.ok(isSettled(state));
});

test('cancelled while charging: all lines are released, and the payment is voided (O3)', () => {
  const state = given(...HELD)
    .when(CANCEL)
    .follows([cancelled('pending', true)], [release(A, 2), release(B, 1)]);
  assert.equal([owes(state), isSettled(state)], [`${O1}:void`, false]);
});

test('voided: settled, and a late authorization changes nothing', () => {
  const story = [...HELD, cancelled('pending', true)];
  const state = given(...story)
    .when(paymentTold('voided'))
    .follows([{ type: 'voided' }]);
  assert.equal([state.payment, isSettled(state)], ['voided', true]);
  given(...story, { type: 'voided' })
    .when(paymentTold('authorized'))
    .follows([]);
});

test('an order that ended uncharged says so; while its void is under way it does not', () => {
  const shown = (...story: readonly OrderEvent[]) => paymentStatusOf(orderAfter(story));
  const failed = (voidOwed: boolean): OrderEvent => ({
    type: 'failed',
    reason: 'timed_out',
    answers: [],
    shortages: [],
    voidOwed,
  });
  assert.is(shown(placed()), 'pending');
  assert.is(shown(placed(), cancelled('pending')), 'not_charged');
  assert.is(shown(placed(), failed(false)), 'not_charged');
  assert.is(shown(...HELD), 'pending');
  for (const end of [cancelled('pending', true), failed(true)]) {
    assert.is(shown(...HELD, end), 'pending');
    assert.is(shown(...HELD, end, { type: 'voided' }), 'voided');
  }
});

test('a cancelled order that cost nothing was not charged, also if an older version paid it', () => {
  const story = (captured: boolean): OrderEvent[] => [
    placed(),
    { type: 'held', currency: 'USD', total: 0, answers: [held(A, 0), held(B, 0)] },
    { type: 'paid', captured },
    { type: 'confirmed' },
  ];
  const shown = (...events: readonly OrderEvent[]) => paymentStatusOf(orderAfter(events));
  assert.is(shown(...story(true)), 'paid', 'its first answer stays');
  const cancel = given(...story(true)).when(CANCEL);
  const state = cancel.follows(
    [cancelled('confirmed')],
    ALL.map(({ product, quantity }) => toProduct('uncommit', product, quantity)),
  );
  assert.equal([paymentStatusOf(state), owes(state)], ['not_charged', undefined]);
  assert.is(shown(...story(false), cancelled('confirmed', true)), 'pending');
  assert.is(shown(...story(false), cancelled('confirmed', true), { type: 'voided' }), 'not_charged');
});

test('a cancellation keeps its reason and the phase before it', () => {
  const state = given(placed())
    .when({ type: 'cancel', act, reason: 'changed my mind' })
    .follows([{ type: 'cancelled', act, was: 'pending', reason: 'changed my mind', voidOwed: false }]);
  assert.equal(state.life.cancelled, { was: 'pending', reason: 'changed my mind' });
});

// ---------------------------------------------------------------- cancelled once confirmed

test('cancelled when paid: refunded in full, and the stock comes back', () => {
  const state = given(...PAID)
    .when(CANCEL)
    .follows([cancelled('confirmed'), owed(1, 1500)], [toProduct('uncommit', A, 2), toProduct('uncommit', B, 1)]);
  assert.equal([state.phase, owes(state), isSettled(state)], ['cancelled', `${O1}-P1`, false]);
});

test('the refund of a cancelled order counts once', () => {
  const story = [...PAID, cancelled('confirmed'), owed(1, 1500)];
  const told = paymentTold('refunded', 'refund', `${O1}-P1`);
  const state = given(...story)
    .when(told)
    .follows([refunded(1)]);
  assert.equal([state.payment, isSettled(state)], ['refunded', true]);
  given(...story, refunded(1))
    .when(told)
    .follows([]);
});

test('cancelled when only authorized: voided, and no refund beside it', () => {
  const state = given(...AUTHORIZED)
    .when(CANCEL)
    .follows([cancelled('confirmed', true)], [toProduct('uncommit', A, 2), toProduct('uncommit', B, 1)]);
  assert.equal([owes(state), state.life.refunds], [`${O1}:void`, []]);
});

test('cancelled while a refund waits for the capture: the refund is dropped, and the void decides', () => {
  const story = [...AUTHORIZED, owed(1, 400, { act: before })];
  const state = given(...story)
    .when(CANCEL)
    .follows(
      [cancelled('confirmed', true), { type: 'refund_failed', id: `${O1}-P1` }],
      [toProduct('uncommit', A, 2), toProduct('uncommit', B, 1)],
    );
  assert.is(owes(state), `${O1}:void`);
});

test('a void after a capture: the money has moved, and is refunded once', () => {
  const story = [...AUTHORIZED, cancelled('confirmed', true)];
  given(...story)
    .when(paymentTold('captured'))
    .follows([]); // The capture's own answer: the void is still under way.
  const told = paymentTold('captured', 'void');
  const state = given(...story)
    .when(told)
    .follows([CAPTURED, owed(1, 1500)]);
  assert.equal([state.payment, owes(state)], ['paid', `${O1}-P1`]);
  given(...story, CAPTURED, owed(1, 1500))
    .when(told)
    .follows([]);
});

test('cancelled after a partial refund: the rest is refunded', () => {
  const story = [...PAID, owed(1, 400, { act: before }), refunded(1)];
  const state = given(...story)
    .when(CANCEL)
    .follows([cancelled('confirmed'), owed(2, 1100)], [toProduct('uncommit', A, 2), toProduct('uncommit', B, 1)]);
  assert.is(state.payment, 'partially_refunded');
});

test('cancelled with a provider that answers at once: refunded, or voided, in the same turn', () => {
  const letters = [toProduct('uncommit', A, 2), toProduct('uncommit', B, 1)];
  const state = given(...PAID)
    .when(CANCEL, AT_ONCE)
    .follows([cancelled('confirmed'), owed(1, 1500), refunded(1)], letters);
  assert.equal([state.payment, isSettled(state)], ['refunded', true]);
  const voided = given(...HELD, paid(false, 'ship'), CONFIRMED)
    .when(CANCEL, AT_ONCE)
    .follows([cancelled('confirmed', true), { type: 'voided' }], letters);
  assert.equal([voided.payment, isSettled(voided)], ['voided', true]);
});

test('cancelled after a declined capture: no money to refund', () => {
  const state = given(...AUTHORIZED, { type: 'capture_failed' })
    .when(CANCEL)
    .follows([cancelled('confirmed')], [toProduct('uncommit', A, 2), toProduct('uncommit', B, 1)]);
  assert.equal([state.payment, isSettled(state)], ['failed', true]);
});

test('after a shipment, even of a part, it cannot be cancelled', () => {
  given(...PAID, shipped(1, [line(A, 1)], before))
    .when(CANCEL)
    .refused('illegal_transition');
  given(...SHIPPED)
    .when(CANCEL)
    .refused('illegal_transition');
});

// ---------------------------------------------------------------- shipping and delivering

test('shipped as a whole, with carrier and tracking id', () => {
  const state = given(...PAID)
    .when({ type: 'ship', act, tracking: 'T', carrier: 'C' })
    .follows([{ type: 'shipped', act, id: `${O1}-F1`, lines: ALL, tracking: 'T', carrier: 'C' }]);
  assert.equal([state.phase, fulfillmentStatusOf(state)], ['shipped', 'shipped']);
  assert.equal(state.life.fulfillments, [
    { id: `${O1}-F1`, lines: ALL, shippedAt: 1_004, tracking: 'T', carrier: 'C' },
  ]);
});

test('shipped in parts: shipped once every part is', () => {
  const state = given(...PAID)
    .when(ship(line(A, 1)))
    .follows([shipped(1, [line(A, 1)])]);
  assert.equal([state.phase, fulfillmentStatusOf(state)], ['confirmed', 'partially_shipped']);
  const rest = [line(A, 1), line(B, 1)];
  const whole = given(...PAID, shipped(1, [line(A, 1)], before))
    .when(SHIP)
    .follows([shipped(2, rest)]);
  assert.is(whole.phase, 'shipped');
});

test('not shipped: more than was ordered, another product, or shipped stock again (O5)', () => {
  given(...PAID)
    .when(ship(line(A, 3)))
    .refused('more_than_ordered');
  given(...PAID)
    .when(ship(line('C' as ProductId, 1)))
    .refused('more_than_ordered');
  given(...PAID, shipped(1, [line(A, 1)], before))
    .when(ship(line(A, 2)))
    .refused('more_than_ordered');
  given(...SHIPPED)
    .when(ship(line(A, 1)))
    .refused('more_than_ordered');
});

test('backordered stock cannot ship before it comes in', () => {
  given(...WAITING)
    .when(SHIP)
    .refused('backordered');
  given(...WAITING)
    .when(ship(line(A, 1)))
    .refused('backordered');
  given(...WAITING)
    .when(ship(line(B, 1)))
    .follows([shipped(1, [line(B, 1)])]);
  const arrived: OrderEvent = { type: 'stock_arrived', lines: [line(A, 1)] };
  given(...WAITING, arrived)
    .when(ship(line(A, 2)))
    .refused('backordered');
  given(...WAITING, arrived)
    .when(ship(line(A, 1)))
    .follows([shipped(1, [line(A, 1)])]);
});

test('an order with a backorder is not settled; it is once the stock has come in', () => {
  assert.not(isSettled(orderAfter(WAITING)));
  const lines = [line(A, 2)];
  const state = given(...WAITING)
    .when({ type: 'stockArrived', lines })
    .follows([{ type: 'stock_arrived', lines }]);
  assert.ok(isSettled(state));
});

test('delivered shipment by shipment; the order is delivered with the last one', () => {
  const parts = [...PAID, shipped(1, [line(A, 2)], before)];
  const state = given(...parts)
    .when(DELIVER)
    .follows([delivered([1])]);
  assert.equal([state.phase, fulfillmentStatusOf(state)], ['confirmed', 'partially_delivered']);
  const both = [...parts, shipped(2, [line(B, 1)], actOf('BEFORE 2'))];
  const second = given(...both)
    .when({ type: 'deliver', act, fulfillment: `${O1}-F2` })
    .follows([delivered([2])]);
  assert.is(second.phase, 'shipped');
  const all = given(...both)
    .when(DELIVER)
    .follows([delivered([1, 2])]);
  assert.equal([all.phase, fulfillmentStatusOf(all)], ['delivered', 'delivered']);
});

test('an unknown shipment cannot be delivered; a delivered one changes nothing', () => {
  given(...PAID)
    .when(DELIVER)
    .refused('illegal_transition');
  given(...SHIPPED)
    .when({ type: 'deliver', act, fulfillment: 'F9' })
    .refused('unknown_fulfillment');
  given(...PAID, shipped(1, [line(A, 2)], before), delivered([1], actOf('BEFORE 2')))
    .when(DELIVER)
    .follows([]);
});

// ---------------------------------------------------------------- captured when it ships

test('capture at shipment: the confirmed order owes nothing, a partial shipment owes the capture', () => {
  const held = given(...HELD)
    .when(paymentTold('authorized'), { captureOn: 'ship' })
    .follows(
      [paid(false, 'ship'), CONFIRMED],
      ALL.map(({ product, quantity }) => ({
        to: { kind: 'product', id: product },
        command: { type: 'commit', order: O1, quantity },
      })),
    );
  assert.equal([held.payment, owes(held), isSettled(held)], ['authorized', undefined, true]);
  const state = given(...HELD, paid(false, 'ship'), CONFIRMED)
    .when(ship(line(B, 1)))
    .follows([shipped(1, [line(B, 1)])]);
  assert.is(owes(state), `${O1}:capture`);
});

test('capture at shipment with an instant provider: in the same turn', () => {
  const state = given(...HELD, paid(false, 'ship'), CONFIRMED)
    .when(SHIP, AT_ONCE)
    .follows([shipped(1), CAPTURED]);
  assert.equal([state.phase, state.payment], ['shipped', 'paid']);
});

test('a declined capture: the payment failed, and nothing ships any more', () => {
  const state = given(...AUTHORIZED)
    .when(paymentTold('declined', 'capture'))
    .follows([{ type: 'capture_failed' }]);
  assert.equal([state.phase, state.payment, isSettled(state)], ['confirmed', 'failed', true]);
  given(...AUTHORIZED, { type: 'capture_failed' })
    .when(SHIP)
    .refused('illegal_transition');
});

test('a capture declined after a partial shipment: the rest may ship, so that the order can end', () => {
  const story = [
    ...HELD,
    paid(false, 'ship'),
    CONFIRMED,
    shipped(1, [line(A, 2)], before),
    { type: 'capture_failed' } as const,
  ];
  const state = given(...story)
    .when(SHIP)
    .follows([shipped(2, [line(B, 1)])]);
  assert.equal([state.phase, state.payment], ['shipped', 'failed']);
});

test('a refund of money that never came is dropped', () => {
  const story = [...HELD, paid(false, 'ship'), CONFIRMED, shipped(1, ALL, before), sentBack(1, ALL, actOf('B2'))];
  const state = given(...story, returned(1, false), owed(1, 1500))
    .when(paymentTold('declined', 'capture'))
    .follows([{ type: 'capture_failed' }]);
  assert.equal([state.life.refunds.map(({ status }) => status), isSettled(state)], [['failed'], true]);
});

test.run();
