/** From rows and journals to a world: nothing twice, nothing missing, and lost records are named. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId, nodeId } from '../../../actors/ids.js';
import { LostRecords } from '../../../actors/node/lost-records.js';
import type { Claim, JournaledEvent, SealRecord, TurnRecord } from '../../../actors/node/record.js';
import { type JournalTail, type ReplayInput, replay } from '../../../actors/node/replay.js';
import type { NumberedLetter } from '../../../actors/ports/letters.js';
import type { JournalRow } from '../../../actors/ports/snapshot-rows.js';
import type { OrderEvent, ProductEvent } from '../../../actors/protocol.js';
import { A, hold, O1, oneLine, orderAfter, placed, productAfter, receiveOf } from '../actors/samples.js';

const test = suite('replay');
const [J1, J2] = [journalId('J1'), journalId('J2')];
const claim = (epoch: number, journal = J1, over: Partial<Claim> = {}): Claim => ({
  epoch,
  node: nodeId('N'),
  journal,
  ...over,
});
const SEAL: SealRecord = { kind: 'seal', id: 'S', journal: J1, by: J2, at: 0 };
const RECEIVED: ProductEvent = { ...receiveOf(), type: 'received' };
const HELD: ProductEvent = { type: 'held', order: O1, quantity: 2 };
const PLACED = placed(oneLine(A, 2));

const ofOrder = (version: number, event: OrderEvent): JournaledEvent => ({
  of: { kind: 'order', id: O1 },
  version,
  event,
});
const ofProduct = (version: number, event: ProductEvent): JournaledEvent => ({
  of: { kind: 'product', id: A },
  version,
  event,
});
const turn = (n: number, events: readonly JournaledEvent[], over: Partial<TurnRecord> = {}): TurnRecord => ({
  kind: 'turn',
  id: `R${n}`,
  journal: J1,
  n,
  at: n,
  parts: { 0: { epoch: 1 } },
  cascades: [{ correlation: 'c', events }],
  letters: [],
  ...over,
});
const tail = (turns: readonly TurnRecord[], over: Partial<JournalTail> = {}): JournalTail => ({
  turns,
  seal: SEAL,
  idAtPlace: undefined,
  ...over,
});
const row = (n: number, recordId: string): JournalRow => ({
  journal: J1,
  node: nodeId('N'),
  closed: true,
  folded: { n, position: n, recordId },
  publishedN: n,
});
const NOTHING = { journals: [], partitions: [], orders: [], products: [], lastPlacedAt: 0 };
/** One partition, so that every actor lives in it. */
const given = (
  of: JournalTail | undefined,
  loaded: Partial<ReplayInput['loaded']> = {},
  chain = [claim(1)],
): ReplayInput => ({
  partitions: 1,
  claims: new Map([[0, { epoch: (chain.at(-1)?.epoch ?? 0) + 1, before: chain }]]),
  tails: new Map(of === undefined ? [] : [[J1, of]]),
  loaded: { ...NOTHING, ...loaded },
});
const lost = (input: ReplayInput, sentence: RegExp) =>
  assert.throws(
    () => replay(input),
    (error: unknown) => error instanceof LostRecords && sentence.test(error.message),
  );

// ---------------------------------------------------------------- folding

test('a sealed journal alone gives its actors, at the mark of their last record', () => {
  const world = replay(
    given(tail([turn(1, [ofProduct(1, RECEIVED)]), turn(2, [ofOrder(1, PLACED), ofProduct(2, HELD)])])),
  );
  const product = world.products.get(A);
  assert.equal([product?.state.onHand, product?.state.held, product?.version, product?.n], [10, 2, 2, 2]);
  assert.equal(world.orders.get(O1)?.state.phase, 'holding');
});

test('replayed changes are flushed as rows that may exist already', () => {
  const world = replay(given(tail([turn(1, [ofProduct(1, RECEIVED)])])));
  assert.equal([world.changedProducts.size, world.unflushedEvents], [1, 1]);
  assert.equal(world.products.get(A)?.isNew, false);
});

test('events that a row includes are skipped, per row: the product is further than the order (P2)', () => {
  const product = { state: productAfter([RECEIVED, HELD]), version: 2, epoch: 1, n: 2 };
  const world = replay(
    given(tail([turn(1, [ofProduct(1, RECEIVED)]), turn(2, [ofOrder(1, PLACED), ofProduct(2, HELD)])]), {
      products: [product],
    }),
  );
  assert.is(world.products.get(A)?.state.held, 2, 'held once');
  assert.is(world.orders.get(O1)?.state.phase, 'holding', 'the order is rebuilt');
  assert.equal([world.changedProducts.size, world.changedOrders.size], [0, 1]);
});

test('letters and watermarks are restored even if the actors are further (P2)', () => {
  const sent: NumberedLetter = { from: 0, to: 1, number: 1, correlation: 'c', letter: hold(A, 2) };
  const order = { state: orderAfter([PLACED]), version: 1, epoch: 1, n: 1 };
  const first = turn(1, [ofOrder(1, PLACED)], { letters: [sent], parts: { 0: { epoch: 1, seen: { 1: 4 } } } });
  const channels = replay(given(tail([first]), { orders: [order] })).owned.get(0)?.channels;
  assert.equal([channels?.unconfirmed(), channels?.seen(1)], [[sent], 4]);
});

