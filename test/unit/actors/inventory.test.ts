/** A product: what it holds, what it refuses, and that no event moves more than it names. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../../actors/limits.js';
import { available, decideProduct } from '../../../actors/product/inventory.js';
import type { HoldAnswer, ProductCommand, ProductEvent } from '../../../actors/protocol.js';
import { A, adjustOf, held, O1, productAfter, receiveOf, short, unknown } from './samples.js';

const test = suite('inventory');

// ---------------------------------------------------------------- given, when, then

const given = (...events: ProductEvent[]) => ({
  when: (command: ProductCommand) => ({
    follows(expected: ProductEvent[], answer?: HoldAnswer) {
      const letters = answer
        ? [{ to: { kind: 'order', id: O1 }, command: { type: 'holdsAnswered', answers: [answer] } }]
        : [];
      assert.equal(decideProduct(productAfter(events), command), { events: expected, letters });
      return productAfter([...events, ...expected]);
    },
    refused: (refused: string) => assert.equal(decideProduct(productAfter(events), command), { refused }),
    throws: (what: RegExp) => assert.throws(() => decideProduct(productAfter(events), command), what),
  }),
});

const received = (over: Parameters<typeof receiveOf>[0] = {}): ProductEvent => ({
  ...receiveOf(over),
  type: 'received',
});
const moved = (type: 'held' | 'released' | 'committed', quantity: number): ProductEvent => ({
  type,
  order: O1,
  quantity,
});
const ask = (type: 'hold' | 'release' | 'commit', quantity: number): ProductCommand => ({ type, order: O1, quantity });
const counts = ({ onHand, held }: { onHand: number; held: number }) => ({ onHand, held });

// ---------------------------------------------------------------- receive, adjust

test('the first receipt makes the product known', () => {
  const state = given().when(receiveOf()).follows([received()]);
  assert.equal(
    [state.known, state.name, state.unitPrice, state.currency, state.onHand],
    [true, 'Headset', 500, 'USD', 10],
  );
});

test('a further receipt adds stock, and brings a new name and price', () => {
  const again = { name: 'Headset 2', unitPrice: 600, quantity: 5 };
  const state = given(received())
    .when(receiveOf(again))
    .follows([received(again)]);
  assert.equal([state.onHand, state.name, state.unitPrice], [15, 'Headset 2', 600]);
});

test('a receipt of zero may change name and price', () => {
  given(received())
    .when(receiveOf({ quantity: 0, name: 'New' }))
    .follows([received({ quantity: 0, name: 'New' })]);
});

test('a receipt in another currency is refused (I4)', () => {
  given(received())
    .when(receiveOf({ currency: 'EUR' }))
    .refused('currency_fixed');
});

test('more stock than a number can count is refused, by receipt and by adjustment', () => {
  given(received())
    .when(receiveOf({ quantity: limits.stock - 9 }))
    .refused('too_much_stock');
  given(received())
    .when(adjustOf(limits.stock - 9))
    .refused('too_much_stock');
  given(received())
    .when(adjustOf(limits.stock - 10))
    .follows([{ ...adjustOf(limits.stock - 10), type: 'adjusted' }]);
});

test('an adjustment of an unknown product is refused', () => {
  given().when(adjustOf(1)).refused('unknown_product');
});

test('an adjustment down to the held stock is applied, below it is refused (I1)', () => {
  const state = given(received(), moved('held', 4))
    .when(adjustOf(-6))
    .follows([{ ...adjustOf(-6), type: 'adjusted' }]);
  assert.equal([counts(state), available(state)], [{ onHand: 4, held: 4 }, 0]);
  given(received(), moved('held', 4)).when(adjustOf(-7)).refused('below_held');
});

// ---------------------------------------------------------------- hold, release, commit

test('enough: held, answered with the price', () => {
  const state = given(received())
    .when(ask('hold', 10))
    .follows([moved('held', 10)], held(A));
  assert.equal(counts(state), { onHand: 10, held: 10 });
});

test('too little: nothing is held, and the answer has the available stock (I1)', () => {
  given(received(), moved('held', 4)).when(ask('hold', 7)).follows([], short(A, 6));
});

test('unknown: nothing is held', () => {
  given().when(ask('hold', 1)).follows([], unknown(A));
});

test('a hold in another currency is unknown, in the same one it is held', () => {
  given(received()).when({ type: 'hold', order: O1, quantity: 1, currency: 'EUR' }).follows([], unknown(A));
  given(received())
    .when({ type: 'hold', order: O1, quantity: 1, currency: 'USD' })
    .follows([moved('held', 1)], held(A));
});

test('released: available again, on hand as before (I2)', () => {
  const state = given(received(), moved('held', 4))
    .when(ask('release', 4))
    .follows([moved('released', 4)]);
  assert.equal(counts(state), { onHand: 10, held: 0 });
});

test('committed: gone from held and on hand alike (I2)', () => {
  const state = given(received(), moved('held', 4))
    .when(ask('commit', 4))
    .follows([moved('committed', 4)]);
  assert.equal(counts(state), { onHand: 6, held: 0 });
});

test('a release or commit without its hold is broken code: it throws (I3)', () => {
  given(received(), moved('held', 1))
    .when(ask('release', 2))
    .throws(/holds 1, order ORD-1 gives back or takes 2/);
  given(received())
    .when(ask('commit', 1))
    .throws(/holds 0/);
});

test('the time comes with the event', () => {
  assert.is(productAfter([received(), moved('held', 1)]).updatedAt, 1_001);
});

test.run();
