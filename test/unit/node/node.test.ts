/** Turns: no reply before the append, a cascade is whole or taken back, a record has a maximum size. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../../actors/limits.js';
import { A, adjustOf, B, contentOf, oneLine, receiveOf } from '../actors/samples.js';
import { Rig } from './node-rig.js';

const test = suite('node turns');
const LONG = contentOf({ lines: [{ product: A, quantity: 1 }], notes: 'x'.repeat(2_000) });

// ---------------------------------------------------------------- node.N1, node.N2

test('no reply before the append, and then all at once', () => {
  const rig = new Rig().receive(10, A, B);
  const [first, second] = [rig.place('1', contentOf()), rig.place('2', contentOf())];
  rig.begin();
  assert.equal([rig.replyTo(first), rig.replyTo(second)], [undefined, undefined]);
  rig.append();
  assert.equal([rig.replyTo(first), rig.replyTo(second)], ['confirmed', 'confirmed']);
});

test('an order is placed, held, paid and confirmed in one append', () => {
  const rig = new Rig().receive(10, A, B);
  const appends = rig.all('append').length;
  rig.place('1', contentOf());
  rig.turn();
  assert.is(rig.all('append').length, appends + 1);
  assert.equal(
    rig.lastRecord.cascades[0]?.events.map((e) => `${e.of.id} ${e.event.type}`),
    ['1 placed', 'A held', 'B held', '1 held', '1 paid', '1 confirmed', 'A committed', 'B committed'],
  );
});

test('a turn with nothing to record answers at once', () => {
  const rig = new Rig().receive(10, A, B);
  rig.place('1', contentOf());
  rig.turn();
  const [repeat, other] = [rig.place('1', contentOf()), rig.place('1', oneLine(A, 9))];
  rig.begin();
  assert.equal([rig.replyTo(repeat), rig.replyTo(other)], ['confirmed', 'other_body']);
  assert.not(rig.node.isAppending);
});

test('a probe alone makes a record, and is answered by its append', () => {
  const rig = new Rig();
  rig.node.probe(7);
  rig.begin();
  assert.is(rig.all('replyProbe').length, 0);
  rig.append();
  assert.equal(rig.all('replyProbe'), [{ kind: 'replyProbe', request: 7 }]);
  assert.equal(rig.lastRecord.cascades, []);
});

test('the batch grows while an append is under way, one at a time, n dense (N1)', () => {
  const rig = new Rig().receive(100, A);
  rig.place('1', oneLine(A, 1));
  rig.begin();
  for (let i = 2; i <= 20; i++) rig.place(`${i}`, oneLine(A, 1));
  assert.not(rig.node.wantsTurn());
  rig.begin();
  assert.is(rig.all('append').length, 2, 'no second append beside the first');
  rig.append().turn();
  assert.equal([rig.lastRecord.n, rig.lastRecord.cascades.length], [4, 19]);
});

test('an acknowledgement without an append is broken code', () => {
  assert.throws(() => new Rig().node.appended(1), /not under way/);
});

test('a state that the turn under way has changed is not shown before its append', () => {
  const rig = new Rig().receive(10, A);
  rig.place('1', oneLine(A, 1));
  rig.begin();
  const [order] = [...rig.world.orders.keys()];
  assert.equal(
    [order && rig.node.sights.order(order), rig.node.sights.product(A)],
    [{ kind: 'later' }, { kind: 'later' }],
  );
  rig.append();
  assert.is(rig.node.sights.product(A).kind, 'now');
});

// ---------------------------------------------------------------- turn.T2: bytes

test('a command that does not fit is taken back and opens the next turn, in order', () => {
  const rig = new Rig({ recordBytes: 12_000 }).receive(10, A);
  const requests = ['1', '2', '3', '4'].map((id) => rig.place(id, LONG));
  rig.begin();
  const inFirst = rig.lastRecord.cascades.length;
  assert.ok(inFirst >= 1 && inFirst < 4, `${inFirst} of 4 fit`);
  assert.ok(Buffer.byteLength(rig.last('append').record) <= 12_000);
  assert.is(rig.stockOf(A)?.onHand, 10 - inFirst, 'what was taken back holds nothing');
  while (rig.node.isAppending || rig.node.wantsTurn()) rig.node.isAppending ? rig.append() : rig.begin();
  assert.equal(
    requests.map((r) => rig.replyTo(r)),
    ['confirmed', 'confirmed', 'confirmed', 'confirmed'],
  );
  assert.equal(rig.stockOf(A), { onHand: 6, held: 0 });
});

test('a command that cannot fit alone is refused, leaves nothing behind, and delays no other', () => {
  const rig = new Rig({ recordBytes: 6_000 }).receive(10, A);
  const large = rig.place('L', { ...LONG, email: 'y'.repeat(6_000) });
  const small = rig.place('S', oneLine(A, 1));
  rig.turn();
  assert.equal([rig.replyTo(large), rig.replyTo(small)], ['too_large', 'confirmed']);
  assert.equal([rig.has('L'), rig.stockOf(A)], [false, { onHand: 9, held: 0 }]);
});

test('a receipt that cannot fit alone is refused', () => {
  const rig = new Rig({ recordBytes: 4_000 });
  const request = rig.stock(A, receiveOf({ name: 'n'.repeat(4_000) }));
  assert.is(rig.turn().replyTo(request), 'too_large');
  assert.not(rig.world.products.has(A));
});

test('a turn takes no more commands than its limit', () => {
  const rig = new Rig();
  for (let i = 0; i <= limits.turnCommands; i++) rig.stock(A, receiveOf({ ref: `W${i}` as never }));
  rig.begin();
  assert.is(rig.lastRecord.cascades.length, limits.turnCommands);
  assert.is(rig.node.inboxSize, 1);
});

// ---------------------------------------------------------------- turn.T1: a decision that throws

test('a decision that throws: its cascade is taken back, its client gets an error, the others go on', () => {
  const instantPayment = (order: string) => {
    if (order === 'BAD') throw new Error('planted');
    return 'authorized' as const;
  };
  const rig = new Rig({ context: { instantPayment } }).receive(10, A);
  const [before, bad, after] = ['1', 'BAD', '2'].map((id) => rig.place(id, oneLine(A, 1)));
  rig.turn();
  assert.equal(
    [before, bad, after].map((r) => rig.replyTo(r ?? 0)),
    ['confirmed', 'broken', 'confirmed'],
  );
  assert.equal([rig.has('BAD'), rig.stockOf(A)], [false, { onHand: 8, held: 0 }]);
  assert.equal(
    rig.all('deadLetter').map((dead) => String(dead.error)),
    ['Error: planted'],
  );
  assert.not(rig.last('append').record.includes('BAD'));
});

test('an actor that a thrown cascade changed after an earlier one keeps the state of the earlier one', () => {
  let calls = 0;
  const instantPayment = () => {
    if (++calls === 2) throw new Error('planted');
    return 'authorized' as const;
  };
  const rig = new Rig({ context: { instantPayment } }).receive(10, A);
  for (const id of ['1', '2', '3']) rig.place(id, oneLine(A, 1));
  rig.turn();
  const versions = rig.lastRecord.cascades.flatMap((c) => c.events).filter((e) => e.of.id === A);
  assert.equal(
    versions.map((e) => e.version),
    [2, 3, 4, 5],
    'dense, as if the thrown one had never been',
  );
});

// ---------------------------------------------------------------- writes

test('an adjustment happens once for any repeat: in its turn, behind it, after it', () => {
  const rig = new Rig().receive(10, A);
  const [first, inTurn] = [rig.stock(A, adjustOf(-1)), rig.stock(A, adjustOf(-1))];
  rig.begin();
  const behind = rig.stock(A, adjustOf(-1));
  rig.append().turn();
  const later = rig.stock(A, adjustOf(-1));
  rig.turn();
  assert.equal(
    [first, inTurn, behind, later].map((r) => rig.replyTo(r)),
    ['done', 'repeat', 'repeat', 'repeat'],
  );
  assert.is(rig.stockOf(A)?.onHand, 9);
});

test('the same write with another body is refused', () => {
  const rig = new Rig().receive(10, A);
  rig.stock(A, adjustOf(-1));
  const other = rig.stock(A, adjustOf(-2, { fingerprint: 'g' }));
  assert.is(rig.turn().replyTo(other), 'other_body');
});

test('one write of many products has its effect once on each', () => {
  const rig = new Rig();
  for (const product of [A, B, A, B]) rig.stock(product, receiveOf());
  rig.turn();
  assert.equal([rig.stockOf(A)?.onHand, rig.stockOf(B)?.onHand], [10, 10]);
});

test('a refused command changes nothing, and its answer has the current state', () => {
  const rig = new Rig().receive(10, A);
  const request = rig.stock(A, adjustOf(-11));
  rig.turn();
  assert.is(rig.replyTo(request), 'below_held');
  const { reply } = rig.last('replyStock');
  assert.is(reply.kind === 'refused' && reply.state.onHand, 10);
});

test.run();
