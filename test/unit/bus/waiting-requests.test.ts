/** Requests that wait for an owner: their deadlines, and what becomes of them when another owner has to decide. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { orderId } from '../../../actors/ids.js';
import type { Caller, NoAnswer, PlaceRequest } from '../../../actors/ports/owners.js';
import { type Reply, WaitingRequests } from '../../../bus/node/waiting-requests.js';
import { contentOf, orderAfter, placed } from '../actors/samples.js';

const test = suite('waiting requests');
const ASK: PlaceRequest = { order: orderId('ORD-1'), content: contentOf(), correlation: 'c', fresh: true };
const ACCEPTED = orderAfter([placed()]);
const MOVED: NoAnswer = { kind: 'unavailable', why: 'moved', moved: true };
const REFUSED: Reply = { kind: 'refused', refusal: 'other_body' };

function rig() {
  let nowMs = 0;
  const requests = new WaitingRequests({ monotonic: () => nowMs });
  return {
    requests,
    pass(ms: number) {
      nowMs += ms;
    },
    add(caller?: Caller) {
      let request = 0;
      const reply = new Promise<Reply>((resolve) => {
        request = requests.add(1_000, resolve, { ask: ASK, caller, order: ASK.order, impatient: undefined });
      });
      return { request, reply };
    },
  };
}

/** @param next what the next owner answers */
function goesOn(next: Reply) {
  const asked: [PlaceRequest, number][] = [];
  const goOn = async (ask: object, restMs: number) => {
    asked.push([ask as PlaceRequest, restMs]);
    return next;
  };
  return { caller: { goOn } as Caller, asked };
}

for (const [why, more] of Object.entries({
  moved: { moved: true },
  absent: { absent: true },
  alias: { alias: ASK.order },
})) {
  test(`${why}: the request goes on with the rest of its time`, async () => {
    const { requests, add, pass } = rig();
    const { caller, asked } = goesOn(REFUSED);
    const { request, reply } = add(caller);
    pass(300);
    requests.answer(request, { kind: 'unavailable', why, ...more });
    assert.is(await reply, REFUSED);
    assert.equal(asked, [[ASK, 700]]);
    assert.is(requests.size, 0);
  });
}

test('any other "not now" is the reply, and so is "moved" for a caller that does not go on', async () => {
  const { requests, add } = rig();
  const { caller, asked } = goesOn(REFUSED);
  const busy = add(caller);
  requests.answer(busy.request, { kind: 'unavailable', why: 'too many' });
  assert.equal(await busy.reply, { kind: 'unavailable', why: 'too many' });
  const other = add();
  requests.answer(other.request, MOVED);
  assert.is(await other.reply, MOVED);
  assert.is(asked.length, 0);
});

test('an order that is durable already is at least pending, whatever the next owner answers', async () => {
  const { requests, add } = rig();
  for (const [next, kind] of [
    [MOVED, 'pending'],
    [REFUSED, 'refused'],
  ] as const) {
    const { request, reply } = add(goesOn(next).caller);
    requests.accept(request, ACCEPTED);
    requests.answer(request, MOVED);
    assert.is((await reply).kind, kind);
  }
  const { request, reply } = add();
  requests.accept(request, ACCEPTED);
  requests.answer(request, MOVED);
  assert.is(await reply, MOVED, 'the edge that asked goes on itself');
});

test('at the end of the incarnation all requests go on, or hear that they may', async () => {
  const { requests, add } = rig();
  const { caller, asked } = goesOn(REFUSED);
  const [one, two] = [add(caller), add()];
  requests.end('it is over');
  assert.is(await one.reply, REFUSED);
  assert.equal(await two.reply, { kind: 'unavailable', why: 'it is over', moved: true });
  assert.is(asked.length, 1);
});

test('a client that is gone waits no more', async () => {
  const { requests, add } = rig();
  const { request, reply } = add();
  const abandoned: string[] = [];
  requests.cancel(request, (order) => void abandoned.push(order));
  requests.cancel(request, (order) => void abandoned.push(order));
  assert.is((await reply).kind, 'unavailable');
  assert.equal([abandoned, requests.size], [[ASK.order], 0]);
});

test.run();
