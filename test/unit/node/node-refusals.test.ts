/** A refusal under a key: appended to the journal before its answer, and found by every repeat. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type JournalId, orderId, partitionOf, writeId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import { decodeRecord, type TurnRecord } from '../../../actors/node/record.js';
import { replay } from '../../../actors/node/replay.js';
import { World } from '../../../actors/node/world.js';
import { A, adjustOf, B, oneLine, receiveOf } from '../actors/samples.js';
import { Rig, worldOf } from './node-rig.js';

const test = suite('node refusals');
const KEYED = { fresh: false };
const K = writeId('K');
const less = adjustOf(-30, { ref: K });
const REFUSED = { ref: K, product: A, fingerprint: 'f', refusal: 'below_held' } as const;

/** Sends a write under a key; Postgres answers that it does not know the key. */
function asked(rig: Rig, command = less, over: object = {}): number {
  const request = rig.stock(command.type === 'adjust' ? A : B, command, { ...KEYED, ...over });
  rig.found(rig.last('lookUp').number).turn();
  return request;
}
const records = (rig: Rig): TurnRecord[] =>
  rig.all('append').map(({ record }) => decodeRecord(record, 'here') as TurnRecord);

test('refused, then restocked, then the late first request: still refused, and nothing moves', () => {
  const rig = new Rig().receive(10, A);
  assert.is(rig.replyTo(asked(rig)), 'below_held');
  rig.stock(A, receiveOf({ ref: writeId('W'), quantity: 100 }));
  rig.turn();
  assert.is(rig.replyTo(asked(rig)), 'below_held');
  assert.equal(rig.stockOf(A), { onHand: 110, held: 0 });
});

test('a refusal is answered after its append, and is in the record beside the events', () => {
  const rig = new Rig().receive(10, A);
  const request = rig.stock(A, less, KEYED);
  rig.found(1).begin();
  assert.is(rig.replyTo(request), undefined);
  rig.append();
  assert.is(rig.replyTo(request), 'below_held');
  const { refused, cascades, parts } = rig.lastRecord;
  assert.equal([refused, cascades], [[REFUSED], []]);
  assert.equal(Object.keys(parts), [String(rig.world.partitionOf({ kind: 'product', id: A }))]);
  assert.is(rig.last('append').turn.outputs().publicBatch, '', 'nobody is told of it');
  assert.is(rig.world.products.get(A)?.version, 1, 'nothing has happened to the product');
});

test('without a key no repeat is possible: nothing is appended', () => {
  const rig = new Rig().receive(10, A);
  const request = rig.stock(A, less);
  rig.turn();
  assert.is(rig.replyTo(request), 'below_held');
  assert.is(rig.all('append').length, 1, 'the receipt');
});

test('a repeat is refused without a further record; a success appends no refusal', () => {
  const rig = new Rig().receive(10, A);
  asked(rig);
  const before = rig.all('append').length;
  asked(rig);
  assert.is(rig.all('append').length, before);
  asked(rig, adjustOf(1, { ref: writeId('L') }));
  assert.not('refused' in rig.lastRecord);
});

test('a refusal is flushed before the row of the journal moves; then Postgres knows it', () => {
  const rig = new Rig().receive(10, A);
  rig.catchUp();
  asked(rig);
  rig.pass(1_000);
  const { refusals, isWhole } = rig.last('flush').flush;
  assert.equal([refusals, isWhole], [[{ ...REFUSED, at: 1_700_000_000_000 }], true]);
  rig.catchUp();
  rig.stock(A, receiveOf({ ref: writeId('W'), quantity: 100 }));
  rig.turn();
  const request = rig.stock(A, less, KEYED);
  const { refusal: refused, ...write } = REFUSED;
  rig.found(rig.last('lookUp').number, { writes: [{ ...write, refused }] }).turn();
  assert.is(rig.replyTo(request), 'below_held');
});