test("a partition's row restores its letters and watermarks, and a replay does not set them back", () => {
  const partition = { partition: 0, epoch: 1, journal: J1, seen: { 1: 9 }, sent: {} };
  const old = turn(1, [], { parts: { 0: { epoch: 1, seen: { 1: 4 } } } });
  assert.is(
    replay(given(tail([old]), { partitions: [partition] }))
      .owned.get(0)
      ?.channels.seen(1),
    9,
  );
});

test('each epoch is read in its own journal; records of another epoch there do not count', () => {
  const later = turn(1, [ofProduct(2, HELD)], { journal: J2, parts: { 0: { epoch: 2 } } });
  const foreign = turn(2, [ofProduct(9, HELD)], { parts: { 0: { epoch: 7 } } });
  const input = given(tail([turn(1, [ofProduct(1, RECEIVED)]), foreign]), {}, [claim(1), claim(2, J2)]);
  const tails = new Map([...input.tails, [J2, tail([later])] as const]);
  assert.is(replay({ ...input, tails }).products.get(A)?.version, 2);
});

test('an epoch before the row is not read', () => {
  const partition = { partition: 0, epoch: 2, journal: J2, seen: {}, sent: {} };
  const journals = [{ ...row(0, ''), journal: J2 }];
  const input = given(undefined, { partitions: [partition], journals }, [claim(1), claim(2, J2)]);
  assert.not.throws(() => replay({ ...input, tails: new Map([[J2, tail([])]]) }));
});

// ---------------------------------------------------------------- what is lost is named (replay.P1, replay.P3)

test('a gap in n is named, with both sides', () => {
  lost(given(tail([turn(1, []), turn(3, [])])), /journal J1 has record 3 after 1: records in between are lost/);
});

test('a tail that does not start after the last fold is a gap', () => {
  lost(given(tail([turn(7, [])], { idAtPlace: 'R5' }), { journals: [row(5, 'R5')] }), /record 7 after 5/);
});

test('a journal without its seal is named: its end is not the end of the records', () => {
  lost(given(tail([turn(1, [])], { seal: undefined })), /journal J1 ends at 1 without a seal or a release/);
});

test('a missing journal is named', () => {
  lost(given(undefined), /journal J1 ends at 0 without a seal or a release/);
});

test('a released epoch is not replayed: the row of its journal has passed the release (P4)', () => {
  const released = [claim(1, J1, { released: 3 })];
  const product = { state: productAfter([RECEIVED]), version: 1, epoch: 1, n: 1 };
  const after = (n: number) => given(undefined, { products: [product], journals: [row(n, 'R')] }, released);
  assert.is(replay(after(3)).products.get(A)?.version, 1);
  assert.is(replay(after(9)).products.get(A)?.version, 1);
  lost(after(2), /journal J1 has released a partition at n 3, but Postgres remembers only its n 2/);
  assert.not.throws(() => replay(given(undefined, {}, released)), 'its journal is forgotten');
});

test('a journal without a row is no empty journal: a seal alone shows nothing (P5, hazard 15)', () => {
  lost(given(tail([])), /journal J1 has neither a row in Postgres nor a record/);
  assert.not.throws(() => replay(given(tail([]), { journals: [row(0, '')] })));
  assert.is(replay(given(tail([turn(1, [ofProduct(1, RECEIVED)])]))).products.get(A)?.version, 1);
  lost(given(tail([turn(5, [])])), /journal J1 has record 5 after 0/);
});

test('a seal names the last turn: a shorter tail has lost records, and n 0 shows an empty journal (P5)', () => {
  const sealed = (n: number) => ({ seal: { ...SEAL, n } });
  lost(given(tail([turn(1, [])], sealed(2))), /journal J1 ends at 1, and its seal says 2: records are lost/);
  lost(given(tail([], sealed(4))), /journal J1 ends at 0, and its seal says 4/);
  assert.not.throws(() => replay(given(tail([], sealed(0)))));
});

test('what is rebuilt joins at the epoch of the new claim, clean', () => {
  const owned = replay(given(undefined, {}, [claim(4, J1, { released: 0 })])).owned.get(0);
  assert.equal([owned?.partition, owned?.epoch, owned?.isFrozen], [0, 5, false]);
});

test('replayed letters may be sent', () => {
  const sent: NumberedLetter = { from: 0, to: 1, number: 1, correlation: 'c', letter: hold(A, 2) };
  const channels = replay(given(tail([turn(1, [], { letters: [sent] })]))).owned.get(0)?.channels;
  assert.equal(channels?.toSend(1, 0), [sent]);
});

test('a log that lost its tail and grew again is named by the id it should have', () => {
  const grown = tail([turn(6, [])], { idAtPlace: 'X5' });
  lost(
    given(grown, { journals: [row(5, 'R5')] }),
    /does not have the record R5 at n 5 .*found X5.*rolled back or replaced/,
  );
});

test('a log without the remembered record is named', () => {
  lost(given(tail([]), { journals: [row(5, 'R5')] }), /R5 at n 5 .*found nothing/);
});

test('a row of a claim that is not in the claims log is named', () => {
  const partition = { partition: 0, epoch: 3, journal: J2, seen: {}, sent: {} };
  lost(given(tail([]), { partitions: [partition] }), /partition 0 is remembered at epoch 3 of journal J2/);
  lost(given(tail([]), { partitions: [partition] }, []), /which the claims log does not know/);
});

test('a missing event of an actor is named, with its versions', () => {
  assert.throws(
    () => replay(given(tail([turn(1, [ofProduct(2, HELD)])]))),
    /product A stands at version 0, its next event in the journal is 2/,
  );
});

test.run();
