/** Letters between partitions of different processes: numbered, once, in order, after the append. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../../actors/limits.js';
import type { NumberedLetter } from '../../../actors/ports/letters.js';
import { commit, hold, oneLine, orderAfter, placed, productAfter, receiveOf } from '../actors/samples.js';
import { orderIn, productIn, Rig, worldOf } from './node-rig.js';

const test = suite('node letters');
const AWAY = { deliverAtHome: false };
const names = ({ from, to, number, letter }: NumberedLetter) => `${from}->${to} #${number} ${letter.command.type}`;
const confirms = (rig: Rig) =>
  rig.all('confirm').map(({ confirmation: { from, to, upTo } }) => `${from}->${to} up to ${upTo}`);
const sent = (rig: Rig) => rig.all('send').flatMap((send) => send.letters);

/** An order of partition 1 for a product of partition 2, its hold sent. */
function holdSent(over: ConstructorParameters<typeof Rig>[0] = AWAY) {
  const rig = new Rig(over);
  const [order, product] = [orderIn(rig.world, 1), productIn(rig.world, 2)];
  rig.receive(10, product);
  const request = rig.place(order, oneLine(product, 3));
  rig.turn();
  return { rig, order, product, request };
}
const only = (letters: readonly NumberedLetter[], i = 0): NumberedLetter => {
  const letter = letters[i];
  if (letter === undefined) throw new Error('no letter');
  return letter;
};

test('a letter leaves after the append of the turn that made it, with its number (N2, C1)', () => {
  const rig = new Rig(AWAY);
  const [order, product] = [orderIn(rig.world, 1), productIn(rig.world, 2)];
  rig.receive(10, product).place(order, oneLine(product, 3));
  rig.begin();
  assert.equal(sent(rig), []);
  rig.append();
  assert.equal(sent(rig).map(names), ['1->2 #1 hold']);
  assert.equal(rig.lastRecord.letters.map(names), ['1->2 #1 hold'], 'and it stands in the journal');
});

test('an order whose product lives in another partition is accepted first, and confirmed by the answer', () => {
  const { rig, product, request } = holdSent();
  assert.is(rig.replyTo(request), undefined);
  assert.is(rig.last('accepted').request, request);
  for (const each of [0, 1, 2]) {
    rig.node.letter(only(sent(rig), each));
    rig.turn();
  }
  assert.equal(sent(rig).map(names), ['1->2 #1 hold', '2->1 #1 holdsAnswered', '1->2 #2 commit']);
  assert.equal([rig.replyTo(request), rig.stockOf(product)], ['confirmed', { onHand: 7, held: 0 }]);
});

test('an answer without an event is recorded as well: a shortage', () => {
  const rig = new Rig(AWAY);
  const [order, product] = [orderIn(rig.world, 1), productIn(rig.world, 2)];
  const request = rig.place(order, oneLine(product, 3));
  rig.turn();
  rig.node.letter(only(sent(rig)));
  rig.turn();
  assert.equal(rig.lastRecord.letters.map(names), ['2->1 #1 holdsAnswered']);
  rig.node.letter(only(sent(rig), 1));
  rig.turn();
  assert.is(rig.replyTo(request), 'failed');
});

test('a confirmation leaves only after the append that moved the watermark (C3)', () => {
  const { rig } = holdSent();
  rig.node.letter(only(sent(rig)));
  rig.begin();
  assert.equal(confirms(rig), []);
  rig.append();
  assert.equal(confirms(rig), ['1->2 up to 1']);
  assert.equal(rig.lastRecord.parts[2], { epoch: 1, seen: { 1: 1 } });
});

test('a repeat has no effect and is confirmed again (C2)', () => {
  const { rig, product } = holdSent();
  const letter = only(sent(rig));
  for (let i = 0; i < 3; i++) rig.node.letter(letter);
  rig.turn();
  rig.node.letter(letter);
  rig.turn();
  assert.equal(rig.stockOf(product), { onHand: 10, held: 3 });
  assert.equal([...new Set(confirms(rig))], ['1->2 up to 1']);
});

test('a letter behind a gap is ignored, and not confirmed (C2)', () => {
  const { rig, product } = holdSent();
  rig.node.letter({ ...only(sent(rig)), number: 2 });
  rig.turn();
  assert.equal([rig.stockOf(product), confirms(rig)], [{ onHand: 10, held: 0 }, []]);
});

test('an unconfirmed letter is sent again, a confirmed one is not', () => {
  const { rig } = holdSent();
  rig.pass(200);
  assert.equal(sent(rig).map(names), ['1->2 #1 hold', '1->2 #1 hold']);
  rig.node.confirmed({ from: 1, to: 2, upTo: 1 });
  rig.pass(200);
  assert.is(sent(rig).length, 2);
});

test('a letter is not sent again before its append either (N2)', () => {
  const rig = new Rig(AWAY);
  rig.place(orderIn(rig.world, 1), oneLine(productIn(rig.world, 2), 3));
  rig.begin().pass(200);
  assert.equal(sent(rig), []);
});

test('a letter for a partition that is not ours is left to its owner', () => {
  const rig = new Rig(AWAY, worldOf([1]));
  rig.node.letter({ from: 1, to: 2, number: 1, correlation: 'c', letter: hold(productIn(rig.world, 2), 1) });
  assert.not(rig.node.wantsTurn());
});

test('a letter whose decision throws is skipped, once, and goes to the dead letters', () => {
  const { rig, product, order } = holdSent();
  const poisoned: NumberedLetter = { ...only(sent(rig)), letter: commit(product, 5, order) };
  rig.node.letter(poisoned);
  rig.turn();
  assert.equal([rig.all('deadLetter').length, confirms(rig)], [1, ['1->2 up to 1']]);
  rig.node.letter(poisoned);
  rig.turn();
  assert.is(rig.all('deadLetter').length, 1);
});

