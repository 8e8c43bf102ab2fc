/** Acts on a placed order in the node: looked up, decided once, answered after the append. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { orderId, userId, writeId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import type { StoredOrder } from '../../../actors/ports/snapshot-rows.js';
import type { OrderEvent } from '../../../actors/protocol.js';
import { A, ANN, held, oneLine, orderAfter, placed, receiveOf } from '../actors/samples.js';
import { Rig } from './node-rig.js';

const test = suite('node acts');
const LINE = oneLine(A, 2);
const PAID: OrderEvent[] = [
  placed(LINE),
  { type: 'held', answers: [held(A)], currency: 'USD', total: 1000 },
  { type: 'paid', captured: true },
  { type: 'confirmed' },
];
const stored = (id: string): StoredOrder => ({
  ...{ state: orderAfter(PAID, orderId(id)), version: PAID.length },
  ...{ epoch: 1, n: 1 },
});
const named = (ref: string, fingerprint = 'f') => ({ ref: writeId(ref), fingerprint });
/** A confirmed order of two of A, which had ten. */
const confirmed = (over: ConstructorParameters<typeof Rig>[0] = {}) => {
  const rig = new Rig(over).receive(10, A);
  rig.place('1', LINE);
  return rig.turn();
};
const stateOf = (rig: Rig, request: number) => {
  const told = rig.all('replyAct').find((each) => each.request === request)?.reply;
  return told === undefined || told.kind === 'unavailable' ? undefined : told.state;
};

test('an act is answered after its append, with the state of the order at that time', () => {
  const rig = confirmed();
  const request = rig.act('1', { type: 'ship' });
  rig.begin();
  assert.is(rig.replyTo(request), undefined);
  rig.append();
  assert.equal([rig.replyTo(request), stateOf(rig, request)?.phase], ['done', 'shipped']);
});

test('a cancelled order is answered, its refund made and its stock returned in one append', () => {
  const rig = confirmed();
  const request = rig.act('1', { type: 'cancel' });
  rig.turn();
  assert.equal([rig.replyTo(request), stateOf(rig, request)?.payment], ['done', 'refunded']);
  assert.equal(rig.stockOf(A), { onHand: 10, held: 0 });
  assert.equal(
    rig.lastRecord.cascades[0]?.events.map((e) => `${e.of.id} ${e.event.type}`),
    ['1 cancelled', '1 refund_requested', '1 refunded', 'A returned'],
  );
});

test('an order that is not in memory is looked up first; one that is not found is unknown', () => {
  const rig = new Rig().receive(10, A);
  const [known, other] = [rig.act('K', { type: 'ship' }), rig.act('none', { type: 'ship' })];
  rig.turn();
  assert.equal([rig.replyTo(known), rig.last('lookUp').orders], [undefined, ['K']]);
  rig
    .found(1, { orders: [stored('K')] })
    .found(2)
    .turn();
  assert.equal([rig.replyTo(known), rig.replyTo(other)], ['done', 'unknown_order']);
  assert.is(stateOf(rig, other), undefined);
});

test('a look-up without an answer: unavailable, and nothing is assumed', () => {
  const rig = new Rig();
  const request = rig.act('K', { type: 'ship' });
  rig.node.lookUpFailed(1);
  assert.is(rig.replyTo(request), 'unavailable');
});

test("another user's order is unknown, also in the text of the refusal", () => {
  const rig = confirmed();
  const [bob, ann] = [
    rig.act('1', { type: 'cancel' }, { user: userId('bob') }),
    rig.act('1', { type: 'ship' }, { user: ANN }),
  ];
  rig.turn();
  assert.equal([rig.replyTo(bob), stateOf(rig, bob)], ['unknown_order', undefined]);
  assert.is(rig.replyTo(ann), 'done');
});

