/** An actor that is not in memory is looked up before a decision: once for all requests, and only in time. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { orderId, writeId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import type { StoredOrder } from '../../../actors/ports/snapshot-rows.js';
import type { OrderEvent } from '../../../actors/protocol.js';
import { A, adjustOf, contentOf, held, oneLine, orderAfter, placed } from '../actors/samples.js';
import { Rig } from './node-rig.js';

const test = suite('node look-ups');
const KEYED = { fresh: false };
const LINE = oneLine(A, 1);
const CONFIRMED: OrderEvent[] = [
  placed(LINE),
  { type: 'held', answers: [held(A)], currency: 'USD', total: 500 },
  { type: 'paid', captured: true },
  { type: 'confirmed' },
];
const stored = (id: string, events = CONFIRMED): StoredOrder => ({
  state: orderAfter(events, orderId(id)),
  version: events.length,
  epoch: 1,
  n: 1,
});
const withStock = (over: ConstructorParameters<typeof Rig>[0] = {}) => new Rig(over).receive(10, A);

test('an id this process drew at random needs no look-up', () => {
  const rig = withStock();
  rig.place('1', LINE);
  rig.turn();
  assert.is(rig.all('lookUp').length, 0);
});

test('a keyed order waits for its look-up, and is decided after it', () => {
  const rig = withStock();
  const request = rig.place('K', LINE, KEYED);
  rig.turn();
  assert.is(rig.replyTo(request), undefined);
  assert.equal(rig.last('lookUp').orders, ['K']);
  rig.found(1).turn();
  assert.is(rig.replyTo(request), 'confirmed');
});

test('a key that was certainly never seen needs no look-up; it does once its order has left memory', () => {
  const rig = withStock();
  const { storedOrders } = rig.node;
  storedOrders.complete(storedOrders.begin());
  const request = rig.place('K', LINE, { ...KEYED, alias: orderId('raw') });
  rig.turn();
  assert.is(rig.replyTo(request), 'confirmed');
  assert.is(rig.all('lookUp').length, 0);
  assert.is(rig.catchUp().has('K'), false);
  rig.place('K', LINE, KEYED);
  assert.equal(rig.last('lookUp').orders, ['K']);
  rig.place('L', LINE, { ...KEYED, alias: orderId('K') });
  assert.is(rig.all('lookUp').length, 1, 'the alias waits its turn');
  rig.found(1, { orders: [stored('K')] });
  assert.equal(rig.last('lookUp').orders, ['L', 'K']);
});

test('a new key that is the id of an order in memory means that order, without a look-up', () => {
  const rig = withStock();
  const { storedOrders } = rig.node;
  storedOrders.complete(storedOrders.begin());
  rig.place('first', LINE);
  rig.turn();
  const request = rig.place('hashed', LINE, { ...KEYED, alias: orderId('first') });
  rig.turn();
  assert.is(rig.replyTo(request), 'confirmed');
  assert.is(rig.stockOf(A)?.onHand, 9);
  assert.is(rig.all('lookUp').length, 0);
});

test('uncertain ids are looked up: an act, and everything until the stored ids are read', () => {
  const rig = withStock();
  rig.place('K', LINE, KEYED);
  assert.is(rig.all('lookUp').length, 1);
  const { storedOrders } = rig.node;
  storedOrders.complete(storedOrders.begin());
  rig.found(1).act('nobody', { type: 'cancel' });
  assert.is(rig.all('lookUp').length, 2);
});

test('fifty repeats of one key at once: one look-up, one order, one answer for all', () => {
  const rig = withStock();
  const requests = Array.from({ length: 50 }, () => rig.place('K', LINE, KEYED));
  rig.found(1).found(2).turn();
  const [first, second] = rig.all('lookUp');
  assert.equal([first?.orders, second?.orders ?? ['K']], [['K'], ['K']]);
  assert.equal([...new Set(requests.map((r) => rig.replyTo(r)))], ['confirmed']);
  assert.is(rig.stockOf(A)?.onHand, 9);
});

test('repeats that come during a look-up share the next one', () => {
  const rig = withStock();
  for (const id of ['a', 'b', 'c', 'b']) rig.place(id, LINE, KEYED);
  assert.equal(
    rig.all('lookUp').map((q) => q.orders),
    [['a']],
  );
  rig.found(1);
  assert.equal(
    rig.all('lookUp').map((q) => q.orders),
    [['a'], ['b', 'c']],
  );
});

test('a look-up asks for no more ids than its limit', () => {
  const rig = new Rig();
  for (let i = 0; i <= limits.lookUpIds + 1; i++) rig.place(`${i}`, LINE, KEYED);
  rig.found(1).found(2);
  assert.equal(
    rig.all('lookUp').map((q) => q.orders.length),
    [1, limits.lookUpIds, 1],
  );
});

test('a found order gives its outcome, and nothing is decided anew', () => {
  const rig = withStock();
  const [same, other] = [rig.place('K', LINE, KEYED), rig.place('K', contentOf(), KEYED)];
  rig
    .found(1, { orders: [stored('K')] })
    .found(2, { orders: [stored('K')] })
    .turn();
  assert.equal([rig.replyTo(same), rig.replyTo(other)], ['confirmed', 'other_body']);
  assert.is(rig.stockOf(A)?.onHand, 10);
});

test('a found write is a repeat; with another body it is refused', () => {
  const rig = withStock();
  const ref = writeId('W-2');
  const writes = [{ ref, product: A, fingerprint: 'f' }];
  const [same, other] = [rig.stock(A, adjustOf(-1), KEYED), rig.stock(A, adjustOf(-1, { fingerprint: 'g' }), KEYED)];
  rig.found(1, { writes }).found(2, { writes }).turn();
  assert.equal([rig.replyTo(same), rig.replyTo(other)], ['repeat', 'other_body']);
  assert.is(rig.stockOf(A)?.onHand, 10);
});

test('the answer of an abandoned look-up is ignored (L1)', () => {
  const rig = withStock();
  const request = rig.place('K', LINE, KEYED);
  rig.node.lookUpFailed(1);
  const again = rig.place('K', LINE, KEYED);
  rig.found(1, { orders: [stored('K', [placed(LINE)])] }).turn();
  assert.equal([rig.replyTo(request), rig.replyTo(again), rig.has('K')], ['unavailable', undefined, false]);
  rig.found(2).turn();
  assert.is(rig.replyTo(again), 'confirmed');
});

test('an answer that comes twice counts once', () => {
  const rig = withStock();
  rig.place('K', LINE, KEYED);
  rig
    .found(1)
    .turn()
    .found(1, { orders: [stored('K', [placed(LINE)])] });
  assert.is(rig.world.orders.get(orderId('K'))?.state.phase, 'confirmed');
});

test('a failed look-up refuses the requests that waited for it, assumes nothing, and goes on with the rest', () => {
  const rig = withStock();
  const [first, second] = [rig.place('a', LINE, KEYED), rig.place('b', LINE, KEYED)];
  rig.node.lookUpFailed(1);
  assert.equal([rig.replyTo(first), rig.replyTo(second)], ['unavailable', undefined]);
  rig.found(2).turn();
  assert.equal([rig.replyTo(first), rig.replyTo(second), rig.has('a')], ['unavailable', 'confirmed', false]);
});

test('a row that a later owner wrote stops the decision: this node has been taken over', () => {
  const rig = withStock();
  const request = rig.place('K', LINE, KEYED);
  rig.found(1, { orders: [{ ...stored('K'), epoch: 99 }] }).turn();
  assert.equal([rig.replyTo(request), rig.has('K')], ['unavailable', false]);
});

test('the state in memory is newer than the result of a look-up', () => {
  const rig = withStock({ context: {} });
  rig.place('K', LINE);
  rig.place('other', LINE, { fresh: false, alias: orderId('K') });
  rig.turn();
  rig.found(1, { orders: [stored('K', [placed(LINE)])] });
  assert.is(rig.world.orders.get(orderId('K'))?.state.phase, 'charging');
});

// ---------------------------------------------------------------- a key that is the id of one's own order

test("a key that is the id of one of the caller's orders means that order", () => {
  const rig = withStock();
  const request = rig.place('hash', LINE, { fresh: false, alias: orderId('MINE') });
  assert.equal(rig.last('lookUp').orders, ['hash', 'MINE']);
  rig.found(1, { orders: [stored('MINE')] }).turn();
  assert.equal([rig.replyTo(request), rig.has('hash')], ['confirmed', false]);
  assert.is(rig.stockOf(A)?.onHand, 10);
});

test("a key that is the id of another's order is a key like any other", () => {
  const rig = withStock();
  const bobs = contentOf({ ...LINE, user: 'bob' as typeof LINE.user });
  const theirs = stored('THEIRS', [placed(bobs), ...CONFIRMED.slice(1)]);
  const request = rig.place('hash', LINE, { fresh: false, alias: orderId('THEIRS') });
  rig.found(1, { orders: [theirs] }).turn();
  assert.equal([rig.replyTo(request), rig.has('hash')], ['confirmed', true]);
});

test('an order that a key may mean stays in memory while that is looked up (L2)', () => {
  const rig = withStock({ context: {} });
  rig.place('MINE', LINE);
  rig.turn().catchUp();
  const stale = stored('MINE', CONFIRMED.slice(0, 2));
  const request = rig.place('hash', LINE, { fresh: false, alias: orderId('MINE') });
  for (const outcome of ['authorized', 'captured'] as const) {
    rig.paymentAnswered('MINE', outcome);
    rig.turn();
  }
  rig
    .catchUp()
    .found(1, { orders: [stale] })
    .turn();
  assert.is(rig.replyTo(request), 'confirmed', 'not as the look-up saw it');
});

test.run();
