/**
 * A whole system in one process: the real edge, the real node and its driver, over stores in memory. A test can
 * kill and restart it, and decides when delayed requests arrive.
 */
import { nodeId, type OrderId, type ProductId } from '../../../actors/ids.js';
import type { ActRequest, Owners, PlaceRequest, StockRequest } from '../../../actors/ports/owners.js';
import type { Clock } from '../../../actors/ports/runtime.js';
import { GremlinControl } from '../../../bus/gremlin/gremlin-control.js';
import { Gremlin } from '../../../bus/gremlin/gremlin-decisions.js';
import { ownersUnderGremlin } from '../../../bus/gremlin/gremlin-ports.js';
import { memoryLog } from '../../../bus/journal/memory-log.js';
import { localPost } from '../../../bus/letters/local-post.js';
import { Supervisor } from '../../../bus/node/supervisor.js';
import { forgetfulPayments, instantPayments } from '../../../bus/payments/mock-provider.js';
import { memoryCache } from '../../../storage/memory/memory-cache.js';
import { memorySnapshots } from '../../../storage/memory/memory-snapshots.js';
import { memoryGremlinSwitch } from '../../../storage/memory/memory-stores.js';
import { until } from '../../deadlines.js';
import { type Fixture, startFixture } from './edge-fixture.js';
import { realClock } from './fake-owners.js';

/** Longer than any wait in these tests. */
export const LATE_MS = 5_000;
const WAIT_MS = 1_000;
const FLUSHED_MS = 10_000;
const silent = { debug() {}, info() {}, warn() {}, error() {} };

export interface MemorySystem extends Omit<Fixture, 'owners'> {
  /** Lets all delayed requests arrive. @returns their number. */
  letCome(): number;
  /** Dies without cleaning up, and starts again over its stores. */
  kill(): Promise<void>;
  /** Waits until every append is in the read model. */
  caughtUp(): Promise<void>;
  stopAll(): Promise<void>;
}

export async function startMemorySystem(): Promise<MemorySystem> {
  const delayed: (() => void)[] = [];
  const clock: Clock = {
    ...realClock,
    after(delayMs, run) {
      if (delayMs !== LATE_MS) return realClock.after(delayMs, run);
      delayed.push(run);
      return () => {};
    },
  };
  const log = memoryLog();
  const { snapshots, queries } = memorySnapshots();
  const start = async (): Promise<Supervisor> => {
    const supervisor = new Supervisor(realClock, silent);
    supervisor.start({
      ...{ node: nodeId('one'), nodeName: 'one', partitions: 4, log, snapshots, queries },
      cache: memoryCache(realClock),
      events: undefined,
      eventsMayForget: false,
      payments: forgetfulPayments(1),
      context: { instantPayment: instantPayments(1) },
      post: localPost(realClock),
      meter: { appended() {}, flushed() {}, retried() {}, unanswered() {}, cached() {}, deadLetter() {} },
      source: '/test',
      ...{ orderTimeoutMs: 30_000, holdTtlMs: 30_000, recordBytes: 1_000_000 },
      byteLength: (text) => Buffer.byteLength(text),
      deliverAtHome: true,
    });
    supervisor.ended.catch(() => {}); // It is killed.
    await supervisor.begun;
    return supervisor;
  };
  let alive = await start();
  const owners: Owners = {
    place: (ask: PlaceRequest, waitMs: number) => alive.place(ask, waitMs),
    act: (ask: ActRequest, waitMs: number) => alive.act(ask, waitMs),
    stock: (ask: StockRequest, waitMs: number) => alive.stock(ask, waitMs),
    order: (id: OrderId) => alive.order(id),
    product: (id: ProductId) => alive.product(id),
    flushed: (id: OrderId) => alive.flushed(id),
    notReady: () => alive.notReady(),
  };
  const gremlin = new Gremlin(clock, () => {});
  const fixture = await startFixture({
    owners: ownersUnderGremlin(owners, gremlin, clock),
    queries,
    gremlin: new GremlinControl(gremlin, memoryGremlinSwitch(clock), clock, silent),
    clock,
    waitMs: WAIT_MS,
  });
  return {
    ...fixture,
    letCome() {
      const come = delayed.splice(0);
      for (const run of come) run();
      return come.length;
    },
    async kill() {
      alive.abandon(new Error('killed'));
      await alive.ended.catch(() => {});
      alive = await start();
    },
    async caughtUp() {
      const node = alive.incarnation?.node;
      const isFlushed = () => node === undefined || node.flushedTo.n === node.appendedTo.n;
      if (!(await until(isFlushed, FLUSHED_MS, 5))) throw new Error('the node did not flush its appends');
    },
    async stopAll() {
      await fixture.stop();
      await alive.stop(2_000);
    },
  };
}
