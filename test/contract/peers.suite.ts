// What nodes promise one another, on every link.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type OrderId, orderId, type ProductId, partitionOf, productId, userId, writeId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { hasOutcome } from '../../actors/order/order.js';
import type { NumberedLetter } from '../../actors/ports/letters.js';
import type { ActRequest, Caller, PlaceRequest, StockRequest } from '../../actors/ports/owners.js';
import { unknownProduct } from '../../actors/product/inventory.js';
import type { PeerLink } from '../../bus/peers/peer-link.js';
import { patientMs, until } from '../deadlines.js';
import { realClock } from '../unit/edge/fake-owners.js';
import { PARTITIONS, PeerNode, PeerSystem } from './rig/peer-nodes.js';

/** Longer than any wait in these tests. */
const PATIENCE_MS = patientMs(10_000);

export function peersContract(name: string, newLink: () => Promise<PeerLink>, after: () => Promise<void>): void {
  const test = suite(`peers contract: ${name}`);
  let count = 0;
  const running: PeerNode[] = [];

  /** An id in the partition. */
  const idIn = (kind: 'order' | 'product', partition: number): string => {
    for (;;) {
      const id = `${kind === 'order' ? 'ORD-0' : 'P'}${String(++count).padStart(25, '0')}`;
      if (partitionOf(kind, id, PARTITIONS) === partition) return id;
    }
  };
  const orderIn = (partition: number): OrderId => orderId(idIn('order', partition));

  async function start(system: PeerSystem, nodeName: string, serves = true): Promise<PeerNode> {
    const node = new PeerNode(`${nodeName}${process.pid}-${++count}`, system, await newLink(), realClock, serves);
    running.push(node);
    return node;
  }

  /** Two nodes with two partitions each, and a product that there is enough of. */
  async function two(): Promise<{ system: PeerSystem; a: PeerNode; b: PeerNode; product: ProductId }> {
    const system = new PeerSystem();
    const [a, b] = [await start(system, 'a'), await start(system, 'b')];
    for (const partition of [0, 1]) system.claim(partition, a.journal);
    for (const partition of [2, 3]) system.claim(partition, b.journal);
    const product = productId(idIn('product', 3));
    system.memory.stockUp(product, 1_000);
    // A link may lose what is sent before it listens.
    await Promise.all([a.routed.order(orderIn(2)), b.routed.order(orderIn(0))]);
    return { system, a, b, product };
  }

  const placeOf = (order: OrderId, product: ProductId, over: Partial<PlaceRequest> = {}): PlaceRequest => ({
    ...{ order, fresh: true, alias: undefined, impatient: false, correlation: 'c' },
    content: { user: userId('ann'), userIsNumber: false, lines: [{ product, quantity: 1 }] },
    ...over,
  });

  test.after.each(() => {
    for (const node of running.splice(0)) node.peers.stop();
  });

  test('an order is placed, acted on and read at any node, with the same answers', async () => {
    const { system, a, b, product } = await two();
    const order = orderIn(2);
    const placed = await a.routed.place(placeOf(order, product), PATIENCE_MS);
    if (placed.kind !== 'outcome') throw new Error(JSON.stringify(placed));
    assert.is(placed.state.phase, 'confirmed');
    assert.is(placed.repeat, false);
    const here = await b.routed.order(order);
    // The order's life is known by its identity (order-view.ts).
    assert.is((await a.routed.order(order))?.life, here?.life);
    assert.equal(JSON.stringify(await a.routed.order(order)), JSON.stringify(here));
    const again = await a.routed.place(placeOf(order, product, { fresh: false }), PATIENCE_MS);
    assert.is(again.kind === 'outcome' && again.repeat, true);
    assert.is(b.asked.length, 2);

    const act: ActRequest = {
      ...{ order, correlation: 'c', ifVersions: [1], fresh: true },
      command: { type: 'ship', act: { ref: writeId('w'), fingerprint: 'f' }, tracking: 'T' },
    };
    assert.is((await a.routed.act(act, PATIENCE_MS)).kind, 'refused');
    const { ifVersions: _, ...any } = act;
    const shipped = await a.routed.act(any, PATIENCE_MS);
    assert.is(shipped.kind === 'done' && shipped.state.phase, 'shipped');
    await a.routed.flushed(order);

    const receive: StockRequest = {
      ...{ product, correlation: 'c', fresh: true },
      command: {
        ...{ type: 'receive', ref: writeId('r'), fingerprint: 'f', name: 'Ünï 😀 "x"\n', unitPrice: 5 },
        ...{ currency: 'USD', quantity: 3 },
      },
    };
    const received = await a.routed.stock(receive, PATIENCE_MS);
    assert.equal(received.kind === 'done' && received.state, system.memory.productStates.get(product));
    assert.equal(await a.routed.product(product), system.memory.productStates.get(product));
    assert.is(await a.routed.order(orderIn(3)), undefined);
    assert.is(await a.routed.product(productId(idIn('product', 2))), undefined);
  });

  test('a partition that nobody owns is waited for, and the first asking is fresh', async () => {
    const { system, a, b, product } = await two();
    system.release(2);
    const placing = a.routed.place(placeOf(orderIn(2), product), PATIENCE_MS);
    assert.ok(await until(() => a.peers.asks.size === 1, 5_000));
    system.claim(2, b.journal);
    assert.is((await placing).kind, 'outcome');
    assert.equal(
      b.asked.map(({ fresh }) => fresh),
      [true],
    );
  });

  test('without an owner the answer after the patience says that nothing was done', async () => {
    const { system, a, product } = await two();
    system.release(2);
    const reply = await a.routed.place(placeOf(orderIn(2), product), 100);
    assert.is(reply.kind === 'unavailable' && reply.absent, true);
  });

  test('a request follows its partition, and is not fresh any more', async () => {
    const { system, a, b, product } = await two();
    const order = orderIn(2);
    const c = await start(system, 'c');
    system.claim(2, c.journal, false); // Neither a nor b knows.
    const reply = await a.routed.place(placeOf(order, product), PATIENCE_MS);
    assert.is(reply.kind, 'outcome');
    assert.equal([b.asked.length, c.asked.map(({ fresh }) => fresh)], [0, [false]]);
  });

  test('a request goes on from here to another node, and from there to here', async () => {
    const { system, a, b, product } = await two();
    const order = orderIn(0);
    a.before = async () => {
      a.before = undefined;
      system.claim(0, b.journal, false);
    };
    system.memory.interfere = async () => {
      system.memory.interfere = undefined;
      return { kind: 'unavailable', why: 'it has moved', moved: true };
    };
    assert.is((await a.routed.place(placeOf(order, product), PATIENCE_MS)).kind, 'outcome');
    assert.equal(
      [a, b].map(({ asked }) => asked.length),
      [1, 1],
    );
    system.claim(3, a.journal, false);
    system.claim(2, a.journal, false);
    assert.is((await b.routed.place(placeOf(orderIn(2), product), PATIENCE_MS)).kind, 'outcome');
    assert.is((await a.routed.product(product))?.held, 0);
  });

  test('an owner that is gone is followed to its successor', async () => {
    const { system, a, b, product } = await two();
    const order = orderIn(2);
    b.peers.stop();
    const placing = a.routed.place(placeOf(order, product), PATIENCE_MS);
    const reading = a.routed.order(order);
    assert.ok(await until(() => a.peers.asks.size === 2, 5_000));
    system.claim(2, a.journal);
    assert.is((await placing).kind, 'outcome');
    assert.ok([undefined, 'confirmed'].includes((await reading)?.phase));
    assert.equal(
      a.asked.map(({ fresh }) => fresh),
      [false],
    );
  });

  test('after a silent owner the patience ends with "it may still take effect"', async () => {
    const { a, b, product } = await two();
    b.peers.stop();
    const reply = await a.routed.place(placeOf(orderIn(2), product), 100);
    assert.is(reply.kind, 'unavailable');
    assert.is(reply.kind === 'unavailable' && reply.absent, undefined);
  });

  test('an owner that takes longer than the silence is asked once', async () => {
    const { a, b, product } = await two();
    let answer = () => {};
    const waits = new Promise<void>((resolve) => {
      answer = resolve;
    });
    b.before = () => waits;
    const placing = a.routed.place(placeOf(orderIn(2), product), PATIENCE_MS);
    const since = performance.now();
    assert.ok(await until(() => performance.now() - since > 3 * limits.peerSilenceMs, 10_000));
    answer();
    assert.is((await placing).kind, 'outcome');
    assert.is(b.asked.length, 1);
  });

  test('when the process stops, nobody waits any longer', async () => {
    const { system, a, product } = await two();
    system.release(2);
    const placing = a.routed.place(placeOf(orderIn(2), product), PATIENCE_MS);
    const reading = a.routed.order(orderIn(2)).catch((error: unknown) => error);
    a.peers.stop();
    for (const reply of [await placing, await a.routed.place(placeOf(orderIn(2), product), PATIENCE_MS)]) {
      assert.match(reply.kind === 'unavailable' ? reply.why : '', /has stopped/);
    }
    assert.match(String(await reading), /has stopped/);
  });

  test('the owner hears of a client that is gone, and its wait ends', async () => {
    const { a, b, product } = await two();
    let answer = () => {};
    const waits = new Promise<void>((resolve) => {
      answer = resolve;
    });
    b.before = () => waits;
    const caller: Caller = {};
    const placing = a.routed.place(placeOf(orderIn(2), product), PATIENCE_MS, caller);
    assert.ok(await until(() => b.asked.length === 1, 5_000));
    caller.hangUp?.();
    const reply = await placing;
    assert.match(reply.kind === 'unavailable' ? reply.why : '', /the client is gone/);
    assert.is(caller.hangUp, undefined);
    assert.is(a.peers.asks.size, 0);
    assert.ok(await until(() => b.hungUp.length === 1, 5_000));
    answer();
  });

  test('an edge without an incarnation is served by the others', async () => {
    const { system, product } = await two();
    const edge = await start(system, 'edge', false);
    const reply = await edge.routed.place(placeOf(orderIn(1), product), PATIENCE_MS);
    assert.is(reply.kind === 'outcome' && hasOutcome(reply.state), true);
  });

  test('many requests at once all have their own answers', async () => {
    const { a, product } = await two();
    const orders = Array.from({ length: 300 }, (_, i) => orderIn(2 + (i % 2)));
    const replies = await Promise.all(orders.map((order) => a.routed.place(placeOf(order, product), PATIENCE_MS)));
    assert.equal(
      replies.map((reply) => reply.kind === 'outcome' && reply.state.id),
      orders,
    );
  });

  test('a state longer than a message arrives whole', async () => {
    const { system, a, product } = await two();
    const waiting = Array.from({ length: 20_000 }, (_, i) => ({
      ...{ order: orderId(`ORD-ü"😀\\${i}`), quantity: 1, committed: i % 2 === 0, fills: i },
    }));
    const long = { ...unknownProduct(product), known: true, waiting };
    system.memory.productStates.set(product, long);
    assert.equal(await a.routed.product(product), long);
  });

  test('past the limit of requests to one node the answer is "not now", and other nodes are still asked', async () => {
    const { system, a, b, product } = await two();
    const c = await start(system, 'c');
    system.claim(3, c.journal);
    let answer = () => {};
    const waits = new Promise<void>((resolve) => {
      answer = resolve;
    });
    b.before = () => waits;
    const reads = Array.from({ length: limits.peerAsks }, () => a.routed.order(orderIn(2)));
    const refused = await a.routed.place(placeOf(orderIn(2), product), PATIENCE_MS);
    assert.match(refused.kind === 'unavailable' ? refused.why : '', /too many unanswered requests/);
    assert.is(refused.kind === 'unavailable' && refused.absent, true);
    assert.is((await a.routed.place(placeOf(orderIn(3), product), PATIENCE_MS)).kind, 'outcome');
    answer();
    await Promise.all(reads);
    assert.is((await a.routed.place(placeOf(orderIn(2), product), PATIENCE_MS)).kind, 'outcome');
  });

  test('a key that is the id of an order elsewhere means that order, and makes no second one', async () => {
    const { system, a, b, product } = await two();
    const hashed = (partition: number) => {
      for (;;) {
        const id = `ORD-4${String(++count).padStart(25, '0')}`;
        if (partitionOf('order', id, PARTITIONS) === partition) return orderId(id);
      }
    };
    for (const [known, hash, at] of [
      [hashed(2), hashed(0), a],
      [hashed(0), hashed(2), a],
      [hashed(2), hashed(3), a],
      [hashed(0), hashed(1), a],
      [hashed(1), hashed(2), b],
    ] as const) {
      await at.routed.place(placeOf(known, product, { fresh: false }), PATIENCE_MS);
      const before = system.memory.orderStates.size;
      const keyed = placeOf(hash, product, { fresh: false, alias: known });
      const reply = await at.routed.place(keyed, PATIENCE_MS);
      assert.is(reply.kind === 'outcome' && reply.state.id, known);
      assert.is(system.memory.orderStates.size, before);
      const other = placeOf(hash, product, { fresh: false, alias: known });
      const asBob = { ...other, content: { ...other.content, user: userId('bob') } };
      const bobs = await at.routed.place(asBob, PATIENCE_MS);
      assert.is(bobs.kind === 'outcome' && bobs.state.id, hash, "another caller's order is not meant");
    }
    // No text of another form is the id of an order: only the key's own order is asked for.
    const reply = await a.routed.place(
      placeOf(hashed(2), product, { fresh: false, alias: orderId(idIn('product', 0)) }),
      PATIENCE_MS,
    );
    assert.is(reply.kind, 'outcome');
  });

  test('rows that are waited for: the node of their journal hears it', async () => {
    const { a, b } = await two();
    for (const position of [7, 9]) a.peers.hurryFlush(b.journal, position);
    assert.ok(await until(() => b.awaited.length === 2, 5_000));
    assert.equal([b.awaited, a.awaited], [[7, 9], []]);
  });

  test('letters and confirmations reach the owners, here and elsewhere, in order', async () => {
    const { system, a, b, product } = await two();
    system.release(1);
    const letter = (to: number, number: number): NumberedLetter => ({
      ...{ from: 0, to, number, correlation: 'c' },
      letter: { to: { kind: 'product', id: product }, command: { type: 'hold', order: orderIn(0), quantity: 1 } },
    });
    const sent = Array.from({ length: 50 }, (_, i) => letter([0, 1, 2, 3][i % 4] ?? 0, i));
    a.post.send(sent);
    a.post.confirm({ from: 3, to: 0, upTo: 7 });
    a.post.confirm({ from: 0, to: 0, upTo: 8 });
    a.post.confirm({ from: 1, to: 0, upTo: 9 });
    const to = (...partitions: number[]) => sent.filter((each) => partitions.includes(each.to));
    assert.ok(await until(() => b.letters.length === to(2, 3).length && b.confirmations.length === 1, 5_000));
    assert.equal([b.letters, a.letters], [to(2, 3), to(0)]);
    assert.equal([b.confirmations, a.confirmations], [[{ from: 3, to: 0, upTo: 7 }], [{ from: 0, to: 0, upTo: 8 }]]);
  });

  test.after(after);
  test.run();
}
