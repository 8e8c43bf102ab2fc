/** An order's life after it was placed: cancelled, captured, shipped, delivered. Given, when, then. */
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

test('cancelled before any answer: nothing to give back yet, not settled while answers are expected (O1)', () => {
  const state = given(placed())
    .when(CANCEL)
    .follows([cancelled('pending')]);
  assert.equal([state.phase, isSettled(state)], ['cancelled', false]);
});

test('cancelled half held: what is held goes back, the other when its answer comes (O1)', () => {
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

test('a shortage that is answered after it was cancelled gives nothing back, and settles it', () => {
  const late = [short(A), short(B)];
  const state = given(placed(), cancelled('pending'))
    .when({ type: 'holdsAnswered', answers: late })
    .follows([{ type: 'answered', answers: late }]);
  assert.ok(isSettled(state));
});

test('cancelled while charging: all goes back, and whatever the provider did is voided (O3)', () => {
  const state = given(...HELD)
    .when(CANCEL)
    .follows([cancelled('pending', true)], [release(A, 2), release(B, 1)]);
  assert.equal([owes(state), isSettled(state)], [`${O1}:void`, false]);
});

test('voided: settled, and an authorization that comes later changes nothing', () => {
  const story = [...HELD, cancelled('pending', true)];
  const state = given(...story)
    .when(paymentTold('voided'))
    .follows([{ type: 'voided' }]);
  assert.equal([state.payment, isSettled(state)], ['voided', true]);
  given(...story, { type: 'voided' })
    .when(paymentTold('authorized'))
    .follows([]);
});

test('an order that ended uncharged says so, one whose void is under way not yet', () => {
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

test('a cancellation remembers its reason and where it stood', () => {
  const state = given(placed())
    .when({ type: 'cancel', act, reason: 'changed my mind' })
    .follows([{ type: 'cancelled', act, was: 'pending', reason: 'changed my mind', voidOwed: false }]);
  assert.equal(state.life.cancelled, { was: 'pending', reason: 'changed my mind' });
});

// ---------------------------------------------------------------- cancelled once confirmed

test('cancelled when paid: refunded in whole, the goods come back', () => {
  const state = given(...PAID)
    .when(CANCEL)
    .follows([cancelled('confirmed'), owed(1, 1500)], [toProduct('uncommit', A, 2), toProduct('uncommit', B, 1)]);
  assert.equal([state.phase, owes(state), isSettled(state)], ['cancelled', `${O1}-P1`, false]);
});

test('the refund of a cancelled order is heard once', () => {
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

test('cancelled while a refund waits for the capture: it is given up, and the void decides', () => {
  const story = [...AUTHORIZED, owed(1, 400, { act: before })];
  const state = given(...story)
    .when(CANCEL)
    .follows(
      [cancelled('confirmed', true), { type: 'refund_failed', id: `${O1}-P1` }],
      [toProduct('uncommit', A, 2), toProduct('uncommit', B, 1)],
    );
  assert.is(owes(state), `${O1}:void`);
});

test('a void that meets a capture: the money has moved, and is refunded once', () => {
  const story = [...AUTHORIZED, cancelled('confirmed', true)];
  given(...story)
    .when(paymentTold('captured'))
    .follows([]); // The capture's own answer: the void is still asked.
  const told = paymentTold('captured', 'void');
  const state = given(...story)
    .when(told)
    .follows([CAPTURED, owed(1, 1500)]);
  assert.equal([state.payment, owes(state)], ['paid', `${O1}-P1`]);
  given(...story, CAPTURED, owed(1, 1500))
    .when(told)
    .follows([]);
});

test('cancelled after a refund in part: the rest is refunded', () => {
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

test('cancelled after its capture was declined: no money to give back', () => {
  const state = given(...AUTHORIZED, { type: 'capture_failed' })
    .when(CANCEL)
    .follows([cancelled('confirmed')], [toProduct('uncommit', A, 2), toProduct('uncommit', B, 1)]);
  assert.equal([state.payment, isSettled(state)], ['failed', true]);
});

test('after a shipment, also of a part, it cannot be cancelled', () => {
  given(...PAID, shipped(1, [line(A, 1)], before))
    .when(CANCEL)
    .refused('illegal_transition');
  given(...SHIPPED)
    .when(CANCEL)
    .refused('illegal_transition');
});

// ---------------------------------------------------------------- shipping and delivering

test('shipped as a whole, with what was said of it', () => {
  const state = given(...PAID)
    .when({ type: 'ship', act, tracking: 'T', carrier: 'C' })
    .follows([{ type: 'shipped', act, id: `${O1}-F1`, lines: ALL, tracking: 'T', carrier: 'C' }]);
  assert.equal([state.phase, fulfillmentStatusOf(state)], ['shipped', 'shipped']);
  assert.equal(state.life.fulfillments, [
    { id: `${O1}-F1`, lines: ALL, shippedAt: 1_004, tracking: 'T', carrier: 'C' },
  ]);
});

test('shipped in parts: shipped once all of it is', () => {
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

test('more than was ordered is not shipped, nor another product, nor what has been shipped (O5)', () => {
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

test('what is backordered cannot ship until it has come in', () => {
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

test('an order that waits for stock is not settled; when it has come in, it is', () => {
  assert.not(isSettled(orderAfter(WAITING)));
  const lines = [line(A, 2)];
  const state = given(...WAITING)
    .when({ type: 'stockArrived', lines })
    .follows([{ type: 'stock_arrived', lines }]);
  assert.ok(isSettled(state));
});

test('delivered: shipment by shipment, the order once all of it is', () => {
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

test('a shipment that there is not cannot be delivered, one that is delivered changes nothing', () => {
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

test('to be captured when it ships: confirmed it owes nothing, shipped in part it owes the capture', () => {
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

test('to be captured when it ships, by a provider that answers at once: in the same turn', () => {
  const state = given(...HELD, paid(false, 'ship'), CONFIRMED)
    .when(SHIP, AT_ONCE)
    .follows([shipped(1), CAPTURED]);
  assert.equal([state.phase, state.payment], ['shipped', 'paid']);
});

test('a capture that is declined: the payment failed, and nothing is shipped any more', () => {
  const state = given(...AUTHORIZED)
    .when(paymentTold('declined', 'capture'))
    .follows([{ type: 'capture_failed' }]);
  assert.equal([state.phase, state.payment, isSettled(state)], ['confirmed', 'failed', true]);
  given(...AUTHORIZED, { type: 'capture_failed' })
    .when(SHIP)
    .refused('illegal_transition');
});

test('a capture that is declined after a part has shipped: the rest may go, so that the order can end', () => {
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

test('what was to be refunded of money that never came is given up', () => {
  const story = [...HELD, paid(false, 'ship'), CONFIRMED, shipped(1, ALL, before), sentBack(1, ALL, actOf('B2'))];
  const state = given(...story, returned(1, false), owed(1, 1500))
    .when(paymentTold('declined', 'capture'))
    .follows([{ type: 'capture_failed' }]);
  assert.equal([state.life.refunds.map(({ status }) => status), isSettled(state)], [['failed'], true]);
});

test.run();