/** Partitions 1 and 2 join with a letter between them that was sent when they were of different nodes. */
function joinedNeighbours() {
  const world = worldOf([1, 2]);
  const [order, waiting, product] = [orderIn(world, 1), orderIn(world, 1, 1), productIn(world, 2)];
  const older: NumberedLetter = { from: 1, to: 2, number: 1, correlation: 'old', letter: hold(product, 1, waiting) };
  const state = { ...orderAfter([placed(oneLine(product, 1))]), id: waiting };
  world.loadOrder({ state, version: 1, ...MARK });
  const received = { ...receiveOf(), type: 'received' } as const;
  world.loadProduct({ state: productAfter([received], product), version: 1, ...MARK });
  world.mustOwn(1).channels.add(older);
  world.mustOwn(1).channels.appended(older);
  return { rig: new Rig({}, world), order, product };
}
const MARK = { epoch: 1, n: 1 };

test('older letters between neighbours are handled first, and what follows needs no number (T3)', () => {
  const { rig, order, product } = joinedNeighbours();
  assert.ok(rig.node.wantsTurn(), 'also when nobody asks for anything');
  const request = rig.place(order, oneLine(product, 3));
  rig.turn();
  assert.equal([rig.replyTo(request), rig.stockOf(product)], ['confirmed', { onHand: 6, held: 0 }]);
  assert.equal(rig.lastRecord.letters.map(names), ['1->2 #2 commit'], 'of the older order alone');
  assert.equal(rig.lastRecord.parts[2], { epoch: 1, seen: { 1: 2 } });
  rig.pass(1_000).turn();
  assert.equal([sent(rig), confirms(rig), rig.node.wantsTurn()], [[], [], false]);
  assert.is(rig.world.mustOwn(1).channels.waiting(2), 0, 'confirmed by the append');
});

test('while its receiver is frozen a letter between neighbours waits; it is handled after the thaw', () => {
  const rig = new Rig();
  const [order, product] = [orderIn(rig.world, 1), productIn(rig.world, 2)];
  rig.receive(10, product);
  rig.node.lives.freeze(2);
  const request = rig.place(order, oneLine(product, 3));
  rig.turn();
  assert.equal([rig.lastRecord.letters.map(names), sent(rig)], [['1->2 #1 hold'], []]);
  rig.pass(1_000).turn();
  assert.equal([rig.replyTo(request), sent(rig)], [undefined, []]);
  rig.node.lives.thaw(2);
  rig.turn().turn().turn();
  assert.equal([rig.replyTo(request), rig.stockOf(product)], ['confirmed', { onHand: 7, held: 0 }]);
});

test('letters for a partition that leaves go to its next owner at once', () => {
  const rig = new Rig();
  const [order, product] = [orderIn(rig.world, 1), productIn(rig.world, 2)];
  rig.receive(10, product);
  rig.node.lives.freeze(2);
  rig.place(order, oneLine(product, 3));
  rig.turn().catchUp();
  rig.node.leave(new Set([2]));
  rig.pass(1);
  assert.equal(sent(rig).map(names), ['1->2 #1 hold']);
});

test('a channel that is full refuses new orders for it alone; letters and acts of the runtime still pass', () => {
  const rig = new Rig({ ...AWAY, context: {} });
  const [order, near] = [orderIn(rig.world, 1), productIn(rig.world, 1)];
  const far = productIn(rig.world, 2);
  for (let number = 1; number <= limits.channelLetters; number++) {
    rig.world.mustOwn(1).channels.add({ from: 1, to: 2, number, correlation: 'c', letter: hold(far, 1) });
  }
  const [toFar, toNear] = [rig.place(order, oneLine(far, 1)), rig.place(orderIn(rig.world, 1, 1), oneLine(near, 1))];
  rig.turn();
  assert.equal([rig.replyTo(toFar), rig.has(order), rig.replyTo(toNear)], ['unavailable', false, 'failed']);
  rig.world.mustOwn(1).channels.confirm(2, 1);
  rig.place(order, oneLine(far, 1));
  rig.turn();
  assert.ok(rig.has(order));
});

test('a letter that is taken back gives its number back', () => {
  const rig = new Rig({ ...AWAY, recordBytes: 8_000 });
  const [order, product] = [orderIn(rig.world, 1), productIn(rig.world, 2)];
  const large = rig.place('L', { ...oneLine(product, 1), notes: 'x'.repeat(8_000) });
  rig.place(order, oneLine(product, 1));
  rig.turn();
  assert.is(rig.replyTo(large), 'too_large');
  assert.equal(sent(rig).map(names), ['1->2 #1 hold']);
});

test('letters that do not fit into one record keep their order, and each record its own watermark', () => {
  const rig = new Rig({ ...AWAY, recordBytes: 3_000 }, worldOf([1, 2]));
  const [order, product] = [orderIn(rig.world, 1), productIn(rig.world, 2)];
  rig.receive(10, product);
  for (let number = 1; number <= 6; number++)
    rig.node.letter({ from: 1, to: 2, number, correlation: 'c', letter: hold(product, 1, order) });
  const watermarks: unknown[] = [];
  let done = 0;
  while (rig.node.wantsTurn()) {
    rig.turn();
    done += rig.lastRecord.cascades.length;
    watermarks.push(rig.lastRecord.parts[2]?.seen?.[1] === done);
  }
  assert.ok(watermarks.length > 1, 'more than one record');
  assert.not(watermarks.includes(false), 'each names what it contains');
  assert.equal(rig.stockOf(product), { onHand: 10, held: 6 });
});

test.run();
