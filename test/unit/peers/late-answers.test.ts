/** A key that may be another order's takes several questions: the client's patience is that of all of them together. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { orderId, userId } from '../../../actors/ids.js';
import type { PlaceRequest } from '../../../actors/ports/owners.js';
import type { Answer, Wanted } from '../../../bus/peers/messages.js';
import { routedOwners } from '../../../bus/peers/routed-owners.js';
import { A, oneLine } from '../actors/samples.js';

const test = suite('late answers');
const ORDER = orderId('ORD-4PE9TG5Y4ATA7R877CD86BWVCS');
const ALIAS = orderId('ORD-661KAW4MXKE4M1X7PT3ZF0VRFQ');
const PATIENCE_MS = 150;

/** An edge without an owner of its own; each question takes so long. */
function edge(tookMs: number, user: string) {
  const asked: string[] = [];
  let nowMs = 0;
  const ask = async ({ kind, body }: Wanted): Promise<Answer> => {
    asked.push(kind === 'order' ? `order ${body === ALIAS ? 'alias' : 'own'}` : kind);
    nowMs += tookMs;
    if (kind === 'order') return { state: body === ALIAS ? ({ content: { user } } as never) : undefined };
    return { reply: { kind: 'unavailable', why: 'asked' } };
  };
  const clock = { monotonic: () => nowMs };
  const owners = routedOwners({
    partitions: 16,
    local: () => undefined,
    asks: { ask },
    notReady: async () => undefined,
    clock,
  });
  const content = { ...oneLine(A, 1), user: userId('ann') };
  const request: PlaceRequest = {
    order: ORDER,
    alias: ALIAS,
    content,
    correlation: 'c',
    fresh: false,
    impatient: false,
  };
  return { asked, reply: () => owners.place(request, PATIENCE_MS) };
}

test('every question is asked while there is time', async () => {
  const { asked, reply } = edge(10, 'ann');
  assert.equal(await reply(), { kind: 'unavailable', why: 'asked' });
  assert.equal(asked, ['order alias', 'order own', 'place']);
});

test('after a late answer nothing more is asked, and the client hears that nobody knows', async () => {
  for (const [tookMs, user, questions] of [
    [160, 'ann', ['order alias']],
    [80, 'ann', ['order alias', 'order own']],
    [160, 'bob', ['order alias']],
  ] as const) {
    const { asked, reply } = edge(tookMs, user);
    const said = await reply();
    assert.is(said.kind, 'unavailable');
    assert.is('absent' in said && said.absent === true, false);
    assert.equal(asked, questions);
  }
});

test.run();
