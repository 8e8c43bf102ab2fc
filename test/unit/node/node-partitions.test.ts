/** Partitions join, freeze, thaw, are released and leave, while the rest of the journal goes on. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId, orderId, partitionOf, productId, writeId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import type { Join } from '../../../actors/node/record.js';
import { A, adjustOf, B, hold, oneLine, orderAfter, placed, productAfter, receiveOf } from '../actors/samples.js';
import { joinsOf, orderIn, ownedWorld, productIn, Rig, worldOf } from './node-rig.js';

const test = suite('node partitions');
const WHOLE = limits.flushWholeEveryMs;
const KEYED = { fresh: false };
const only = (partition: number) => new Set([partition]);
/** The whole reply, for its marks. */
const reply = (rig: Rig, request: number) =>
  rig
    .hear()
    .told.flatMap((e) =>
      (e.kind === 'replyPlace' || e.kind === 'replyAct' || e.kind === 'replyStock') && e.request === request
        ? [e.reply]
        : [],
    )[0];
const isMoved = (rig: Rig, request: number) => {
  const told = reply(rig, request);
  return told?.kind === 'unavailable' && told.moved === true;
};
const received = (product = A) =>
  ({ state: productAfter([{ ...receiveOf(), type: 'received' }], product), version: 1, epoch: 1, n: 1 }) as const;

/** Freezes a partition, and flushes until it may be released. */
const released = (rig: Rig, partition: number): Rig => {
  rig.node.lives.freeze(partition);
  rig.catchUp();
  rig.node.leave(only(partition));
  return rig.hear();
};

// ---------------------------------------------------------------- joining (node.N8)

test('a node starts empty: what is asked of it is of another node', () => {
  const rig = new Rig({}, worldOf([]));
  const requests = [rig.place('K', oneLine(A, 1)), rig.act('K', { type: 'cancel' }), rig.stock(A, receiveOf())];
  assert.equal(
    requests.map((request) => isMoved(rig, request)),
    [true, true, true],
  );
  assert.not(rig.node.wantsTurn());
  assert.equal([rig.node.sights.order(orderId('K')).kind, rig.node.sights.product(A).kind], ['elsewhere', 'elsewhere']);
  assert.is(rig.node.sights.isFlushed(orderId('K')), undefined);
});

test('a join is a record of its own kind: with its epoch, and with what EVENTS must have before', () => {
  const rig = new Rig({}, worldOf([]));
  const joins: Join[] = [{ partition: 3, epoch: 7, after: [[journalId('J0'), 4]] }];
  rig.node.join(worldOf([3], 7), joins);
  rig.begin();
  assert.equal([rig.lastRecord.joins, rig.lastRecord.parts], [joins, { 3: { epoch: 7 } }]);
  assert.equal(rig.last('append').joins, joins);
  assert.is(rig.node.world.epochOf(3), undefined, 'it runs only once that is appended');
  rig.append();
  assert.is(rig.node.world.epochOf(3), 7);
});

test('the partitions that run go on in the same turn as the join of another', () => {
  const rig = new Rig({}, worldOf([1]));
  const near = productIn(rig.world, 1);
  const world = worldOf([2], 5);
  const request = rig.stock(near, receiveOf());
  rig.node.join(world, joinsOf(world));
  rig.turn();
  assert.equal(rig.lastRecord.parts, { 1: { epoch: 1 }, 2: { epoch: 5 } });
  assert.is(rig.replyTo(request), 'done');
});

test('what a partition brings begins with its join: timers, payments owed, stock to give out', () => {
  const world = worldOf([1]);
  const [order, product] = [orderIn(world, 1), productIn(world, 1)];
  const charging = orderAfter([
    placed(oneLine(product, 2)),
    {
      type: 'held',
      answers: [{ product, answer: 'held', unitPrice: 100, currency: 'USD' }],
      currency: 'USD',
      total: 200,
    },
  ]);
  world.loadOrder({ state: { ...charging, id: order }, version: 2, epoch: 1, n: 1 });
  const held = { type: 'held', order, quantity: 2 } as const;
  const stock = productAfter([{ ...receiveOf(), type: 'received' }, held], product);
  world.loadProduct({ state: stock, version: 2, epoch: 1, n: 1 });
  const rig = new Rig({ context: {} }, worldOf([2]));
  rig.pass(5_000);
  rig.node.join(world, joinsOf(world));
  assert.equal(rig.hear().all('pay'), []);
  rig.turn();
  assert.equal(
    rig.all('pay').map((pay) => pay.order),
    [order],
  );
  rig.pass(500).pass(400).turn();
  assert.is(rig.last('pay').operation, 'authorize');
  rig.pass(200).turn();
  assert.is(rig.last('pay').operation, 'void', 'its time began with the join');
});