test('a start finds the refusal in the journal, and flushes it', () => {
  const rig = new Rig({}, undefined).receive(10, A);
  asked(rig);
  const turns = records(rig);
  const before = [{ epoch: 1, node: 'N' as never, journal: 'J1' as JournalId }];
  const claims = new Map(Array.from({ length: 16 }, (_, p) => [p, { epoch: 2, before }]));
  const seal = { kind: 'seal', id: 'S', journal: 'J1', by: 'J2', at: 0 } as never;
  const tails = new Map([['J1' as JournalId, { turns, seal, idAtPlace: 'R1' }]]);
  const folded = { n: 1, position: 10, recordId: 'R1' }; // Its join.
  const journal = { journal: 'J1' as JournalId, node: 'N' as never, closed: true, folded, publishedN: 0 };
  const loaded = { journals: [journal], partitions: [], orders: [], products: [], lastPlacedAt: 0 };
  const world = replay({ partitions: 16, claims, tails, loaded });
  assert.ok(world instanceof World);
  const next = new Rig({}, world);
  next.stock(A, receiveOf({ ref: writeId('W'), quantity: 100 }));
  next.turn();
  assert.is(next.replyTo(asked(next)), 'below_held');
  assert.equal(next.stockOf(A), { onHand: 110, held: 0 });
  assert.equal(
    next.all('flush').flatMap(({ flush }) => flush.refusals.map(({ ref }) => ref)),
    [K],
  );
});

test('a request refused for one of its products: finished products stay, no others follow', () => {
  const rig = new Rig().receive(1_000_000_000_000, A);
  const receipt = (product: typeof A) => {
    const request = rig.stock(product, receiveOf({ ref: K, name: product }), KEYED);
    rig.found(rig.last('lookUp').number).turn();
    return rig.all('replyStock').find((told) => told.request === request)?.reply;
  };
  assert.equal(receipt(B)?.kind, 'done');
  assert.equal(
    [receipt(A)].map((reply) => reply?.kind === 'refused' && [reply.refusal, reply.repeatOf]),
    [['too_much_stock', undefined]],
  );
  const third = receipt('C' as typeof A);
  assert.equal(
    [third].map((reply) => reply?.kind === 'refused' && [reply.refusal, reply.repeatOf]),
    [['too_much_stock', A]],
  );
  assert.equal(
    [receipt(B)].map((reply) => reply?.kind === 'done' && reply.repeat),
    [true],
  );
  assert.not(rig.world.products.has('C' as typeof A));
});

test('other content under its key is a new request, unless it corrects the refused one', () => {
  const rig = new Rig().receive(10, A);
  asked(rig);
  const other = adjustOf(-3, { ref: K, fingerprint: 'other' });
  assert.is(rig.replyTo(asked(rig, other)), 'other_body');
  assert.is(rig.replyTo(asked(rig, other, { corrects: true })), 'done');
  assert.is(rig.replyTo(asked(rig, less, { corrects: true })), 'other_body', 'now the other one stands');
  assert.is(rig.replyTo(asked(rig, { ...other, fingerprint: 'new' }, { oldFingerprint: 'f' })), 'other_body');
});

test('a request that looks has no effect and tells what is stored under its ref', () => {
  const rig = new Rig().receive(10, A);
  const looked = () => {
    const request = asked(rig, adjustOf(-3, { ref: K, fingerprint: 'other' }), { looks: true });
    const reply = rig.all('replyStock').find((told) => told.request === request)?.reply;
    return reply?.kind === 'done' && [reply.stored, reply.repeat];
  };
  assert.equal(looked(), [undefined, false]);
  asked(rig);
  assert.equal(looked(), [undefined, false], 'a refused write is not stored');
  asked(rig, adjustOf(-3, { ref: K, fingerprint: 'mine' }), { corrects: true });
  assert.equal(looked(), ['mine', true]);
  assert.equal(rig.stockOf(A), { onHand: 7, held: 0 });
});

test('a request that an older version fingerprinted differently is the same request', () => {
  const rig = new Rig().receive(10, A);
  asked(rig, adjustOf(-3, { ref: K, fingerprint: 'as it came' }));
  const sorted = adjustOf(-3, { ref: K, fingerprint: 'sorted' });
  assert.is(rig.replyTo(asked(rig, sorted, { oldFingerprint: 'as it came' })), 'repeat');
});

test('a refusal that does not fit into the record goes into the next one', () => {
  const mine = partitionOf('product', A, 16);
  const rig = new Rig({ recordBytes: 3_000 }, worldOf([mine])).receive(10, A);
  const count = 20;
  const requests = Array.from({ length: count }, (_, i) =>
    rig.stock(A, adjustOf(-30, { ref: writeId(`K${i}`) }), KEYED),
  );
  rig.found(1).found(2);
  for (let i = 0; i < count; i++) rig.turn();
  assert.equal([...new Set(requests.map((request) => rig.replyTo(request)))], ['below_held']);
  const refused = records(rig).map((record) => record.refused?.length ?? 0);
  assert.ok(refused.length > 2 && Math.max(...refused) > 1, `${refused}`);
  assert.is(
    refused.reduce((sum, each) => sum + each, 0),
    count,
  );
  for (const { record } of rig.all('append')) assert.ok(Buffer.byteLength(record) <= 3_000);
});

