/** Time and money are inputs: what expires, what is owed to a provider, and what is unavailable for now. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { orderId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import { Timers } from '../../../actors/node/timers.js';
import { A, adjustOf, oneLine } from '../actors/samples.js';
import { ownedWorld, Rig } from './node-rig.js';

const test = suite('node time');
const ASKED = { context: {} };
const K = orderId('K');
const charging = () => {
  const rig = new Rig(ASKED).receive(10, A);
  const request = rig.place(K, oneLine(A, 3));
  return { rig: rig.turn(), request };
};
/** A node that starts with the state of this one. */
const restarted = (rig: Rig) => {
  const world = ownedWorld();
  for (const [id, { state, version }] of rig.world.orders)
    world.orders.set(id, Object.assign(world.newOrder(id), { state, version, flushedVersion: version }));
  return new Rig(ASKED, world);
};
const paid = (rig: Rig) => rig.all('pay').map(({ operation, minor, currency }) => `${operation} ${minor} ${currency}`);

// ---------------------------------------------------------------- timers (node.N6)

test('an order that is not paid in time fails, and releases its holds', () => {
  const { rig, request } = charging();
  rig.pass(400).pass(400).turn();
  assert.is(rig.replyTo(request), undefined);
  rig.pass(200).turn();
  assert.equal([rig.replyTo(request), rig.stockOf(A)], ['failed', { onHand: 10, held: 0 }]);
});

test('a pause of the process does not expire an order: only a step of it counts', () => {
  const { rig, request } = charging();
  rig.pass(3_600_000).turn();
  assert.is(rig.replyTo(request), undefined);
  rig.pass(500).turn();
  assert.is(rig.replyTo(request), 'failed');
});

test('time in which an append is stuck does not expire an order', () => {
  const { rig, request } = charging();
  for (let i = 0; i < 100; i++) rig.pass(100, false);
  assert.not(rig.node.wantsTurn());
  for (let i = 0; i < 10; i++) rig.pass(100);
  assert.is(rig.turn().replyTo(request), 'failed');
});

test('a clock that goes back takes no time away', () => {
  const timers = new Timers();
  const timer = { order: K, what: 'timeOut', dueMs: 100 } as const;
  timers.set(timer);
  for (const ms of [0, 90, 20, 29]) timers.advance(ms, true);
  assert.equal(timers.due(9), []);
  timers.advance(30, true);
  assert.equal(timers.due(9), [timer]);
});

test('the first due deadlines come first, and no more at once than requested', () => {
  const timers = new Timers();
  timers.advance(0, true);
  for (const dueMs of [30, 10, 101, 20]) timers.set({ order: orderId(`${dueMs}`), what: 'timeOut', dueMs });
  timers.advance(100, true);
  const due = () => timers.due(2).map(({ order }) => order);
  assert.equal([due(), due(), due()], [['10', '20'], ['30'], []]);
});

test('an order with an outcome is not timed out any more', () => {
  const { rig } = charging();
  rig.paymentAnswered(K, 'authorized');
  rig.turn().pass(500).pass(500);
  assert.not(rig.node.wantsTurn());
});

test('after a start the timers of pending orders begin again', () => {
  const { rig } = charging();
  const again = restarted(rig).pass(500);
  assert.not(again.node.wantsTurn());
  assert.ok(again.pass(500).node.wantsTurn());
});

// ---------------------------------------------------------------- payments

test('the provider is called only after the hold is appended, and once', () => {
  const rig = new Rig(ASKED).receive(10, A);
  rig.place(K, oneLine(A, 3));
  rig.begin();
  assert.equal(paid(rig), []);
  rig.append().pass(100);
  assert.equal(paid(rig), ['authorize 1500 USD']);
});

test('authorized, confirmed, captured', () => {
  const { rig, request } = charging();
  rig.paymentAnswered(K, 'authorized');
  rig.turn();
  assert.equal([rig.replyTo(request), paid(rig)], ['confirmed', ['authorize 1500 USD', 'capture 1500 USD']]);
  rig.paymentAnswered(K, 'captured');
  rig.turn();
  assert.is(paid(rig).length, 2);
});

test('declined: failed, and voided, with or without an answer', () => {
  const { rig, request } = charging();
  rig.paymentAnswered(K, 'declined');
  rig.turn();
  assert.equal([rig.replyTo(request), paid(rig).at(-1)], ['failed', 'void 1500 USD']);
});

test('timed out while the provider is called: voided; its late authorization changes nothing', () => {
  const { rig } = charging();
  rig.pass(500).pass(500).turn();
  assert.is(paid(rig).at(-1), 'void 1500 USD');
  rig.node.paymentAnswered(K, 'authorize', `${K}:authorize`, 'authorized');
  rig.turn();
  assert.equal([rig.world.orders.get(K)?.state.phase, rig.stockOf(A)], ['failed', { onHand: 10, held: 0 }]);
  rig.paymentAnswered(K, 'voided');
  rig.turn();
  assert.is(rig.world.orders.get(K)?.state.payment, 'voided');
});

test('an operation owed to a provider is still owed after a start', () => {
  const { rig } = charging();
  assert.equal(paid(restarted(rig)), ['authorize 1500 USD']);
});

test('an answer about an unknown order is ignored', () => {
  const rig = new Rig();
  rig.node.paymentAnswered(K, 'authorize', `${K}:authorize`, 'authorized');
  assert.not(rig.node.wantsTurn());
});

// ---------------------------------------------------------------- waiting clients

test('all waiting clients get the outcome; one that has left does not', () => {
  const { rig, request } = charging();
  const [second, gone] = [rig.place(K, oneLine(A, 3), { fresh: false }), rig.place(K, oneLine(A, 3), { fresh: false })];
  rig.turn();
  rig.node.abandon(gone, K);
  rig.paymentAnswered(K, 'authorized');
  rig.turn();
  assert.equal(
    [request, second, gone].map((r) => rig.replyTo(r)),
    ['confirmed', 'confirmed', undefined],
  );
});

// ---------------------------------------------------------------- limits (node.N7)

test('a full inbox answers "not now", and accepts again once it has room', () => {
  const rig = new Rig().receive(10, A);
  for (let i = 0; i < limits.inboxCommands; i++) rig.node.probe(-1 - i);
  const [order, write] = [rig.place('1', oneLine(A, 1)), rig.stock(A, adjustOf(1))];
  assert.equal([rig.replyTo(order), rig.replyTo(write)], ['unavailable', 'unavailable']);
  rig.turn();
  const later = rig.place('2', oneLine(A, 1));
  while (rig.node.wantsTurn()) rig.turn();
  assert.is(rig.replyTo(later), 'confirmed');
});

test('too much that is not flushed yet: "not now"', () => {
  const rig = new Rig().receive(10, A);
  rig.world.unflushedEvents = limits.unflushedEvents;
  assert.is(rig.replyTo(rig.place('1', oneLine(A, 1))), 'unavailable');
});

test('too many look-ups waiting: "not now"', () => {
  const rig = new Rig();
  for (let i = 0; i < limits.lookUpsWaiting; i++) rig.place(`${i}`, oneLine(A, 1), { fresh: false });
  assert.is(rig.replyTo(rig.place('one more', oneLine(A, 1), { fresh: false })), 'unavailable');
});

test.run();
