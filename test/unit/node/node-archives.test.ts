/** Archived orders: read beside the one look-up, refused to new acts, and what a node owes before their rows go. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { orderId, writeId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import type { StoredOrder } from '../../../actors/ports/snapshot-rows.js';
import { A, oneLine } from '../actors/samples.js';
import { Rig } from './node-rig.js';

const test = suite('archived orders on a node');
const KEYED = { fresh: false };
const LINE = oneLine(A, 1);

/** A rig, and an order that is settled, flushed and out of memory: as its row has it. */
function shop(): { readonly rig: Rig; readonly stored: StoredOrder } {
  const rig = new Rig().receive(10, A);
  rig.place('K', LINE);
  rig.turn();
  const entry = rig.world.orders.get(orderId('K'));
  if (entry === undefined) throw new Error('it was not placed');
  const { state, version, epoch, n } = entry;
  rig.world.orders.delete(orderId('K'));
  return { rig, stored: { state, version, epoch, n, archived: true } };
}

const away = (isGone = false) => ({ orders: [], writes: [], archived: [{ order: orderId('K'), isGone }] });

test('an act waits for the archive alone, and is refused; other look-ups go on meanwhile', () => {
  const { rig, stored } = shop();
  const act = rig.act('K', { type: 'ship' });
  rig.found(rig.last('lookUp').number, away());
  assert.equal(rig.last('readArchived').order, 'K');
  const other = rig.place('L', LINE, KEYED);
  rig.found(rig.last('lookUp').number).turn();
  assert.ok(rig.replyTo(other), 'another order is placed while the archive is read');
  assert.is(rig.replyTo(act), undefined);
  rig.node.archiveRead(orderId('K'), stored);
  rig.hear().turn();
  assert.is(rig.replyTo(act), 'archived');
  assert.is(rig.world.orders.get(orderId('K'))?.version, stored.version, 'nothing is remembered');
});

test('the status that an archived order has is no change; an order that stays after all takes acts again', () => {
  const { rig, stored } = shop();
  const answered = (command: Parameters<Rig['act']>[1], isArchived: boolean) => {
    const act = rig.act('K', command);
    rig.found(rig.last('lookUp').number, { orders: [{ ...stored, archived: isArchived }] }).turn();
    return rig.replyTo(act);
  };
  assert.is(answered({ type: 'ship', act: { ref: writeId('s1'), fingerprint: 'f' } }, true), 'archived');
  assert.is(answered({ type: 'move', to: 'confirmed', act: { ref: writeId('m1'), fingerprint: 'f' } }, true), 'done');
  assert.is(answered({ type: 'move', to: 'shipped', act: { ref: writeId('m2'), fingerprint: 'f' } }, true), 'archived');
  assert.ok(rig.world.orders.has(orderId('K')), 'it is in memory all the while');
  assert.is(answered({ type: 'ship', act: { ref: writeId('s2'), fingerprint: 'f' } }, false), 'done');
});

test('many that want one order make one read; a repeat is the order itself', () => {
  const { rig, stored } = shop();
  const requests = [rig.place('K', LINE, KEYED), rig.place('K', LINE, KEYED)];
  while (rig.all('lookUp').length > 0 && rig.all('readArchived').length === 0)
    rig.found(rig.last('lookUp').number, away());
  rig.found(rig.last('lookUp').number, away());
  assert.is(rig.all('readArchived').length, 1);
  rig.node.archiveRead(orderId('K'), stored);
  rig.hear();
  rig.found(rig.last('lookUp').number, away()).turn();
  for (const request of requests) assert.ok(rig.replyTo(request), `request ${request} has its answer`);
});

test('an archive that cannot be read is told, and means nothing; a removed one is gone', () => {
  const { rig } = shop();
  const act = rig.act('K', { type: 'ship' });
  rig.found(rig.last('lookUp').number, away());
  rig.node.archiveRead(orderId('K'), undefined, 'The archive is away.');
  rig.hear();
  assert.is(rig.replyTo(act), 'unavailable');
  assert.equal(rig.last('replyAct').reply, { kind: 'unavailable', why: 'The archive is away.', told: true });
  const late = rig.act('K', { type: 'ship' });
  rig.found(rig.last('lookUp').number, away(true));
  assert.is(rig.replyTo(late), 'gone');
});

test('no more commands wait for archives than the limit', () => {
  const { rig } = shop();
  const requests: number[] = [];
  const first = rig.act('K', { type: 'ship' });
  for (let i = 0; i < limits.archiveReadsWaiting; i++)
    requests.push(rig.act('K', { type: 'ship', act: { ref: writeId(`a${i}`), fingerprint: 'f' } }));
  for (let seen = 0; seen < rig.all('lookUp').length; ) {
    seen = rig.all('lookUp').length;
    rig.found(rig.last('lookUp').number, away());
  }
  assert.is(rig.replyTo(first), undefined);
  const refused = requests.filter((request) => rig.replyTo(request) !== undefined);
  assert.is(refused.length, 1);
});

test('a barrier is seen once the look-up of before has ended and its order has left memory', () => {
  const { rig, stored } = shop();
  const act = rig.act('K', { type: 'ship' });
  const { number } = rig.last('lookUp');
  rig.node.seeArchives(7);
  assert.is(rig.node.archivesSeen, 0, 'a look-up of before is under way');
  rig.found(number, { orders: [{ ...stored, archived: false }] });
  assert.is(rig.node.archivesSeen, 0, 'what it found is in memory');
  rig.turn();
  assert.is(rig.replyTo(act), 'done', 'it was not archived when it was looked up');
  assert.is(rig.node.archivesSeen, 0, 'the change is in no row yet');
  rig.catchUp();
  assert.is(rig.node.archivesSeen, 7);
  rig.node.seeArchives(3);
  assert.is(rig.node.archivesSeen, 7, 'an older barrier is nothing new');
});

test.run();