// ---------------------------------------------------------------- acts

const withOrder = (): Rig => {
  const rig = new Rig().receive(10, A);
  rig.place('O', oneLine(A, 2));
  return rig.turn();
};
const acted = (rig: Rig, command: Parameters<Rig['act']>[1], over: object = {}): string | undefined => {
  const request = rig.act('O', command, over);
  rig.turn();
  return rig.replyTo(request);
};
const act = { ref: writeId('ACT'), fingerprint: 'f' };
const version = (rig: Rig) => rig.world.orders.get(orderId('O'))?.version;

test('a refused act stays refused for its late first request, even if it were possible now', () => {
  const rig = withOrder();
  assert.is(acted(rig, { type: 'deliver', act }), 'illegal_transition');
  assert.is(acted(rig, { type: 'ship' }), 'done');
  assert.is(acted(rig, { type: 'deliver', act }), 'illegal_transition');
  assert.is(rig.world.orders.get(orderId('O'))?.state.phase, 'shipped');
});

test('an act without a key is not remembered: its refusal leaves no record', () => {
  const rig = withOrder();
  const before = version(rig);
  assert.is(acted(rig, { type: 'deliver', act }, { fresh: true }), 'illegal_transition');
  assert.is(version(rig), before);
});

test('If-Match ignores refusals; a condition that could hold later is refused for good', () => {
  const rig = withOrder();
  const seen = version(rig) ?? 0;
  assert.is(acted(rig, { type: 'deliver' }), 'illegal_transition');
  assert.is(version(rig), seen + 1);
  assert.is(acted(rig, { type: 'ship', act }, { unlessVersions: [seen] }), 'changed');
  assert.is(acted(rig, { type: 'ship' }, { ifVersions: [seen] }), 'done');
  assert.is(acted(rig, { type: 'ship', act }, { unlessVersions: [seen] }), 'changed');
  const stale = { ref: writeId('STALE'), fingerprint: 'f' };
  assert.is(acted(rig, { type: 'deliver', act: stale }, { ifVersions: [seen] }), 'changed');
  assert.is(
    acted(rig, { type: 'deliver', act: stale }, { ifVersions: [seen + 1] }),
    'done',
    'seen anew, under its key',
  );
});

test('an order remembers a bounded number of answers: past it a further act is refused for good', () => {
  const rig = withOrder();
  const refund = { type: 'refund', minor: 1_000_000 } as const;
  for (let i = 0; i < limits.answeredActs; i++) rig.act('O', refund);
  rig.turn();
  const before = version(rig);
  for (const _ of [1, 2]) assert.is(acted(rig, { ...refund, act }), 'too_many_acts');
  assert.is(acted(rig, { ...refund, minor: 1 }), 'too_many_acts', 'it would have had an effect');
  assert.is(acted(rig, refund, { fresh: true }), 'more_than_paid', 'without a key');
  assert.is(version(rig), before);
});

test('past the number of answers an act that ends the order has room of its own', () => {
  const rig = withOrder();
  const acts = limits.answeredActs + limits.actsToEnd;
  for (let i = 0; i < acts - 1; i++)
    rig.act('O', i < limits.answeredActs ? { type: 'refund', minor: 1_000_000 } : { type: 'deliver' });
  rig.turn();
  assert.is(acted(rig, { type: 'ship' }), 'done');
  assert.is(acted(rig, { type: 'ship' }), 'done', 'done already: the last answer it can remember');
  for (const _ of [1, 2]) assert.is(acted(rig, { type: 'deliver', act }), 'too_many_acts');
  assert.is(acted(rig, { type: 'deliver' }, { fresh: true }), 'done', 'without a key');
});

test('an answer shows the order as the act left it, whatever follows in the same turn', () => {
  const rig = withOrder();
  const first = rig.act('O', { type: 'ship', act });
  rig.act('O', { type: 'deliver' });
  rig.turn();
  const told = rig.all('replyAct').find(({ request }) => request === first)?.reply;
  assert.is(told?.kind === 'done' && told.state.phase, 'shipped');
});

test.run();