test("a replayed write is remembered past a flush of the join's own n that began before it", () => {
  const rig = new Rig({}, worldOf([1]));
  const world = worldOf([2]);
  const product = productIn(world, 2);
  const event = {
    of: { kind: 'product', id: product },
    version: 1,
    event: { ...receiveOf(), type: 'received' },
  } as const;
  world.replay(event, { epoch: 1, n: 5 }, 0, 'c');
  rig.stock(productIn(rig.world, 1), receiveOf({ ref: writeId('other') }));
  rig.turn().pass(WHOLE);
  assert.ok(rig.node.isFlushing);
  rig.node.join(world, joinsOf(world));
  rig.turn().flushed();
  const request = rig.stock(product, receiveOf(), KEYED);
  rig.found(rig.last('lookUp').number).turn();
  assert.is(rig.replyTo(request), 'repeat');
});

test('a letter that had its effect while its receiver was elsewhere is confirmed once both are here', () => {
  const rig = new Rig({}, worldOf([1]));
  const { channels } = rig.world.mustOwn(1);
  const letter = { from: 1, to: 2, number: 1, correlation: 'c', letter: hold(A, 2) };
  channels.add(letter);
  channels.appended(letter);
  const world = worldOf([2], 5);
  world.mustOwn(2).channels.moveSeen(1, 1);
  rig.node.join(world, joinsOf(world));
  rig.turn();
  assert.equal(channels.unconfirmed(), []);
});

test('no time of a turn is before what a partition brings', () => {
  const rig = new Rig({}, worldOf([1]));
  const world = worldOf([2]);
  world.hasBeen(rig.wallMs + 60_000);
  rig.node.join(world, joinsOf(world));
  rig.turn();
  assert.ok(rig.lastRecord.at >= rig.wallMs + 60_000);
});

// ---------------------------------------------------------------- frozen (partition-life.Q2)

test('a frozen partition decides nothing; its commands wait, and have their effect after the thaw', () => {
  const rig = new Rig().receive(10, A, B);
  const mine = partitionOf('product', A, 16);
  const request = rig.stock(A, adjustOf(-1));
  rig.node.lives.freeze(mine);
  const later = rig.stock(A, adjustOf(-2, { ref: writeId('later') }));
  const other = rig.stock(B, adjustOf(-1, { ref: writeId('other') }));
  rig.turn().pass(1_000).turn();
  assert.equal(
    [request, later, other].map((each) => rig.replyTo(each)),
    [undefined, undefined, 'done'],
  );
  assert.is(rig.stockOf(A)?.onHand, 10);
  rig.node.lives.thaw(mine);
  rig.turn();
  assert.equal([rig.replyTo(request), rig.replyTo(later), rig.stockOf(A)?.onHand], ['done', 'done', 7]);
});

test('a frozen partition takes no letter; it is repeated, and counts after the thaw', () => {
  const rig = new Rig({ deliverAtHome: false });
  const [order, product] = [orderIn(rig.world, 1), productIn(rig.world, 2)];
  rig.receive(10, product);
  const letter = { from: 1, to: 2, number: 1, correlation: 'c', letter: hold(product, 3, order) };
  rig.node.letter(letter);
  rig.node.lives.freeze(2);
  rig.turn();
  rig.node.lives.thaw(2);
  assert.equal([rig.stockOf(product)?.held, rig.turn().stockOf(product)?.held], [0, 0], 'dropped');
  rig.node.letter(letter);
  assert.is(rig.turn().stockOf(product)?.held, 3);
});

