/** An order's way to its outcome: given its events, when it gets a command, then its decision. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { hasOutcome, isSettled, type OrderContext, paymentOwed, timerRuns } from '../../../actors/order/order.js';
import { decideOrder } from '../../../actors/order/order-chart.js';
import { paymentStatusOf } from '../../../actors/order/transitions.js';
import type { OrderCommand, OrderEvent } from '../../../actors/protocol.js';
import {
  A,
  ANN,
  B,
  commit,
  contentOf,
  held,
  hold,
  O1,
  oneLine,
  orderAfter,
  paymentTold,
  placed,
  release,
  short,
  unknown,
} from './samples.js';

const test = suite('order');

// ---------------------------------------------------------------- given, when, then

const ASKED: OrderContext = {};
const PAID_AT_ONCE: OrderContext = { instantPayment: () => 'authorized' };
const DECLINED_AT_ONCE: OrderContext = { instantPayment: () => 'declined' };

const given = (...events: OrderEvent[]) => ({
  when: (command: OrderCommand, context = ASKED) => ({
    follows(expected: OrderEvent[], letters: object[] = []) {
      const decided = decideOrder(orderAfter(events), command, context);
      assert.equal(decided, { events: expected, letters });
      return orderAfter([...events, ...expected]);
    },
    refused: (refused: string) => assert.equal(decideOrder(orderAfter(events), command, context), { refused }),
  }),
});

const answers = (...given: Parameters<typeof allHeld>[0]): OrderCommand => ({ type: 'holdsAnswered', answers: given });
const allHeld = (
  given: Extract<OrderEvent, { type: 'held' }>['answers'],
  total = 1500,
  currency = 'USD',
): OrderEvent => ({
  type: 'held',
  answers: given,
  currency,
  total,
});
const failed = (over: Partial<Extract<OrderEvent, { type: 'failed' }>>): OrderEvent => ({
  type: 'failed',
  reason: 'out_of_stock',
  answers: [],
  shortages: [],
  voidOwed: false,
  ...over,
});
const place = (content = contentOf()): OrderCommand => ({ type: 'place', content, correlation: 'c' });
const paid = (captured: boolean): OrderEvent => ({ type: 'paid', captured });
const CONFIRMED: OrderEvent = { type: 'confirmed' };
const TIME_OUT: OrderCommand = { type: 'timeOut' };
const HELD = [placed(), allHeld([held(A), held(B)])];
const bothAnswers = [held(A), held(B)];

// ---------------------------------------------------------------- holding

test('placed: asks for a hold per line', () => {
  given()
    .when(place())
    .follows([placed()], [hold(A, 2), hold(B, 1)]);
});

test('placed in a currency: asks for holds in that currency', () => {
  const content = { ...oneLine(A, 2), currency: 'EUR' };
  const letter = { ...hold(A, 2), command: { type: 'hold', order: O1, quantity: 2, currency: 'EUR' } };
  given()
    .when(place(content))
    .follows([placed(content)], [letter]);
});

test('some lines answered: it waits for the others', () => {
  given(placed())
    .when(answers(held(A)))
    .follows([{ type: 'answered', answers: [held(A)] }]);
});

test('all held: the total is the sum of the lines, and the payment is owed (O3)', () => {
  const state = given(placed())
    .when(answers(...bothAnswers))
    .follows([allHeld(bothAnswers)]);
  assert.is(state.phase, 'charging');
  assert.is(state.total, 2 * 500 + 500);
  assert.is(paymentOwed(state)?.operation, 'authorize');
});

test('the last answer counts together with the earlier ones', () => {
  given(placed(), { type: 'answered', answers: [held(A, 300)] })
    .when(answers(held(B, 400)))
    .follows([allHeld([held(B, 400)], 2 * 300 + 400)]);
});

test('short of one: fails, releases the other, and names the short line (O1)', () => {
  given(placed())
    .when(answers(held(A), short(B, 0)))
    .follows(
      [failed({ answers: [held(A), short(B, 0)], shortages: [{ product: B, asked: 1, available: 0 }] })],
      [release(A, 2)],
    );
});

test('short of one after another was held: the held one is released (O1)', () => {
  given(placed(), { type: 'answered', answers: [held(A)] })
    .when(answers(short(B)))
    .follows([failed({ answers: [short(B)], shortages: [{ product: B, asked: 1, available: 0 }] })], [release(A, 2)]);
});

test('a failed order has the currency of its products, and their prices', () => {
  const answer = short(A, 0, 700, 'EUR');
  const state = given(placed(oneLine(A, 2)))
    .when(answers(answer))
    .follows([failed({ answers: [answer], shortages: [{ product: A, asked: 2, available: 0 }] })]);
  assert.equal([state.currency, state.lines[0]?.unitPrice, state.total], ['EUR', 700, undefined]);
});

test('a failed order has no currency if no answer had one, as in older answers', () => {
  const older = { product: A, answer: 'short', available: 0 } as const;
  const state = given(placed(oneLine(A, 2)))
    .when(answers(older))
    .follows([failed({ answers: [older], shortages: [{ product: A, asked: 2, available: 0 }] })]);
  assert.equal([state.currency, state.lines[0]?.unitPrice], [undefined, undefined]);
});

test('a price in another currency is not taken', () => {
  for (const foreign of [held(B, 500, 'JPY'), short(B, 0, 500, 'JPY')]) {
    const after = orderAfter([placed(), failed({ answers: [held(A), foreign] })]);
    assert.equal([after.currency, after.lines.map(({ unitPrice }) => unitPrice)], ['USD', [500, undefined]]);
  }
});

test('an unknown product: fails as unknown, even if other lines are short', () => {
  given(placed())
    .when(answers(short(A), unknown(B)))
    .follows([failed({ reason: 'unknown_product', answers: [short(A), unknown(B)] })]);
});

test('products of two currencies: fails and releases both', () => {
  const mixed = [held(A), held(B, 500, 'EUR')];
  given(placed())
    .when(answers(...mixed))
    .follows([failed({ reason: 'unknown_product', answers: mixed })], [release(A, 2), release(B, 1)]);
});

test('a later answer in another currency than the first: fails', () => {
  given(placed(), { type: 'answered', answers: [held(A, 500, 'JPY')] })
    .when(answers(held(B)))
    .follows([failed({ reason: 'unknown_product', answers: [held(B)] })], [release(A, 2), release(B, 1)]);
});

test('a total beyond the safe integers fails and is never rounded', () => {
  const dear = held(A, Number.MAX_SAFE_INTEGER);
  given(placed(oneLine(A, 2)))
    .when(answers(dear))
    .follows([failed({ reason: 'total_too_large', answers: [dear] })], [release(A, 2)]);
});

// ---------------------------------------------------------------- charging

test('paid at once: held, paid and confirmed together, every line committed', () => {
  const state = given(placed())
    .when(answers(...bothAnswers), PAID_AT_ONCE)
    .follows([allHeld(bothAnswers), paid(true), CONFIRMED], [commit(A, 2), commit(B, 1)]);
  assert.equal([state.phase, state.payment, isSettled(state)], ['confirmed', 'paid', true]);
});

test('an order that costs nothing is confirmed without a payment (O3)', () => {
  const free = [held(A, 0), held(B, 0)];
  for (const context of [{}, PAID_AT_ONCE, DECLINED_AT_ONCE, { captureOn: 'ship' }] as const) {
    const state = given(placed())
      .when(answers(...free), context)
      .follows([allHeld(free, 0), CONFIRMED], [commit(A, 2), commit(B, 1)]);
    assert.equal([state.phase, paymentStatusOf(state), isSettled(state)], ['confirmed', 'not_charged', true]);
    assert.is(paymentOwed(state), undefined);
  }
});

test('declined at once: failed, every line released, nothing to void', () => {
  const state = given(placed())
    .when(answers(...bothAnswers), DECLINED_AT_ONCE)
    .follows([allHeld(bothAnswers), failed({ reason: 'payment_declined' })], [release(A, 2), release(B, 1)]);
  assert.equal([state.phase, state.payment, isSettled(state)], ['failed', 'declined', true]);
});

test('a short order is not charged, even by an instant provider (O3)', () => {
  const never: OrderContext = { instantPayment: () => assert.unreachable('asked for money') as never };
  given(placed(oneLine(A, 2)))
    .when(answers(short(A)), never)
    .follows([failed({ answers: [short(A)], shortages: [{ product: A, asked: 2, available: 0 }] })]);
});

test('authorized: confirmed, every line committed, the capture owed', () => {
  const state = given(...HELD)
    .when(paymentTold('authorized'))
    .follows([paid(false), CONFIRMED], [commit(A, 2), commit(B, 1)]);
  assert.is(paymentOwed(state)?.operation, 'capture');
  assert.not(isSettled(state));
});

test('captured: paid, and settled', () => {
  const state = given(...HELD, paid(false), CONFIRMED)
    .when(paymentTold('captured'))
    .follows([{ type: 'captured' }]);
  assert.equal([state.payment, isSettled(state)], ['paid', true]);
});

test('declined after a call: failed, every line released, a void owed (O3)', () => {
  const state = given(...HELD)
    .when(paymentTold('declined'))
    .follows([failed({ reason: 'payment_declined', voidOwed: true })], [release(A, 2), release(B, 1)]);
  assert.equal([state.payment, paymentOwed(state)?.operation, isSettled(state)], ['declined', 'void', false]);
});

test('voided: settled, and a declined payment stays declined', () => {
  const state = given(...HELD, failed({ reason: 'payment_declined', voidOwed: true }))
    .when(paymentTold('voided'))
    .follows([{ type: 'voided' }]);
  assert.equal([state.payment, isSettled(state)], ['declined', true]);
});

// ---------------------------------------------------------------- time

test('timed out with no answer: failed, but not settled while answers are expected (O1)', () => {
  const state = given(placed())
    .when(TIME_OUT)
    .follows([failed({ reason: 'timed_out' })]);
  assert.equal([hasOutcome(state), isSettled(state), timerRuns(state)], [true, false, false]);
});

test('timed out half answered: the held lines are released', () => {
  given(placed(), { type: 'answered', answers: [held(A)] })
    .when(TIME_OUT)
    .follows([failed({ reason: 'timed_out' })], [release(A, 2)]);
});

test('timed out while charging: all lines are released, and the payment is voided (O3)', () => {
  const state = given(...HELD)
    .when(TIME_OUT)
    .follows([failed({ reason: 'timed_out', voidOwed: true })], [release(A, 2), release(B, 1)]);
  assert.is(paymentOwed(state)?.operation, 'void');
});

test('a hold answered after the failure is released at once (O1)', () => {
  const state = given(placed(), failed({ reason: 'timed_out' }))
    .when(answers(held(A)))
    .follows([{ type: 'answered', answers: [held(A)] }], [release(A, 2)]);
  assert.not(isSettled(state), 'B has not answered');
});

test('a shortage answered after the failure releases nothing, and settles the order', () => {
  const state = given(placed(oneLine(A, 2)), failed({ reason: 'timed_out' }))
    .when(answers(short(A)))
    .follows([{ type: 'answered', answers: [short(A)] }]);
  assert.ok(isSettled(state));
});

test('an authorization after the timeout changes nothing: the void stays owed (O2)', () => {
  given(...HELD, failed({ reason: 'timed_out', voidOwed: true }))
    .when(paymentTold('authorized'))
    .follows([]);
});

// ---------------------------------------------------------------- repeats (order.O4)

test('the same order repeated changes nothing, before and after its outcome', () => {
  for (const story of [[placed()], HELD, [...HELD, paid(true), CONFIRMED], [placed(), failed({})]]) {
    given(...story)
      .when(place())
      .follows([]);
  }
});

test('other content under the same id is refused', () => {
  given(placed())
    .when(place(oneLine(A, 3)))
    .refused('other_body');
});

test("the same id from another user is refused as another user's, even with the same lines", () => {
  given(placed())
    .when(place(contentOf({ user: `${ANN}a` as typeof ANN })))
    .refused('not_yours');
});

test.run();
