/** Returns and refunds of an order, repeated acts, and late holds. Given, when, then. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../../actors/limits.js';
import { isSettled } from '../../../actors/order/order.js';
import { decideOrder } from '../../../actors/order/order-chart.js';
import { fulfillmentStatusOf } from '../../../actors/order/transitions.js';
import type { OrderAct, OrderEvent } from '../../../actors/protocol.js';
import {
  ALL,
  ASKED,
  AT_ONCE,
  AUTHORIZED,
  act,
  actOf,
  back,
  before,
  CANCEL,
  cancelled,
  DELIVER,
  DELIVERED,
  delivered,
  given,
  line,
  owed,
  owes,
  PAID,
  received,
  refund,
  refunded,
  returned,
  SHIP,
  SHIPPED,
  sentBack,
  ship,
  shipped,
  toProduct,
} from './order-story.js';
import { A, B, contentOf, held, hold, O1, orderAfter, paymentTold, placed, release } from './samples.js';

const test = suite('order returns');

// ---------------------------------------------------------------- returns

test('returned in part; more than was shipped is refused (O5)', () => {
  given(...DELIVERED)
    .when(back(line(A, 1)))
    .follows([sentBack(1, [line(A, 1)])]);
  given(...DELIVERED)
    .when(back(line(A, 3)))
    .refused('more_than_shipped');
  const once = [...DELIVERED, sentBack(1, [line(A, 1)], actOf('BEFORE 3'))];
  given(...once)
    .when(back(line(A, 2)))
    .refused('more_than_shipped');
  given(...once)
    .when({ type: 'requestReturn', act })
    .follows([sentBack(2, [line(A, 1), line(B, 1)])]);
  given(...PAID)
    .when({ type: 'requestReturn', act })
    .refused('more_than_shipped');
  given(...PAID, shipped(1, [line(A, 1)], before))
    .when(back(line(B, 1)))
    .refused('more_than_shipped');
});

test('received and restocked: the product gets a numbered letter, and the price is refunded', () => {
  const first = [...DELIVERED, sentBack(1, [line(A, 1)], actOf('B3')), sentBack(2, [line(A, 1)], actOf('B4'))];
  const refundOf = (no: number) => owed(no, 500, { returned: `${O1}-R${no}` });
  const state = given(...first)
    .when(received(1, true))
    .follows([returned(1, true), refundOf(1)], [toProduct('return', A, 1, 1)]);
  assert.equal([state.life.returns[0]?.status, fulfillmentStatusOf(state)], ['received', 'partially_returned']);
  given(...first, returned(1, true, actOf('B5')), refundOf(1))
    .when(received(2, true))
    .follows([returned(2, true), refundOf(2)], [toProduct('return', A, 1, 2)]);
});

test('written off: refunded, and the product gets no letter', () => {
  const story = [...DELIVERED, sentBack(1, ALL, actOf('B3'))];
  const state = given(...story)
    .when(received(1, false), AT_ONCE)
    .follows([returned(1, false), owed(1, 1500, { returned: `${O1}-R1` }), refunded(1)]);
  assert.equal([state.payment, fulfillmentStatusOf(state)], ['refunded', 'returned']);
  assert.equal(state.life.returns[0]?.status, 'refunded');
});

test('an unknown return is refused; a received one changes nothing', () => {
  given(...DELIVERED)
    .when(received(1, true))
    .refused('unknown_return');
  const story = [...DELIVERED, sentBack(1, [line(A, 1)], actOf('B3')), returned(1, false, actOf('B4'))];
  for (const again of [received(1), received(1, false)])
    given(...story)
      .when(again)
      .follows([]);
  given(...story)
    .when(received(1, true))
    .refused('done_otherwise');
});

// ---------------------------------------------------------------- refunds

test('refunded in parts, never above what was paid (O3)', () => {
  const state = given(...PAID)
    .when(refund(400))
    .follows([owed(1, 400, { act })]);
  assert.is(owes(state), `${O1}-P1`);
  const part = [...PAID, owed(1, 400, { act: before })];
  given(...part)
    .when(refund(1101))
    .refused('more_than_paid');
  given(...part)
    .when(refund(1100))
    .follows([owed(2, 1100, { act })]);
  given(...part)
    .when(refund())
    .follows([owed(2, 1100, { act })]);
  given(...PAID)
    .when(refund(0))
    .refused('more_than_paid');
  given(...AUTHORIZED)
    .when(refund(1501))
    .refused('more_than_paid');
  const early = given(...AUTHORIZED)
    .when(refund(1))
    .follows([owed(1, 1, { act })]);
  assert.is(owes(early), `${O1}:capture`, 'the money first, then the refund of it');
});

test('partly refunded, then refunded; a further refund is refused', () => {
  const part = given(...PAID, owed(1, 400, { act: before }))
    .when(paymentTold('refunded', 'refund', `${O1}-P1`))
    .follows([refunded(1)]);
  assert.is(part.payment, 'partially_refunded');
  const all = [...PAID, owed(1, 1500, { act: before }), refunded(1)];
  assert.is(orderAfter(all).payment, 'refunded');
  given(...all)
    .when(refund())
    .refused('more_than_paid');
  given(...all)
    .when(refund(1))
    .refused('more_than_paid');
});

test('a return after a refund is refunded with the rest, or with nothing (O3)', () => {
  const most = [...DELIVERED, owed(1, 1300, { act: actOf('B3') }), sentBack(1, ALL, actOf('B4'))];
  given(...most)
    .when(received(1, false))
    .follows([returned(1, false), owed(2, 200, { returned: `${O1}-R1` })]);
  const all = [...DELIVERED, owed(1, 1500, { act: actOf('B3') }), sentBack(1, ALL, actOf('B4'))];
  given(...all)
    .when(received(1, false))
    .follows([returned(1, false)]);
});

test('a declined refund may be requested again under another reference', () => {
  const declined = paymentTold('declined', 'refund', `${O1}-P1`);
  const story = [...PAID, owed(1, 1500, { act: before })];
  const state = given(...story)
    .when(declined)
    .follows([{ type: 'refund_failed', id: `${O1}-P1` }]);
  assert.equal([state.payment, owes(state)], ['paid', undefined]);
  given(...story, { type: 'refund_failed', id: `${O1}-P1` })
    .when(refund())
    .follows([owed(2, 1500, { act })]);
});

// ---------------------------------------------------------------- acts (order.O4)

test('a declined refund of a cancelled order may be requested again as well', () => {
  const story = [...PAID, cancelled('confirmed', false, before), owed(1, 1500)];
  given(...story, { type: 'refund_failed', id: `${O1}-P1` })
    .when(refund())
    .follows([owed(2, 1500, { act })]);
  given(...story)
    .when(refund())
    .refused('more_than_paid');
});

test('an act has its effect once; other content under its reference is refused', () => {
  const cases: [OrderEvent[], OrderAct][] = [
    [[placed()], { type: 'cancel', act }],
    [[placed()], { type: 'extendHold', act }],
    [PAID, { type: 'ship', act, lines: [line(A, 1)] }],
    [SHIPPED, { type: 'deliver', act }],
    [DELIVERED, { type: 'requestReturn', act, lines: [line(A, 1)] }],
    [PAID, { type: 'refund', act, minor: 1 }],
    [PAID, { type: 'move', act, to: 'shipped' }],
  ];
  for (const [story, command] of cases) {
    const decided = decideOrder(orderAfter(story), command, ASKED);
    const events = 'events' in decided ? decided.events : assert.unreachable(`${command.type}: ${decided.refused}`);
    const after = [...story, ...(events as OrderEvent[])];
    given(...after)
      .when(command)
      .follows([]);
    given(...after)
      .when({ ...command, act: actOf('X', 'g') })
      .refused('other_body');
  }
});

test('an order remembers a bounded number of acts; a repeat of them has no second effect', () => {
  const events: OrderEvent[] = [...PAID];
  for (let i = 0; i < limits.actsOfOrder - limits.actsToEnd; i++) events.push(owed(i + 1, 1, { act: actOf(`${i}`) }));
  given(...events)
    .when(refund(1))
    .refused('too_many_acts');
  // Partial shipments could use up the acts that the end needs.
  given(...events)
    .when(ship(line(A, 1)))
    .refused('too_many_acts');
  given(...events)
    .when(SHIP)
    .follows([shipped(1)]);
  given(...events, shipped(1, ALL, before))
    .when(DELIVER)
    .follows([delivered([1])]);
  given(...events)
    .when({ type: 'refund', act: actOf('7'), minor: 1 })
    .follows([]);
});

// ---------------------------------------------------------------- late holds

const LATE_A: OrderEvent = { ...placed(), late: { products: [A], delayMs: 5_000 } } as OrderEvent;

test('a hold that the gremlin delays is kept back, and only that one', () => {
  const state = given()
    .when(
      { type: 'place', content: contentOf(), correlation: 'c' },
      { holdDelayMs: (order, product) => (order === O1 && product === A ? 5_000 : 0) },
    )
    .follows([LATE_A], [hold(B, 1)]);
  assert.equal([state.lateMs, state.lines.map((each) => each.hold)], [5_000, ['late', 'asked']]);
});

test('the order waits for the late hold, and sends it once, when its time has come', () => {
  given(LATE_A)
    .when({ type: 'holdsAnswered', answers: [held(B)] })
    .follows([{ type: 'answered', answers: [held(B)] }]);
  const state = given(LATE_A)
    .when({ type: 'sendLate' })
    .follows([{ type: 'late_sent' }], [hold(A, 2)]);
  assert.is(state.lateMs, 0);
  given(LATE_A, { type: 'late_sent' }).when({ type: 'sendLate' }).follows([]);
});

test('an order that ends before its late holds are sent never sends them, and is settled', () => {
  const answered: OrderEvent = { type: 'answered', answers: [held(B)] };
  const timedOut: OrderEvent = {
    ...{ type: 'failed', reason: 'timed_out', answers: [], shortages: [] },
    voidOwed: false,
  };
  for (const [command, ended] of [
    [CANCEL, cancelled('pending')],
    [{ type: 'timeOut' }, timedOut],
  ] as const) {
    const state = given(LATE_A, answered)
      .when(command)
      .follows([ended], [release(B, 1)]);
    assert.ok(isSettled(state));
    given(LATE_A, answered, ended).when({ type: 'sendLate' }).follows([]);
  }
});

test.run();