test('a frozen partition reads as before', () => {
  const rig = new Rig().receive(10, A);
  rig.node.lives.freeze(partitionOf('product', A, 16));
  assert.is(rig.node.sights.product(A).kind, 'now');
});

test('more commands than may be parked are refused, without a claim that the partition moved', () => {
  const rig = new Rig().receive(10, A);
  rig.node.lives.freeze(partitionOf('product', A, 16));
  const ref = (i: number) => ({ ref: writeId(`W${i}`) });
  for (let i = 0; i < limits.parkedCommands; i++) {
    rig.stock(A, adjustOf(1, ref(i)));
    if (i % limits.turnCommands === 0) rig.turn();
  }
  while (rig.node.inboxSize > 0) rig.turn();
  const request = rig.stock(A, adjustOf(1, ref(-1)));
  rig.turn();
  assert.equal([rig.replyTo(request), isMoved(rig, request)], ['unavailable', false]);
});

// ---------------------------------------------------------------- released (partition-life.Q3)

test('a release waits for the append under way and for its flush, and names a flushed n (hazard 7)', () => {
  const rig = new Rig().receive(10, A).catchUp();
  const mine = partitionOf('product', A, 16);
  assert.is(rig.node.releasable(mine), undefined, 'it is not frozen');
  rig.stock(A, adjustOf(-1));
  rig.begin();
  rig.node.lives.freeze(mine);
  assert.is(rig.node.releasable(mine), undefined, 'an append is under way');
  rig.append();
  assert.is(rig.node.releasable(mine), undefined, 'it is not flushed');
  rig.pass(WHOLE);
  assert.is(rig.node.releasable(mine), undefined, 'the flush is under way');
  rig.flushed();
  assert.is(rig.node.releasable(mine), rig.node.flushedTo.n);
  assert.is(rig.node.flushedTo.n, rig.lastRecord.n);
});

test('others may append meanwhile: a release needs only the last record of its own partition', () => {
  const rig = new Rig().receive(10, A, B).catchUp();
  const mine = partitionOf('product', A, 16);
  rig.node.lives.freeze(mine);
  const n = rig.node.flushedTo.n;
  rig.stock(B, adjustOf(-1));
  rig.turn();
  rig.stock(B, adjustOf(-1, { ref: writeId('again') }));
  rig.begin();
  assert.is(rig.node.releasable(mine), n);
});

test('confirmations do not change the row of a frozen partition', () => {
  const rig = new Rig({ deliverAtHome: false });
  const [order, product] = [orderIn(rig.world, 1), productIn(rig.world, 2)];
  rig.place(order, oneLine(product, 1));
  rig.turn().catchUp();
  rig.node.lives.freeze(1);
  rig.node.confirmed({ from: 1, to: 2, upTo: 1 });
  assert.equal([rig.world.mustOwn(1).channels.waiting(2), rig.world.mustOwn(1).channels.dirty], [1, false]);
  rig.node.lives.thaw(1);
  rig.node.confirmed({ from: 1, to: 2, upTo: 1 });
  assert.is(rig.world.mustOwn(1).channels.waiting(2), 0);
});

// ---------------------------------------------------------------- left (partition-life.Q4)

test('what leaves is gone: actors, and what is asked of them', () => {
  const rig = new Rig({ context: {} });
  const [order, product] = [orderIn(rig.world, 1), productIn(rig.world, 1)];
  rig.receive(10, product);
  rig.place(order, oneLine(product, 2));
  rig.turn();
  released(rig, 1);
  assert.equal([rig.has(order), rig.world.products.has(product), rig.world.owned.has(1)], [false, false, false]);
  const requests = [
    rig.place(order, oneLine(product, 1)),
    rig.act(order, { type: 'cancel' }),
    rig.stock(product, receiveOf()),
  ];
  assert.equal(
    requests.map((request) => isMoved(rig, request)),
    [true, true, true],
  );
  rig.pass(10_000).turn();
  assert.is(rig.node.sights.order(order).kind, 'elsewhere');
});