test('only an order at the requested version is changed; the refusal has its version', () => {
  const rig = confirmed();
  const [old, now] = [
    rig.act('1', { type: 'ship' }, { ifVersions: [3] }),
    rig.act('1', { type: 'ship' }, { ifVersions: [4] }),
  ];
  rig.turn();
  assert.equal([rig.replyTo(old), rig.replyTo(now)], ['changed', 'done']);
  assert.is(rig.world.orders.get(orderId('1'))?.state.version, 5);
});

test('a condition may have several versions, or versions to exclude', () => {
  const rig = confirmed();
  const ask = (condition: object) => rig.act('1', { type: 'ship' }, condition);
  const refused = [
    ask({ ifVersions: [] }),
    ask({ ifVersions: [3, 5] }),
    ask({ unlessVersions: 'any' }),
    ask({ unlessVersions: [3, 4] }),
  ];
  const done = rig.act('1', { type: 'ship' }, { ifVersions: [3, 4], unlessVersions: [3, 5] });
  rig.turn();
  for (const request of refused) assert.is(rig.replyTo(request), 'changed');
  assert.is(rig.replyTo(done), 'done');
});

test('a repeat is recognized with any condition, also in the turn of the first request', () => {
  const rig = confirmed();
  const ship = { type: 'ship', act: named('K') } as const;
  const asked = [rig.act('1', ship, { ifVersions: [4] }), rig.act('1', ship, { ifVersions: [4] })];
  rig.turn();
  asked.push(rig.act('1', ship, { ifVersions: [4] }));
  rig.turn();
  assert.equal(
    asked.map((request) => rig.replyTo(request)),
    ['done', 'repeat', 'repeat'],
  );
  const other = rig.act('1', { ...ship, act: named('K', 'g') });
  rig.turn();
  assert.is(rig.replyTo(other), 'other_body');
});

test('of a cancellation and a shipment at once one wins, and the other gets the state of the order', () => {
  for (const [first, second] of [
    ['cancel', 'ship'],
    ['ship', 'cancel'],
  ] as const) {
    const rig = confirmed();
    const [wins, loses] = [rig.act('1', { type: first }), rig.act('1', { type: second })];
    rig.turn();
    assert.equal([rig.replyTo(wins), rig.replyTo(loses)], ['done', 'illegal_transition']);
    assert.is(stateOf(rig, loses)?.phase, first === 'cancel' ? 'cancelled' : 'shipped');
  }
});

test('a client that waits for its order learns that it was cancelled', () => {
  const rig = new Rig({ context: {} }).receive(10, A);
  const placing = rig.place('1', LINE);
  rig.turn().act('1', { type: 'cancel' });
  rig.turn();
  assert.equal([rig.replyTo(placing), rig.last('pay').operation], ['cancelled', 'void']);
  assert.equal(rig.stockOf(A), { onHand: 10, held: 0 });
});

test('cancelled while the capture is under way: its answer changes nothing, the void learns of it', () => {
  const rig = confirmed({ context: {} });
  rig.paymentAnswered('1', 'authorized').turn();
  const capture = rig.last('pay');
  rig.act('1', { type: 'cancel' });
  rig.turn();
  rig.node.paymentAnswered(capture.order, 'capture', capture.ref, 'captured');
  rig.turn();
  assert.is(rig.last('pay').operation, 'void');
  rig.paymentAnswered('1', 'captured').turn();
  assert.equal([rig.last('pay').operation, rig.last('pay').minor], ['refund', 1000]);
  rig.paymentAnswered('1', 'refunded').turn();
  assert.equal(
    [rig.all('pay').map(({ operation }) => operation), rig.world.orders.get(orderId('1'))?.state.payment],
    [['authorize', 'capture', 'void', 'refund'], 'refunded'],
  );
});

test('refunds are sent one after the other, each once', () => {
  const rig = confirmed({ context: {} });
  rig.paymentAnswered('1', 'authorized').turn().paymentAnswered('1', 'captured').turn();
  rig.act('1', { type: 'refund', minor: 300 });
  rig.act('1', { type: 'refund', minor: 200 });
  rig.turn();
  const refunds = () => rig.all('pay').flatMap(({ operation, minor }) => (operation === 'refund' ? [minor] : []));
  assert.equal(refunds(), [300]);
  rig.paymentAnswered('1', 'refunded').turn();
  assert.equal(refunds(), [300, 200]);
});

