/** Requests of other nodes' edges: which of them are fresh, signs of life, and what ends a wait. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId, orderId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import type { Owners, PlaceReply, PlaceRequest } from '../../../actors/ports/owners.js';
import { AsksServed } from '../../../bus/peers/asks-served.js';
import type { Ask, MessagePart } from '../../../bus/peers/messages.js';
import type { Outbox } from '../../../bus/peers/outbox.js';
import { contentOf } from '../actors/samples.js';
import { realClock } from '../edge/fake-owners.js';

const test = suite('requests of other nodes');
const UNKNOWN: PlaceReply = { kind: 'refused', refusal: 'unknown_order' };

function rig() {
  const placed: (PlaceRequest & { readonly answer: (reply: PlaceReply) => void })[] = [];
  const sent: [to: string, part: MessagePart, text: string][] = [];
  const timers: { readonly atMs: number; readonly run: () => void }[] = [];
  const epochs = new Map([[3, 5]]);
  let nowMs = 0;
  const later = (delayMs: number, run: () => void) => {
    timers.push({ atMs: nowMs + delayMs, run });
    return () => {};
  };
  const owners = {
    place: (ask: PlaceRequest) => new Promise<PlaceReply>((answer) => void placed.push({ ...ask, answer })),
  } as unknown as Owners;
  const served = new AsksServed({
    local: {
      ...{ journal: journalId('J1'), owners, epochOf: (partition) => epochs.get(partition), ownsAll: false },
      receiver: { letters() {}, confirmed() {} },
      hurryFlush() {},
    },
    outbox: (to) => ({ put: (part: MessagePart, text: string) => void sent.push([to, part, text]) }) as Outbox,
    clock: { ...realClock, after: (delayMs, run) => later(delayMs, run) },
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  });
  const ask = (over: Partial<Ask> = {}): Ask => {
    const content = contentOf();
    const body = { order: orderId('ORD-0'), content, correlation: 'c' } as PlaceRequest;
    return {
      ...{ id: 1, partition: 3, epoch: 5, seq: 1, patienceMs: 100, fresh: true, kind: 'place', body },
      ...over,
    } as Ask;
  };
  return {
    ...{ served, placed, sent, epochs, ask },
    fresh: () => placed.map(({ fresh }) => fresh),
    pass(ms: number) {
      nowMs += ms;
      for (const timer of timers.splice(0)) {
        if (timer.atMs <= nowMs) timer.run();
        else timers.push(timer);
      }
    },
  };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('fresh is believed once, at the present epoch, and above what the edge has sent (hazard 6)', () => {
  const { served, ask, fresh, epochs } = rig();
  served.take('E1', [ask({ id: 1, seq: 5 }), ask({ id: 2, seq: 6 }), ask({ id: 3, seq: 4 }), ask({ id: 4, seq: 6 })]);
  assert.equal(fresh(), [true, true, false, false]);
  served.take('E2', [ask({ id: 1, seq: 1 }), ask({ id: 5, seq: 2, epoch: 4 }), ask({ id: 6, seq: 2, epoch: 6 })]);
  assert.equal(fresh().slice(4), [true, false, false]);
  // An ask that is not believed counts as well, and what was not fresh stays so.
  const { fresh: _, ...known } = ask({ id: 7, seq: 9 });
  served.take('E1', [known as Ask, ask({ id: 8, seq: 8 })]);
  assert.equal(fresh().slice(7), [false, false]);
  // The partition has left and come back: late copies of before are no more believed.
  epochs.set(3, 7);
  served.take('E1', [ask({ id: 9, seq: 20, epoch: 5 }), ask({ id: 10, seq: 21, epoch: 7 })]);
  assert.equal(fresh().slice(9), [false, true]);
});

test('past the limit of edges no further edge is believed', () => {
  const { served, ask, fresh } = rig();
  for (let i = 0; i <= limits.peerEdges; i++) served.take(`E${i}`, [ask()]);
  assert.is(fresh().indexOf(false), limits.peerEdges);
});

test('a partition that is not owned is answered at once: it has moved', () => {
  const { served, ask, sent, placed, epochs } = rig();
  epochs.delete(3);
  served.take('E1', [ask({ id: 4 }), { ...ask({ id: 5 }), kind: 'order', body: orderId('X') }]);
  const why = '"kind":"unavailable","why":"this node does not own the partition","moved":true';
  assert.equal(sent, [
    ['E1', 'answers', `{"id":4,"reply":{${why}}}`],
    ['E1', 'answers', `{"id":5,"failed":{${why}}}`],
  ]);
  assert.is(placed.length, 0);
});

test('a request that waits shows a sign of life, and the same request again begins nothing', async () => {
  const { served, ask, sent, placed, pass } = rig();
  served.take('E1', [ask()]);
  assert.equal(sent, []);
  pass(limits.peerSignMs);
  served.take('E1', [ask({ seq: 2 })]);
  pass(limits.peerSignMs);
  assert.equal(
    sent,
    Array.from({ length: 3 }, () => ['E1', 'got', '1']),
  );
  assert.is(placed.length, 1);
  placed[0]?.answer(UNKNOWN);
  await settled();
  assert.equal(sent.slice(3), [['E1', 'answers', '{"id":1,"reply":{"kind":"refused","refusal":"unknown_order"}}']]);
  pass(limits.peerSignMs);
  assert.is(sent.length, 4);
  assert.is(served.size, 0);
});

test('a client that is gone gets no answer, and no more signs', async () => {
  const { served, ask, sent, placed, pass } = rig();
  served.take('E1', [ask(), ask({ id: 2, seq: 2 })]);
  served.cancel('E2', [1]);
  assert.is(served.size, 2);
  served.cancel('E1', [1, 99]);
  assert.is(served.size, 1);
  for (const { answer } of placed) answer(UNKNOWN);
  await settled();
  assert.equal(
    sent.map(([to, part, text]) => [to, part, text.slice(0, 7)]),
    [['E1', 'answers', '{"id":2']],
  );
  pass(limits.peerSignMs);
  assert.is(sent.length, 1);
});

test.run();