test('every request that waits for its partition is answered as moved: parked, in the inbox, looked up, undecided', () => {
  const rig = new Rig({ context: {} });
  const [order, product] = [orderIn(rig.world, 1), productIn(rig.world, 1)];
  rig.receive(10, product).catchUp();
  const undecided = rig.place(order, oneLine(product, 2));
  rig.turn().catchUp();
  rig.node.lives.freeze(1);
  const parked = rig.stock(product, adjustOf(1));
  rig.turn();
  const lookedUp = [rig.act(orderIn(rig.world, 1, 1), { type: 'cancel' }), rig.stock(product, adjustOf(1), KEYED)];
  const inInbox = rig.stock(product, adjustOf(2, { ref: writeId('w') }));
  const elsewhere = rig.act(orderIn(rig.world, 2), { type: 'cancel' });
  rig.node.leave(only(1));
  for (const request of [undecided, parked, ...lookedUp, inInbox]) assert.ok(isMoved(rig, request), `${request}`);
  assert.is(rig.replyTo(elsewhere), undefined);
  const first = rig.all('lookUp').at(0);
  rig
    .found(first?.number ?? 0)
    .found(rig.last('lookUp').number)
    .turn();
  assert.is(rig.replyTo(elsewhere), 'unknown_order', 'the others go on');
});

test('a reply of the turn under way is not given for a partition that leaves', () => {
  const rig = new Rig().receive(10, A, B).catchUp();
  const mine = partitionOf('product', A, 16);
  const write = adjustOf(-1, { ref: writeId('w') });
  rig.stock(A, write);
  rig.turn().catchUp();
  const repeat = rig.stock(A, write, KEYED);
  const other = rig.stock(B, adjustOf(-1));
  rig.found(rig.last('lookUp').number, { writes: [{ ref: write.ref, product: A, fingerprint: write.fingerprint }] });
  rig.begin();
  rig.node.lives.freeze(mine);
  rig.node.leave(only(mine));
  rig.append();
  assert.equal([isMoved(rig, repeat), rig.replyTo(other)], [true, 'done']);
});

test('an answer to a look-up counts only at the epoch at which it was asked (hazard 6)', () => {
  const rig = new Rig();
  const order = orderIn(rig.world, 1);
  rig.act(order, { type: 'cancel' });
  const { number } = rig.last('lookUp');
  released(rig, 1);
  rig.join(worldOf([1], 3));
  const stored = { state: { ...orderAfter([placed(oneLine(A, 2))]), id: order }, version: 1, epoch: 1, n: 1 };
  rig.found(number, { orders: [stored] });
  assert.not(rig.has(order));
  const again = rig.act(order, { type: 'cancel' });
  assert.is(rig.last('lookUp').number, number + 1);
  rig.found(number + 1).turn();
  assert.is(rig.replyTo(again), 'unknown_order');
});

test('a partition comes back to the same journal with what the next owner did', () => {
  const rig = new Rig().receive(10, A).catchUp();
  const mine = partitionOf('product', A, 16);
  released(rig, mine);
  const world = worldOf([mine], 3);
  world.loadProduct({ ...received(), epoch: 2, n: 1 });
  rig.join(world);
  const request = rig.stock(A, adjustOf(-4));
  rig.turn();
  assert.equal([rig.replyTo(request), rig.stockOf(A)?.onHand], ['done', 6]);
  assert.equal(rig.lastRecord.parts, { [mine]: { epoch: 3 } });
});

test('all partitions may leave at once', () => {
  const rig = new Rig().receive(10, A, B).catchUp();
  const all = new Set(Array(16).keys());
  for (const partition of all) rig.node.lives.freeze(partition);
  rig.node.leave(all);
  assert.equal([rig.world.products.size, rig.world.owned.size], [0, 0]);
});

test('a late answer of the provider for an order that left changes nothing', () => {
  const rig = new Rig({ context: {} });
  const [order, product] = [orderIn(rig.world, 1), productIn(rig.world, 1)];
  rig.receive(10, product);
  rig.place(order, oneLine(product, 2));
  rig.turn();
  const { ref } = rig.last('pay');
  assert.ok(rig.node.owes(order, ref));
  released(rig, 1);
  assert.not(rig.node.owes(order, ref));
  rig.paymentAnswered(order, 'authorized');
  assert.not(rig.node.wantsTurn());
});

