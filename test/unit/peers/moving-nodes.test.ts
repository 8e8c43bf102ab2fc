/**
 * Real nodes over stores in memory and a link that delays and loses: clients at every edge, while partitions move and a
 * node dies. Every request is answered, no order is made twice, every answer is right, and the stock adds up.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nodeId, type OrderId, orderId, productId, userId, writeId } from '../../../actors/ids.js';
import type { OrderState } from '../../../actors/order/order.js';
import type { Owners, PlaceRequest, StockRequest } from '../../../actors/ports/owners.js';
import { memoryLog } from '../../../bus/journal/memory-log.js';
import { Incarnation } from '../../../bus/node/incarnation.js';
import { OwnershipMap } from '../../../bus/node/ownership-map.js';
import { forgetfulPayments, instantPayments } from '../../../bus/payments/mock-provider.js';
import { memoryNetwork } from '../../../bus/peers/memory-link.js';
import { peerPost } from '../../../bus/peers/peer-post.js';
import { Peers } from '../../../bus/peers/peers.js';
import { routedOwners } from '../../../bus/peers/routed-owners.js';
import { memoryCache } from '../../../storage/memory/memory-cache.js';
import { memorySnapshots } from '../../../storage/memory/memory-snapshots.js';
import { patientMs, until } from '../../deadlines.js';
import { realClock } from '../edge/fake-owners.js';

const test = suite('moving nodes');
const PARTITIONS = 8;
const ALL = Array.from({ length: PARTITIONS }, (_, partition) => partition);
const PRODUCTS = Array.from({ length: 12 }, (_, i) => productId(`P${i}`));
const EACH = 400;
const PATIENCE_MS = patientMs(20_000);
const logger = {
  debug() {},
  info() {},
  warn() {},
  error: (fields: object, line: string) => void broken.push([line, fields]),
};
const broken: unknown[] = [];

interface RunningNode {
  readonly incarnation: Incarnation;
  readonly peers: Peers;
  readonly owners: Owners;
  readonly ownership: OwnershipMap;
  isUp: boolean;
}

const log = memoryLog();
const { snapshots, queries } = memorySnapshots();
const weather = { lost: 0.02, repeated: 0.02, delayMs: 5 };
const network = memoryNetwork({ random: Math.random, weather: () => weather });
const nodes: RunningNode[] = [];
const alive = () => nodes.filter(({ isUp }) => isUp);
const any = <T>(items: readonly T[]): T => items[Math.floor(Math.random() * items.length)] as T;
const pause = (ms: number) => new Promise<void>((resolve) => void realClock.after(ms, resolve));

function start(deliverAtHome: boolean): RunningNode {
  const name = `n${nodes.length}`;
  const clock = realClock;
  const ownership = new OwnershipMap({ partitions: PARTITIONS, log, clock, logger });
  const node: { isUp: boolean } = { isUp: true };
  const peers = new Peers({ link: network.link(clock, () => node.isUp), ownership, name, clock, logger });
  const incarnation = new Incarnation({
    ...{
      node: nodeId(name),
      nodeName: name,
      partitions: PARTITIONS,
      log,
      snapshots,
      queries,
      clock,
      logger,
      ownership,
    },
    ...{ cache: memoryCache(clock), events: undefined, eventsMayForget: false, payments: forgetfulPayments(1) },
    context: { instantPayment: instantPayments(1) },
    post: peerPost(peers, ownership, clock),
    meter: { appended() {}, flushed() {}, retried() {}, unanswered() {}, cached() {}, deadLetter() {} },
    ...{ source: '/test', orderTimeoutMs: 60_000, holdTtlMs: 60_000, recordBytes: 1_000_000, deliverAtHome },
    byteLength: (text) => Buffer.byteLength(text),
    isStopping: () => false,
  });
  const { journal, driver, node: machine } = incarnation;
  peers.serve({
    ...{ journal, owners: incarnation.owners, receiver: driver },
    hurryFlush: (position) => driver.hurryFlush(position),
    epochOf: (partition) => machine.world.epochOf(partition),
    get ownsAll() {
      return machine.world.owned.size === PARTITIONS;
    },
  });
  incarnation.keep();
  ownership.start();
  const owners = routedOwners({
    ...{ partitions: PARTITIONS, local: () => peers.local, asks: peers.asks, clock },
    notReady: async () => undefined,
  });
  const running = Object.assign(node, { incarnation, peers, owners, ownership });
  nodes.push(running);
  return running;
}

function stop(node: RunningNode): void {
  node.isUp = false;
  node.incarnation.driver.finish({ kind: 'stopped' });
  node.peers.stop();
  node.ownership.stop();
}

const placeOf = (order: OrderId, count: number): PlaceRequest => {
  const first = Math.floor(Math.random() * PRODUCTS.length);
  const lines = Array.from({ length: count }, (_, i) => {
    const product = PRODUCTS[(first + i) % PRODUCTS.length] ?? productId('');
    return { product, quantity: 1 + Math.floor(Math.random() * 2) };
  });
  const content = { user: userId('ann'), userIsNumber: false, lines };
  return { order, content, correlation: 'c', fresh: true, alias: undefined, impatient: false };
};

test('clients at every edge, partitions that move, and a node that dies', async () => {
  const first = start(true);
  await first.incarnation.host.take(ALL, []);
  for (const product of PRODUCTS) {
    const receipt = { ref: writeId(`r-${product}`), fingerprint: 'f', name: product, unitPrice: 5, currency: 'USD' };
    const command = { type: 'receive', ...receipt, quantity: EACH } as const;
    await first.owners.stock({ product, correlation: 'c', fresh: true, command }, PATIENCE_MS);
  }
  start(false);
  start(true);
  let isOver = false;
  let moves = 0;
  /** Every order that was asked for, with the last state that its client heard of. */
  const outcomes = new Map<OrderId, OrderState | undefined>();
  const silent: unknown[] = [];
  const aliased: OrderId[] = [];
  const received = new Map<string, number>();

  /** The key of this request is the id of an order that its caller has. */
  const keyed = async (known: PlaceRequest): Promise<void> => {
    const node = any(alive());
    const order = orderId(`ORD-${realClock.id()}`);
    const reply = await node.owners.place({ ...known, order, alias: known.order, fresh: false }, PATIENCE_MS);
    aliased.push(order);
    if (node.isUp) assert.is(reply.kind === 'outcome' ? reply.state.id : JSON.stringify(reply), known.order);
  };
  /** Received once, however often it is asked for. */
  const receive = async (): Promise<void> => {
    const product = any(PRODUCTS);
    const ref = writeId(realClock.id());
    const command = {
      type: 'receive',
      ref,
      fingerprint: 'f',
      name: product,
      unitPrice: 5,
      currency: 'USD',
      quantity: 1,
    };
    received.set(product, (received.get(product) ?? 0) + 1);
    for (let isDone = false; !isDone; ) {
      const node = any(alive());
      const ask = { product, correlation: 'c', fresh: false, command } as StockRequest;
      const reply = await node.owners.stock(ask, PATIENCE_MS);
      isDone = reply.kind === 'done' && Math.random() < 0.5;
      if (node.isUp && reply.kind !== 'done') silent.push(reply);
    }
  };

  const client = async (): Promise<void> => {
    while (!isOver) {
      await pause(0);
      const node = any(alive());
      const ask = placeOf(orderId(`ORD-${realClock.id()}`), 1 + Math.floor(Math.random() * 3));
      outcomes.set(ask.order, undefined);
      const reply = await node.owners.place(ask, PATIENCE_MS);
      if (!node.isUp) continue;
      if (reply.kind !== 'outcome') {
        silent.push(reply);
        continue;
      }
      outcomes.set(ask.order, reply.state);
      const other = any(alive());
      const again = await other.owners.place({ ...ask, fresh: false }, PATIENCE_MS);
      if (!other.isUp) continue;
      if (again.kind !== 'outcome') silent.push(again);
      else
        assert.equal(
          [again.state.phase, again.state.version, again.repeat],
          [reply.state.phase, reply.state.version, true],
        );
      if (Math.random() < 0.2) await keyed(ask);
      if (Math.random() < 0.2) await receive();
      if (reply.state.phase !== 'confirmed' || Math.random() < 0.7) continue;
      const act = { ref: writeId(`a-${ask.order}`), fingerprint: 'f' };
      const cancel = { order: ask.order, command: { type: 'cancel', act }, correlation: 'c', fresh: true } as const;
      const at = any(alive());
      outcomes.set(ask.order, undefined);
      const cancelled = await at.owners.act(cancel, PATIENCE_MS);
      if (!at.isUp) continue;
      if (cancelled.kind === 'done') outcomes.set(ask.order, cancelled.state);
      else silent.push(cancelled);
      const reader = any(alive());
      const read = await reader.owners.order(ask.order).catch((error: unknown) => {
        if (reader.isUp) silent.push(error);
      });
      if (reader.isUp) assert.is(read?.phase, 'cancelled', 'a read after a write');
    }
  };
  const mover = async (): Promise<void> => {
    while (!isOver) {
      const from = any(alive());
      const to = any(alive().filter((each) => each !== from));
      const mine = [...from.incarnation.host.states()].filter(([, { state }]) => state === 'running');
      if (mine.length === 0) {
        await pause(5);
        continue;
      }
      const [partition] = any(mine);
      if (await from.incarnation.host.giveAway(partition, nodeId(`n${nodes.indexOf(to)}`), PATIENCE_MS)) {
        await to.incarnation.host.take([partition], []).catch(() => {});
        if (to.incarnation.host.states().get(partition)?.state === 'running') moves++;
      }
      await pause(Math.random() * 60);
    }
  };
  const clients = Array.from({ length: 12 }, client);
  const moving = mover();
  assert.ok(await until(() => moves >= 25, 60_000));
  // A node dies; another one takes what it had.
  const victim = any(alive());
  const heir = any(alive().filter((each) => each !== victim));
  const { journal } = victim.incarnation;
  const left = [...victim.incarnation.host.states().keys()];
  stop(victim);
  start(true);
  const heirs = async () => {
    await heir.ownership.refresh();
    const lost = ALL.filter((partition) => heir.ownership.ownerOf(partition)?.journal === journal);
    const free = ALL.filter((partition) => heir.ownership.ownerOf(partition) === undefined);
    await heir.incarnation.host.take([...lost, ...free, ...left], [journal]);
    return ALL.every((partition) => heir.ownership.ownerOf(partition) !== undefined);
  };
  assert.ok(await until(heirs, 10_000));
  const before = moves;
  assert.ok(await until(() => moves >= before + 25, 60_000));
  isOver = true;
  await Promise.all([...clients, moving]);

  assert.equal(silent, [], 'every request had an answer');
  assert.equal(broken, []);
  assert.ok(outcomes.size > 100, `${outcomes.size} orders`);
  const reader = any(alive());
  for (const order of aliased) assert.is(await reader.owners.order(order), undefined, 'a key made no second order');
  const taken = new Map<string, number>();
  for (const [id, state] of outcomes) {
    const now = await reader.owners.order(id);
    if (state !== undefined) assert.is(now?.phase, state.phase, `order ${id}`);
    if (now?.phase !== 'confirmed') continue;
    for (const { product, quantity } of now.content.lines) taken.set(product, (taken.get(product) ?? 0) + quantity);
  }
  for (const product of PRODUCTS) {
    const state = await reader.owners.product(product);
    const onHand = EACH + (received.get(product) ?? 0) - (taken.get(product) ?? 0);
    assert.equal([state?.held, state?.onHand], [0, onHand], `the stock of ${product}`);
  }
  for (const node of alive()) stop(node);
});

test.run();
