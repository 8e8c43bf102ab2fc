/** What stays in memory, what leaves it, and what a flush contains. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { writeId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import { statementsOf } from '../../../actors/node/flush.js';
import { eventsOf } from '../../../actors/ports/snapshot-rows.js';
import type { OrderEvent } from '../../../actors/protocol.js';
import { A, adjustOf, B, held, O1, oneLine, orderAfter, placed, receiveOf } from '../actors/samples.js';
import { joinsOf, ownedWorld, Rig, worldOf } from './node-rig.js';

const test = suite('node memory');
const KEYED = { fresh: false };
const LINE = oneLine(A, 1);
const FLUSH = limits.flushEveryMs;
const WHOLE = limits.flushWholeEveryMs;
const withStock = (over: ConstructorParameters<typeof Rig>[0] = {}) => new Rig(over).receive(10, A).catchUp();

// ---------------------------------------------------------------- flushes (node.N5)

test('a flush contains what is appended, and nothing of the turn under way', () => {
  const rig = withStock();
  rig.place('1', LINE);
  rig.begin().pass(FLUSH);
  assert.is(rig.all('flush').length, 1, 'none while an append is under way');
  rig.append();
  const { flush } = rig.last('flush');
  assert.equal([flush.orders.map((o) => [o.state.id, o.version]), flush.to.n], [[['1', 4]], 3]);
});

test('a flush does not show what the turn under way does to an actor that changed before', () => {
  const rig = withStock({ context: {} });
  rig.place('0', LINE);
  rig.turn();
  rig.flushed();
  rig.place('1', LINE); // Appended before the next flush is due.
  rig.turn();
  const flushes = rig.all('flush').length;
  rig.paymentAnswered('1', 'authorized');
  rig.begin().pass(FLUSH);
  assert.is(rig.all('flush').length, flushes);
  rig.append();
  assert.equal(
    rig.flushed().orders.map((o) => [o.state.id, o.version, o.n]),
    [['1', 4, 5]],
  );
});

test('one flush is under way at a time; later changes go with the next', () => {
  const rig = withStock();
  rig.place('1', LINE);
  rig.turn().pass(FLUSH);
  rig.place('2', LINE);
  rig.turn().pass(FLUSH);
  assert.is(rig.all('flush').length, 2);
  assert.equal(
    rig.flushed().orders.map((o) => o.state.id),
    ['1'],
  );
  rig.pass(WHOLE);
  const { from, to, orders } = rig.flushed();
  assert.equal([from.n, to.n, orders.map((o) => o.state.id)], [2, 4, ['2']]);
});

test('a flush contains every event once: history, and operations with their balances', () => {
  const rig = withStock().pass(WHOLE);
  rig.place('1', LINE);
  rig.turn();
  const { orders, products, events } = rig.flushed();
  assert.equal(
    orders[0]?.history.flatMap(eventsOf).map(({ event }) => event.type),
    ['placed', 'held', 'paid', 'confirmed'],
  );
  assert.equal(
    products[0]?.operations.map((row) => [row.type, row.version, row.onHandAfter, row.heldAfter]),
    [
      ['hold', 2, 10, 1],
      ['commit', 3, 9, 0],
    ],
  );
  assert.equal([events, rig.world.unflushedEvents], [6, 0]);
});

test('a row is inserted once, and upserted afterwards', () => {
  const rig = new Rig().receive(10, A).pass(FLUSH);
  assert.is(rig.flushed().products[0]?.isNew, true);
  rig.stock(A, adjustOf(1));
  rig.turn().pass(WHOLE);
  assert.is(rig.flushed().products[0]?.isNew, false);
});

test('between two whole flushes orders are flushed alone; the journal, products and the rest follow', () => {
  const rig = withStock().pass(WHOLE);
  const place = (id: string) => {
    rig.place(id, LINE);
    rig.turn().pass(FLUSH);
    return rig.flushed();
  };
  assert.is(place('1').isWhole, true);
  const alone = place('2');
  assert.equal([alone.isWhole, alone.orders.length, alone.products.length, alone.events], [false, 1, 0, 4]);
  assert.equal(
    statementsOf(alone, true, 0).map((s) => s.kind),
    ['orders'],
  );
  assert.equal([rig.has('2'), rig.node.flushedTo.n, rig.world.unflushedEvents], [false, 3, 2]);
  rig.pass(WHOLE);
  const whole = rig.flushed();
  assert.equal([whole.orders.length, whole.products.length, whole.from.n, whole.to.n], [0, 1, 3, 4]);
  assert.equal([rig.node.flushedTo.n, rig.world.unflushedEvents], [4, 0]);
});

test('a product without a row does not wait for a whole flush: lists find its orders by its name', () => {
  const rig = withStock().pass(WHOLE);
  rig.place('0', LINE);
  rig.turn();
  rig.flushed();
  rig.receive(5, B);
  rig.place('1', oneLine(B, 1));
  rig.turn().pass(FLUSH);
  const { isWhole, products, orders } = rig.flushed();
  assert.equal([isWhole, products.map(({ state }) => state.id), orders.length], [true, [B], 1]);
});

test('many events are flushed before the time is up', () => {
  const rig = withStock();
  const receive = (ref: string) => {
    rig.stock(A, receiveOf({ ref: writeId(ref) }));
    if (rig.node.inboxSize === limits.turnCommands) rig.turn();
  };
  for (let i = 1; i < limits.flushEvents; i++) receive(`w${i}`);
  while (rig.node.wantsTurn()) rig.turn();
  assert.is(rig.all('flush').length, 1);
  receive('the last');
  rig.turn();
  assert.is(rig.all('flush').length, 2);
});

test('a statement is bounded, an order is never split, products go first and the partition rows last (R2)', () => {
  const rig = withStock().pass(WHOLE);
  for (let i = 0; i < limits.flushOrders + 5; i++) rig.place(`${i}`, LINE);
  rig.turn();
  const statements = statementsOf(rig.last('flush').flush, true, 0);
  assert.equal(
    statements.map((s) => (s.kind === 'last' ? 'last' : `${s.kind} ${s.rows.length}`)),
    ['products 1', 'orders 400', 'orders 5', 'last'],
  );
});

test('each partition writes its row once after its join, with the journal and its epoch (hazard 2)', () => {
  const rig = new Rig({}, worldOf([]));
  const world = worldOf([3, 5], 7);
  rig.node.join(world, joinsOf(world));
  rig.turn();
  const { isWhole, partitions } = rig.flushed();
  assert.is(isWhole, true);
  assert.equal(
    partitions.map(({ partition, epoch, journal }) => [partition, epoch, journal]),
    [
      [3, 7, 'J1'],
      [5, 7, 'J1'],
    ],
  );
  rig.node.flushAll();
  assert.equal(rig.hear().flushed().partitions, []);
});

// ---------------------------------------------------------------- leaving (world.W2)

test('an order that is settled and flushed leaves memory; its product stays', () => {
  const rig = withStock();
  rig.place('1', LINE);
  rig.turn().pass(FLUSH);
  assert.ok(rig.has('1'), 'its flush is not acknowledged');
  rig.flushed();
  assert.equal([rig.has('1'), rig.stockOf(A)?.onHand], [false, 9]);
});

test('an order that leaves memory is reported once, at that moment', () => {
  const left: string[] = [];
  const rig = withStock({ onLeft: (order) => void left.push(order) });
  rig.place('1', LINE);
  rig.turn().pass(FLUSH);
  assert.equal(left, []);
  rig.flushed();
  assert.equal([left, rig.has('1')], [['1'], false]);
  rig.pass(FLUSH);
  assert.is(left.length, 1);
});

test('an order that is owed something stays, flushed or not', () => {
  const rig = withStock({ context: {} });
  rig.place('1', LINE);
  rig.turn().pass(FLUSH);
  rig.flushed();
  assert.ok(rig.has('1'), 'charging');
  rig.paymentAnswered('1', 'authorized');
  rig.turn().pass(FLUSH);
  rig.flushed();
  assert.ok(rig.has('1'), 'not captured');
  rig.paymentAnswered('1', 'captured');
  rig.turn().pass(FLUSH);
  rig.flushed();
  assert.not(rig.has('1'));
});

test('an order that changed again after its flush was collected stays', () => {
  const rig = withStock({ context: {} });
  rig.place('1', LINE);
  rig.turn().pass(FLUSH);
  rig.paymentAnswered('1', 'declined');
  rig.turn();
  rig.paymentAnswered('1', 'voided');
  rig.turn();
  rig.flushed();
  assert.ok(rig.has('1'));
});

test('an order with a waiting request does not leave before the answer (L2)', () => {
  const rig = withStock();
  rig.place('1', LINE);
  rig.turn().pass(FLUSH);
  const repeat = rig.place('1', LINE, KEYED);
  rig.place('2', LINE); // Gives the repeat's turn an append.
  rig.begin();
  rig.flushed();
  rig.pass(1);
  assert.ok(rig.has('1'));
  rig.append();
  assert.is(rig.replyTo(repeat), 'confirmed');
  rig.pass(FLUSH);
  rig.flushed();
  assert.not(rig.has('1'));
});

test('an order that was only looked up leaves again', () => {
  const rig = withStock();
  rig.place('1', LINE);
  rig.turn().pass(FLUSH);
  const { orders } = rig.flushed();
  rig.place('1', LINE, KEYED);
  rig.found(1, { orders }).turn();
  assert.ok(rig.has('1'));
  rig.pass(1);
  assert.not(rig.has('1'));
});

test('a settled order that a start loaded leaves again', () => {
  const world = ownedWorld();
  const story: OrderEvent[] = [
    placed(LINE),
    { type: 'held', answers: [held(A)], currency: 'USD', total: 500 },
    { type: 'paid', captured: true },
    { type: 'confirmed' },
  ];
  const stored = { state: orderAfter(story), version: 4, flushedVersion: 4 };
  world.orders.set(O1, Object.assign(world.newOrder(O1), stored));
  assert.not(new Rig({}, world).has(O1));
});

test('memory is bounded: after many orders only the products are left', () => {
  const rig = new Rig().receive(100_000, A, B);
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 200; i++) rig.place(`${round}-${i}`, oneLine(i % 2 ? A : B, 1));
    rig.turn().pass(FLUSH);
    rig.flushed();
  }
  rig.flushed();
  assert.equal([rig.world.orders.size, rig.world.products.size, rig.world.changedOrders.size], [0, 2, 0]);
});

// ---------------------------------------------------------------- writes over a restart

test('a write that a replay brought back is a repeat before Postgres knows it', () => {
  const world = ownedWorld();
  const event = { of: { kind: 'product', id: A }, version: 1, event: { ...receiveOf(), type: 'received' } } as const;
  world.replay(event, { epoch: 1, n: 5 }, 0, 'c');
  const rig = new Rig({}, world);
  const request = rig.stock(A, receiveOf(), KEYED);
  rig.found(1).turn();
  assert.equal([rig.replyTo(request), rig.stockOf(A)?.onHand], ['repeat', 10]);
});

test.run();