// ---------------------------------------------------------------- a key that is an order's id of another partition

const ofPartition = (partition: number, prefix: string): ReturnType<typeof orderId> => {
  for (let i = 0; ; i++) {
    const id = orderId(prefix + String(i).padStart(30 - prefix.length, '0'));
    if (partitionOf('order', id, 16) === partition) return id;
  }
};

test('a key that may be an order of another node: the edge hears which order to ask for first', () => {
  const rig = new Rig({}, worldOf([1]));
  const order = orderIn(rig.world, 1);
  const alias = ofPartition(2, 'ORD-4');
  const request = rig.place(order, oneLine(A, 1), { ...KEYED, alias });
  const { number, orders } = rig.last('lookUp');
  assert.equal([...orders].sort(), [alias, order].sort());
  rig.found(number);
  const told = reply(rig, request);
  assert.equal([told?.kind, told?.kind === 'unavailable' && told.alias], ['unavailable', alias]);
  assert.not(rig.node.wantsTurn());
  const without = rig.place(order, oneLine(A, 1), KEYED);
  rig.found(number + 1).turn();
  assert.is(rig.replyTo(without), undefined, 'without it the order is placed');
  assert.ok(rig.has(order));
});

test("a key of another form is an imported order's id, if Postgres has such an order of the same user", () => {
  const rig = new Rig({}, worldOf([1]));
  const order = orderIn(rig.world, 1);
  const alias = ofPartition(2, 'theirs-');
  const stored = (user: string) => {
    const state = { ...orderAfter([placed(oneLine(A, 2))]), id: alias };
    return { state: { ...state, content: { ...state.content, user: user as never } }, version: 1, epoch: 1, n: 1 };
  };
  const { user } = oneLine(A, 1);
  const request = rig.place(order, oneLine(A, 1), { ...KEYED, alias });
  rig.found(rig.last('lookUp').number, { orders: [stored(user)] });
  const told = reply(rig, request);
  assert.is(told?.kind === 'unavailable' && told.alias, alias);
  assert.not(rig.world.orders.has(alias), 'it is of another node');
  rig.place(order, oneLine(A, 1), { ...KEYED, alias });
  rig.found(rig.last('lookUp').number, { orders: [stored('somebody-else')] }).turn();
  assert.ok(rig.has(order));
});

test('a repeat needs no look at the key', () => {
  const rig = new Rig({}, worldOf([1]));
  const order = orderIn(rig.world, 1);
  rig.place(order, oneLine(productId('none'), 1));
  rig.turn();
  rig.place(order, oneLine(productId('none'), 1), { ...KEYED, alias: ofPartition(2, 'ORD-4') });
  rig.turn();
  assert.equal([rig.all('lookUp').length, rig.all('accepted').length], [0, 2]);
});

test('a system may have one partition', () => {
  const rig = new Rig({}, ownedWorld(1)).receive(10, A);
  const request = rig.place('K', oneLine(A, 1));
  rig.turn();
  assert.is(rig.replyTo(request), 'confirmed');
});

test('where others reach the journal, what is told without a record waits for an append too (N2)', () => {
  const rig = new Rig({ appendsAnswers: true }).receive(10, A);
  const write = adjustOf(-1, { ref: writeId('w') });
  rig.stock(A, write);
  rig.turn();
  const repeat = rig.stock(A, write, KEYED);
  rig.found(rig.last('lookUp').number, { writes: [{ ref: write.ref, product: A, fingerprint: write.fingerprint }] });
  rig.begin();
  assert.equal([rig.replyTo(repeat), rig.node.isAppending, rig.lastRecord.cascades], [undefined, true, []]);
  rig.append();
  assert.is(rig.replyTo(repeat), 'repeat');
  rig.node.lives.freeze(partitionOf('product', A, 16));
  rig.stock(A, adjustOf(-1, { ref: writeId('parked') }));
  assert.not(rig.begin().node.isAppending, 'nothing is told');
});

test.run();
