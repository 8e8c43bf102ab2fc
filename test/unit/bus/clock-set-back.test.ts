/** The machine's clock is set back by 30 seconds: orders and stock stay in order for every reader. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nodeId, type OrderId, orderId, productId, userId, writeId } from '../../../actors/ids.js';
import type { Clock, Logger } from '../../../actors/ports/runtime.js';
import { memoryLog } from '../../../bus/journal/memory-log.js';
import { localPost } from '../../../bus/letters/local-post.js';
import { Supervisor } from '../../../bus/node/supervisor.js';
import { forgetfulPayments, instantPayments } from '../../../bus/payments/mock-provider.js';
import { systemClock } from '../../../bus/system-clock.js';
import { memoryCache } from '../../../storage/memory/memory-cache.js';
import { memorySnapshots } from '../../../storage/memory/memory-snapshots.js';

const test = suite('a clock set back');
const BACK_MS = 30_000;
const P = productId('P');

/** Machines over the same stores, each with a clock offset that the test sets. */
function system() {
  const log = memoryLog();
  const { snapshots, queries } = memorySnapshots();
  const real = systemClock();
  const lines: string[] = [];
  const hear = (_: object, line: string) => void lines.push(line);
  const logger: Logger = { debug() {}, info: hear, warn: hear, error: hear };
  let offMs = 0;
  const clock: Clock = { ...real, now: () => real.now() + offMs };
  const start = async () => {
    const machine = new Supervisor(clock, logger);
    machine.start({
      ...{ node: nodeId('one'), nodeName: 'one', partitions: 4, log, snapshots, queries, cache: memoryCache(clock) },
      events: undefined,
      eventsMayForget: false,
      payments: forgetfulPayments(1),
      context: { instantPayment: instantPayments(1) },
      post: localPost(clock),
      meter: { appended() {}, flushed() {}, unanswered() {}, retried() {}, cached() {}, deadLetter() {} },
      source: '/test',
      orderTimeoutMs: 30_000,
      holdTtlMs: 30_000,
      recordBytes: 1_000_000,
      byteLength: (text) => Buffer.byteLength(text),
      deliverAtHome: true,
    });
    await machine.begun;
    return machine;
  };
  const moveClock = (byMs: number) => {
    offMs += byMs;
  };
  return { start, moveClock, queries, lines, now: () => clock.now() };
}

const stock = (machine: Supervisor, ref: string, delta: number) => {
  const named = { ref: writeId(ref), fingerprint: ref };
  const command =
    delta > 0
      ? ({ type: 'receive', ...named, name: 'P', unitPrice: 100, currency: 'USD', quantity: delta } as const)
      : ({ type: 'adjust', ...named, delta, reason: 'count' } as const);
  return machine.stock({ product: P, command, correlation: 'c', fresh: true }, 3_000);
};

const place = async (machine: Supervisor, id: string, product = P): Promise<OrderId> => {
  const content = { user: userId('U'), userIsNumber: false, lines: [{ product, quantity: 1 }] };
  const ask = { order: orderId(id), content, correlation: id, fresh: true };
  const reply = await machine.place(ask, 3_000);
  assert.is(reply.kind, 'outcome');
  return orderId(id);
};

const newest = async (queries: ReturnType<typeof system>['queries']) =>
  (await queries.orders({}, { page: 1, pageSize: 9 })).orders.map(({ id }) => id);

for (const how of ['while it runs', 'before a restart'] as const) {
  test(`${how}: a past balance, a shipment and a list are right`, async () => {
    const { start, moveClock, queries, lines, now } = system();
    let machine = await start();
    await stock(machine, 'r1', 100);
    const first = await place(machine, 'ORD-8');
    // The last event leaves no trace on a product, and its order is settled.
    moveClock(5_000);
    const unknown = await place(machine, 'ORD-9', productId('nobody knows it'));
    const before = (await machine.order(unknown))?.updatedAt ?? 0;
    await machine.flushed(first);
    await machine.flushed(unknown);
    moveClock(-BACK_MS);
    if (how === 'before a restart') {
      await machine.stop(3_000);
      machine = await start();
    }
    await stock(machine, 'a1', -30);
    const later = await place(machine, 'ORD-1');
    const act = { ref: writeId('ship'), fingerprint: 'f' };
    const shipped = await machine.act({ order: first, command: { type: 'ship', act }, correlation: 'c' }, 3_000);
    for (const id of [first, later]) await machine.flushed(id);
    await machine.stop(3_000);

    const { operations } = await queries.ledger(P, undefined, 9);
    const times = operations.map(({ at }) => at).reverse();
    assert.equal(times, [...times].sort(), 'the ledger is in the order of time');
    assert.is((await queries.stockAt(P, before)).operation?.onHandAfter, 99, 'as it stood before');
    assert.is((await queries.stockAt(P, times.at(-1) ?? 0)).operation?.onHandAfter, 68);
    if (shipped.kind !== 'done') throw new Error(`the shipment was ${shipped.kind}`);
    const { life, createdAt, updatedAt } = shipped.state;
    assert.ok((life.fulfillments[0]?.shippedAt ?? 0) > createdAt, 'shipped after it was placed');
    assert.ok(updatedAt > before);
    assert.equal(await newest(queries), [later, unknown, first], 'newest first');
    assert.ok(updatedAt < now() + BACK_MS + 5_000, 'and not far ahead');
    const said = lines.filter((line) => /clock is \d+ s behind/.test(line));
    assert.is(said.length, 1, 'said once');
  });
}

test.run();
