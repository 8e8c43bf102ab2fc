/** What is taken over of an order that was made elsewhere, and what it refuses. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { userId, writeId } from '../../../actors/ids.js';
import { differences, type GivenMoney, type GivenOrder, importOf } from '../../../actors/order/imported-order.js';
import { absentOrder, isSettled, type OrderState } from '../../../actors/order/order.js';
import { decideOrder } from '../../../actors/order/order-chart.js';
import { evolveOrderBy } from '../../../actors/order/order-fold.js';
import { fulfillmentStatusOf, trackingOf } from '../../../actors/order/transitions.js';
import type { OrderAct, OrderCommand } from '../../../actors/protocol.js';
import { A, B, O1 } from './samples.js';

const test = suite('imported orders');

const usd = (units: bigint, nanos = 0): GivenMoney => ({ currency: 'USD', units, nanos });
const GIVEN: GivenOrder = {
  origin: 'boutique',
  user: userId('ann'),
  email: 'ann@example.org',
  address: { city: 'Mountain View', zip_code: '94043' },
  tracking: 'T-1',
  shipping: usd(8n, 990_000_000),
  items: [
    { product: A, quantity: 2, cost: usd(19n, 990_000_000) },
    { product: B, quantity: 1, cost: usd(67n) },
  ],
};
const act = (name: string) => ({ ref: writeId(name), fingerprint: 'f' });

function after(state: OrderState, command: OrderCommand, at = 5_000): OrderState {
  const decision = decideOrder(state, command, { instantPayment: () => 'authorized' });
  if ('refused' in decision) throw new Error(decision.refused);
  assert.equal(decision.letters, [], 'no product hears of it');
  return decision.events.length === 0 ? state : evolveOrderBy(state, decision.events, at);
}
const imported = (given = GIVEN, at = 5_000): OrderState =>
  after(absentOrder(O1), { type: 'import', ...importOf(given), correlation: 'c' }, at);

test('it is confirmed and paid, with its prices, and owes nothing to anyone', () => {
  const state = imported();
  assert.equal([state.phase, state.payment, state.currency, state.total], ['confirmed', 'paid', 'USD', 10_698]);
  assert.equal(
    state.lines.map(({ unitPrice, hold }) => [unitPrice, hold]),
    [
      [1_999, 'elsewhere'],
      [6_700, 'elsewhere'],
    ],
  );
  assert.is(trackingOf(state.life), 'T-1');
  assert.equal(state.life.imported?.shipping, { currency: 'USD', amount: '8.99' });
  assert.is(state.life.imported?.items, undefined, 'the lines say the items exactly');
  assert.ok(isSettled(state));
});

test('its time is when it was made, and never later than its import', () => {
  assert.is(imported({ ...GIVEN, placedAt: 1_000 }).createdAt, 1_000);
  assert.is(imported({ ...GIVEN, placedAt: 9_000 }).createdAt, 5_000);
  assert.is(imported().createdAt, 5_000);
});

test('a finer amount is rounded to the minor unit of its currency, and kept with all its digits', () => {
  const of = (cost: GivenMoney) => {
    const { facts } = importOf({ origin: 'x', items: [{ product: A, quantity: 3, cost }] });
    return [facts.prices[0], facts.total, facts.items?.[0]?.cost?.amount];
  };
  assert.equal(of(usd(67n, 989_999_999)), [6_799, 20_397, '67.989999999']);
  assert.equal(of(usd(0n, 5_000_000)), [1, 3, '0.005']);
  assert.equal(of(usd(0n, 4_999_999)), [0, 0, '0.004999999']);
  assert.equal(of({ currency: 'JPY', units: 7_437n, nanos: 500_000_000 }), [7_438, 22_314, '7437.5']);
  assert.equal(of({ currency: 'KWD', units: 5n, nanos: 123_000_000 }), [5_123, 15_369, undefined]);
});

test('what cannot be told in the currency of the order is unknown, and kept as it was told', () => {
  const unknown: [string, GivenOrder['items']][] = [
    [
      'of another currency',
      [
        { product: A, quantity: 1, cost: usd(1n) },
        { product: B, quantity: 1, cost: { ...usd(2n), currency: 'EUR' } },
      ],
    ],
    [
      'two prices of one product',
      [
        { product: A, quantity: 1, cost: usd(1n) },
        { product: A, quantity: 2, cost: usd(2n) },
      ],
    ],
    ['negative', [{ product: A, quantity: 1, cost: usd(-1n) }]],
    ['too large', [{ product: A, quantity: 1, cost: usd(9_223_372_036_854_775_807n) }]],
    ['of no currency', [{ product: A, quantity: 1, cost: { ...usd(1n), currency: 'XXX' } }]],
  ];
  for (const [name, items] of unknown) {
    const { facts, content } = importOf({ origin: 'x', items });
    assert.is(facts.total, undefined, name);
    assert.is(facts.prices.at(-1), null, name);
    assert.is(facts.items?.length, items.length, name);
    assert.is(new Set(content.lines.map(({ product }) => product)).size, content.lines.length, name);
  }
  assert.is(importOf({ origin: 'x', items: [] }).facts.total, undefined, 'an order without items has no total');
  const twice = importOf({ origin: 'x', items: [GIVEN.items[0], GIVEN.items[0]].flatMap((item) => item ?? []) });
  assert.equal([twice.facts.total, twice.content.lines], [7_996, [{ product: A, quantity: 4 }]]);
});

test('no amount is lost or invented: rounding is at most half a minor unit, and exact digits are kept', () => {
  const money = fc.record({
    currency: fc.constantFrom('USD', 'JPY', 'KWD', 'CLF'),
    units: fc.bigInt({ min: 0n, max: 1_000_000_000n }),
    nanos: fc.integer({ min: 0, max: 999_999_999 }),
  });
  fc.assert(
    fc.property(money, fc.integer({ min: 1, max: 9 }), (cost, quantity) => {
      const { facts } = importOf({ origin: 'x', items: [{ product: A, quantity, cost }] });
      const digits = { USD: 2, JPY: 0, KWD: 3, CLF: 4 }[cost.currency] ?? 2;
      const one = 10n ** BigInt(9 - digits);
      const nanos = cost.units * 1_000_000_000n + BigInt(cost.nanos);
      const off = BigInt(facts.prices[0] ?? -1) * one - nanos;
      assert.ok((off < 0n ? -off : off) * 2n <= one);
      assert.is(facts.items === undefined, off === 0n);
      assert.is(facts.total, quantity * (facts.prices[0] ?? Number.NaN));
      if (facts.items === undefined) return;
      const [whole = '', fraction = ''] = (facts.items[0]?.cost?.amount ?? '').split('.');
      assert.is(BigInt(whole + fraction.padEnd(9, '0')), nanos);
    }),
  );
});

test('a repeat changes nothing, also one that tells less; another content leaves the first, and is noted once', () => {
  const first = imported();
  const again = (given: GivenOrder, state = first) =>
    after(state, { type: 'import', ...importOf(given), correlation: 'd' });
  assert.is(again(GIVEN), first);
  assert.is(again({ origin: 'email', items: GIVEN.items }), first, 'an e-mail service knows no user');
  const told = { ...GIVEN, tracking: 'T-2', items: GIVEN.items.slice(0, 1) };
  const noted = again(told);
  assert.equal(noted.life.imported?.differed, ['items', 'tracking_id']);
  assert.equal({ ...noted, version: first.version, life: first.life, updatedAt: first.updatedAt }, first);
  assert.is(again(told, noted), noted, 'it is noted already');
  assert.equal(again({ ...told, user: userId('bob') }, noted).life.imported?.differed, [
    'items',
    'tracking_id',
    'user_id',
  ]);
  const finer = {
    ...GIVEN,
    items: [{ product: A, quantity: 2, cost: usd(19n, 990_000_001) }, ...GIVEN.items.slice(1)],
  };
  assert.equal(differences(first, importOf(finer)), ['items'], 'a billionth differs');
});

test('it is shipped, delivered and forgotten here; cancelled, returned and refunded where it was made', () => {
  const elsewhere: OrderAct[] = [
    { type: 'cancel', act: act('1') },
    { type: 'refund', act: act('2') },
    { type: 'requestReturn', act: act('3') },
    { type: 'move', act: act('4'), to: 'cancelled' },
  ];
  let state = imported();
  const refuses = () => {
    for (const command of elsewhere) assert.equal(decideOrder(state, command, {}), { refused: 'illegal_transition' });
  };
  refuses();
  state = after(state, { type: 'ship', act: act('S'), tracking: 'S-1' });
  assert.equal([state.phase, trackingOf(state.life), fulfillmentStatusOf(state)], ['shipped', 'S-1', 'shipped']);
  state = after(state, { type: 'deliver', act: act('D') });
  refuses();
  state = after(state, { type: 'forget', act: act('F') });
  assert.equal(
    [state.content.email, state.content.shippingAddress, trackingOf(state.life)],
    [undefined, undefined, undefined],
  );
  assert.is(
    after(state, { type: 'import', ...importOf(GIVEN), correlation: 'd' }),
    state,
    'what was erased is not compared',
  );
});

test.run();
