/** Requests of this process's edge: what ends them when an owner in this process does not answer. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId, nodeId, orderId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import type { OrderState } from '../../../actors/order/order.js';
import type { Owners } from '../../../actors/ports/owners.js';
import { Unavailable } from '../../../actors/unavailable.js';
import { AsksMade } from '../../../bus/peers/asks-made.js';
import type { Outbox } from '../../../bus/peers/outbox.js';
import { Chance, Timeline } from '../../simulation/clock.js';

const test = suite('requests of this edge');
const JOURNAL = journalId('J1');
const PATIENCE_MS = 150;

const claim = { epoch: 1, node: nodeId('A'), journal: JOURNAL, at: 0 };
const silent = { debug() {}, info() {}, warn() {}, error() {} };

test('whoever waits for a partition asks again as soon as partitions have begun to run', async () => {
  const timeline = new Timeline(new Chance(1), false);
  const clock = timeline.clockOf(undefined, () => 0);
  let runs = false;
  const order = async () => {
    if (!runs) throw new Unavailable('it joins', false, true);
    return undefined;
  };
  const asks = new AsksMade({
    ownership: { ownerOf: () => claim, refresh: async () => {}, watch: () => () => {} },
    local: () => ({
      ...{ journal: JOURNAL, owners: { order } as unknown as Owners, epochOf: () => 1, ownsAll: false },
      receiver: { letters() {}, confirmed() {} },
      hurryFlush() {},
    }),
    outbox: () => ({ put() {} }) as unknown as Outbox,
    ...{ clock, logger: silent },
  });
  let answeredAtMs: number | undefined;
  void asks.ask({ kind: 'order', body: orderId('ORD-1') }, 3, 10_000, false).then(() => {
    answeredAtMs = timeline.nowMs;
  });
  let beganAtMs: number | undefined;
  clock.after(3_010, () => {
    runs = true;
    beganAtMs = timeline.nowMs;
    asks.wake();
  });
  while (answeredAtMs === undefined && timeline.nowMs < 10_000 && (await timeline.step()));
  assert.is(answeredAtMs, beganAtMs);
});

test('a read of this process is given up with its patience, also while the journal does not answer', async () => {
  const timeline = new Timeline(new Chance(1), false);
  const clock = timeline.clockOf(undefined, () => 0);
  let refuse: (error: Unavailable) => void = () => {};
  const owners = {
    order: () =>
      new Promise<OrderState>((_, reject) => {
        refuse = reject;
      }),
  } as unknown as Owners;
  let reads = 0;
  const refresh = async () => void reads++;
  const asks = new AsksMade({
    ownership: { ownerOf: () => claim, refresh, watch: () => () => {} },
    local: () => ({
      ...{ journal: JOURNAL, owners, epochOf: () => 1, ownsAll: false },
      receiver: { letters() {}, confirmed() {} },
      hurryFlush() {},
    }),
    outbox: () => ({ put() {} }) as unknown as Outbox,
    ...{ clock, logger: silent },
  });
  let answered: { readonly atMs: number; readonly text: string } | undefined;
  void asks.ask({ kind: 'order', body: orderId('ORD-1') }, 3, PATIENCE_MS, false).then((answer) => {
    answered = { atMs: timeline.nowMs, text: JSON.stringify(answer) };
  });
  while (answered === undefined && timeline.nowMs < 10_000 && (await timeline.step()));
  assert.match(answered?.text ?? 'nothing', /"failed":.*did not answer in time/);
  assert.ok((answered?.atMs ?? 0) <= PATIENCE_MS + limits.peerGraceMs + 100);
  assert.is(asks.size, 0);
  // What the owner says then is of no request any more, so it asks nobody else.
  refuse(new Unavailable('gone', false, true));
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(reads, 0);
  assert.not.ok(await timeline.step());
});

test.run();
