// `verify` beside three running nodes whose partitions move, one of which dies: no false alarm, and every verdict within
// three looks.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nodeId, orderId, partitionOf, productId, userId, writeId } from '../../actors/ids.js';
import type { Post } from '../../actors/ports/letters.js';
import type { PlaceReply, StockReply } from '../../actors/ports/owners.js';
import { Incarnation } from '../../bus/node/incarnation.js';
import { OwnershipMap } from '../../bus/node/ownership-map.js';
import { forgetfulPayments, instantPayments } from '../../bus/payments/mock-provider.js';
import { systemClock } from '../../bus/system-clock.js';
import { postgresQueries } from '../../storage/lists/queries.js';
import { memoryCache } from '../../storage/memory/memory-cache.js';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { postgresLog } from '../../storage/postgres/postgres-log.js';
import { postgresSnapshots } from '../../storage/snapshots/snapshots.js';
import { reportOf } from '../../storage/verify/report.js';
import { verify } from '../../storage/verify/verify.js';
import { patientMs } from '../deadlines.js';
import { testDatabase } from './rig/storage-database.js';

const PARTITIONS = 6;
const PRODUCTS = 12;
const VERDICTS = 12;
const ASK_MS = 2_000;
const clock = systemClock();
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

const database = await testDatabase();
if (database !== undefined) {
  const { client } = database;
  const logClient = connectPostgres(database.url, { max: 3 });
  const log = postgresLog(logClient);
  const test = suite('verify beside several nodes');

  // -------------------------------------------------------------- nodes of one process

  interface Running {
    readonly name: string;
    readonly incarnation: Incarnation;
    readonly ownership: OwnershipMap;
  }
  const nodes: Running[] = [];
  const ownerOf = (partition: number) =>
    nodes.find(({ incarnation }) => incarnation.node.world.owned.has(partition))?.incarnation;

  function started(name: string): Running {
    const post: Post = {
      send: (letters) =>
        void setImmediate(() => {
          for (const letter of letters) ownerOf(letter.to)?.driver.letters([letter]);
        }),
      confirm: (confirmation) => void setImmediate(() => ownerOf(confirmation.from)?.driver.confirmed(confirmation)),
    };
    const shared = { partitions: PARTITIONS, log, clock, logger: quiet };
    const ownership = new OwnershipMap(shared);
    const incarnation = new Incarnation({
      ...shared,
      ...{ node: nodeId(name), nodeName: name, ownership, snapshots: postgresSnapshots(client) },
      ...{ queries: postgresQueries(client, client), cache: memoryCache(clock), isStopping: () => false, post },
      ...{ events: undefined, eventsMayForget: false, payments: forgetfulPayments(0.8), readSpareMs: 1_000 },
      context: { instantPayment: instantPayments(0.8) },
      meter: { appended() {}, flushed() {}, unanswered() {}, retried() {}, cached() {}, deadLetter() {} },
      ...{ source: 'test', orderTimeoutMs: 30_000, holdTtlMs: 30_000, recordBytes: 1_000_000 },
      ...{ byteLength: (text) => Buffer.byteLength(text), deliverAtHome: true },
    });
    incarnation.keep();
    const node = { name, incarnation, ownership };
    nodes.push(node);
    return node;
  }

  async function take(
    { incarnation, ownership }: Running,
    partitions: readonly number[],
    dead: readonly Running[] = [],
  ) {
    await ownership.refresh();
    const journals = dead.map((each) => each.incarnation.journal);
    for (let mine = 0; mine < partitions.length; ) {
      await incarnation.host.take(partitions, journals);
      mine = partitions.filter((each) => incarnation.node.world.owned.has(each)).length;
    }
  }

  // -------------------------------------------------------------- load

  /** Asks the partition's owner, whoever it is, until it answers. */
  async function asked<R extends PlaceReply | StockReply>(
    partition: number,
    ask: (owners: Incarnation['owners']) => Promise<R>,
  ): Promise<R> {
    const until = clock.monotonic() + patientMs(60_000);
    for (;;) {
      const owner = ownerOf(partition);
      const reply = owner && (await ask(owner.owners).catch(() => undefined));
      if (reply !== undefined && reply.kind !== 'unavailable') return reply;
      if (clock.monotonic() > until) throw new Error(`partition ${partition} has no owner`);
      await new Promise((resolve) => clock.after(20, () => resolve(undefined)));
    }
  }

  let placed = 0;
  async function place(): Promise<void> {
    const order = orderId(`ORD-${clock.id()}`);
    const first = placed++ % PRODUCTS;
    const lines = [first, (first + 5) % PRODUCTS].map((i) => ({ product: productId(`P${i}`), quantity: 1 }));
    const content = { user: userId('user-1'), userIsNumber: false, lines };
    const request = { order, content, correlation: 'c', fresh: false };
    await asked(partitionOf('order', order, PARTITIONS), (owners) => owners.place(request, ASK_MS));
  }

  async function receive(i: number): Promise<void> {
    const product = productId(`P${i}`);
    const command = {
      type: 'receive' as const,
      ...{ ref: writeId(clock.id()), fingerprint: 'f', name: 'Thing' },
      ...{ unitPrice: 100, currency: 'USD', quantity: 1_000 },
    };
    const request = { product, command, correlation: 'c', fresh: false };
    const reply = await asked(partitionOf('product', product, PARTITIONS), (owners) => owners.stock(request, ASK_MS));
    assert.is(reply.kind, 'done');
  }

  // -------------------------------------------------------------- the test

  test('no false alarm while partitions move and a node dies, and none afterwards', async () => {
    const [a, b, c] = [started('a'), started('b'), started('c')];
    await take(a, [0, 1]);
    await take(b, [2, 3]);
    await take(c, [4, 5]);
    for (let i = 0; i < PRODUCTS; i++) await receive(i);

    let isOver = false;
    const load = Array.from({ length: 8 }, async () => {
      while (!isOver) await place();
    });
    let moves = 0;
    const moving = (async () => {
      for (let partition = 0; !isOver; partition = (partition + 1) % 4) {
        const [from, to] = partition % 2 === moves % 2 ? [a, b] : [b, a];
        if (!from.incarnation.node.world.owned.has(partition)) continue;
        if (!(await from.incarnation.host.giveAway(partition, nodeId(to.name), patientMs(10_000)))) continue;
        await take(to, [partition]);
        moves++;
      }
    })();
    let looks = 0;
    const look = async () => {
      const verdict = await verify({ client, log, partitions: PARTITIONS });
      assert.is(verdict.total, 0, reportOf(verdict).join('\n'));
      assert.ok(verdict.looks <= 3);
      looks += verdict.looks;
    };
    try {
      for (let i = 0; i < VERDICTS; i++) {
        await look();
        if (i !== VERDICTS >> 1) continue;
        // Node c dies with whatever it has under way.
        nodes.splice(nodes.indexOf(c), 1);
        c.incarnation.driver.finish({ kind: 'stopped' });
        await look();
        await take(a, [4, 5], [c]);
      }
    } finally {
      isOver = true;
      await Promise.all([...load, moving]);
    }
    for (const { incarnation } of [...nodes]) await incarnation.stop(patientMs(10_000));
    await look();
    console.log(`${VERDICTS + 2} verdicts took ${looks} looks beside ${placed} orders and ${moves} moves`);
    assert.ok(moves > 3, `${moves} moves`);
  });

  test.after(async () => {
    for (const { incarnation } of nodes) incarnation.driver.finish({ kind: 'stopped' });
    await logClient.end();
    await database.stop();
  });
  test.run();
}