test('a full inbox says "not now" to an act', () => {
  const rig = confirmed();
  for (let i = 0; i < limits.inboxCommands; i++) rig.node.probe(-1 - i);
  assert.is(rig.replyTo(rig.act('1', { type: 'ship' })), 'unavailable');
});

// ---------------------------------------------------------------- backorders

test('backorders are filled in the turn after the receipt, and the orders get their letters', () => {
  const rig = new Rig();
  rig.stock(A, receiveOf({ ref: writeId('w1'), quantity: 1, backorders: { allowed: true } }));
  rig.turn().place('1', LINE);
  rig.turn();
  const backordered = () => rig.world.orders.get(orderId('1'))?.state.lines[0]?.backordered;
  assert.equal([rig.replyTo(rig.act('1', { type: 'ship' })), backordered()], [undefined, 1]);
  rig.stock(A, receiveOf({ ref: writeId('w2'), quantity: 3 }));
  rig.turn().turn();
  assert.equal([backordered(), rig.stockOf(A)], [0, { onHand: 2, held: 0 }]);
  const ship = rig.act('1', { type: 'ship' });
  assert.is(rig.turn().replyTo(ship), 'done');
});

test('an order with a backorder stays in memory, and leaves once it is filled and flushed', () => {
  const rig = new Rig();
  rig.stock(A, receiveOf({ ref: writeId('w1'), quantity: 0, backorders: { allowed: true } }));
  rig.turn().place('1', LINE);
  rig.turn().catchUp();
  assert.ok(rig.has('1'));
  rig.stock(A, receiveOf({ ref: writeId('w2'), quantity: 2 }));
  rig.turn().turn().catchUp();
  assert.not(rig.has('1'));
});

test('many waiting orders are all filled, over several commands', () => {
  const rig = new Rig();
  rig.stock(A, receiveOf({ ref: writeId('w1'), quantity: 0, backorders: { allowed: true } }));
  rig.turn();
  const many = limits.fillsPerTurn * 2 + 1;
  for (let i = 0; i < many; i++) rig.place(`${i}`, oneLine(A, 1));
  while (rig.node.wantsTurn()) rig.turn();
  rig.stock(A, receiveOf({ ref: writeId('w2'), quantity: many }));
  for (let turns = 0; rig.node.wantsTurn(); turns++) {
    assert.ok(turns < 50, 'it ends');
    assert.is(rig.node.inboxSize, 1, 'one command at a time');
    rig.turn();
  }
  assert.equal(rig.stockOf(A), { onHand: 0, held: 0 });
  assert.ok([...rig.world.orders.values()].every(({ state }) => state.lines[0]?.backordered === 0));
});

test('waiting orders may fill the memory: commands that let them end are still accepted', () => {
  const rig = new Rig();
  rig.stock(A, receiveOf({ ref: writeId('w1'), quantity: 0, backorders: { allowed: true } }));
  rig.turn().place('1', LINE);
  rig.turn().place('2', LINE);
  rig.turn();
  const [one] = rig.world.orders.values();
  if (one === undefined) throw new Error('no order is in memory');
  for (let i = 0; rig.world.orders.size < limits.ordersInMemory; i++) rig.world.orders.set(orderId(`more-${i}`), one);
  const placed = rig.place('3', LINE);
  const cancelled = rig.act('1', { type: 'cancel' });
  const received = rig.stock(A, receiveOf({ ref: writeId('w2'), quantity: 2 }));
  while (rig.node.wantsTurn()) rig.turn();
  assert.equal(
    [placed, cancelled, received].map((request) => rig.replyTo(request)),
    ['unavailable', 'done', 'done'],
  );
  assert.equal(rig.stockOf(A), { onHand: 0, held: 0 });
});

test.run();
