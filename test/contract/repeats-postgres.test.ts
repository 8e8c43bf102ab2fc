// Repeated placings over Postgres. An order that has left memory is read from its row and its history, also after a
// crash. Its answer is the first one, byte for byte, for any text.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nodeId, type OrderId, orderId, productId, userId, writeId } from '../../actors/ids.js';
import type { OrderAct, OrderContent } from '../../actors/protocol.js';
import { memoryLog } from '../../bus/journal/memory-log.js';
import { localPost } from '../../bus/letters/local-post.js';
import { Supervisor } from '../../bus/node/supervisor.js';
import { instantPayments, mockPayments } from '../../bus/payments/mock-provider.js';
import { systemClock } from '../../bus/system-clock.js';
import { answerOf } from '../../http/orders/order-answer.js';
import { postgresQueries } from '../../storage/lists/queries.js';
import { memoryCache } from '../../storage/memory/memory-cache.js';
import { memoryPaymentLedger } from '../../storage/memory/memory-payment-ledger.js';
import { postgresSnapshots } from '../../storage/snapshots/snapshots.js';
import { until } from '../deadlines.js';
import { testDatabase } from './rig/storage-database.js';

const clock = systemClock();
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const NASTY = ['', 'plain', 'a \u0000 in it', 'a \ufffd in it', '\\u0000 "quoted" \u{1f600} \u2028'];

const database = await testDatabase();
if (database !== undefined) {
  const { client } = database;
  const test = suite('repeats over Postgres');
  const log = memoryLog();
  const payments = mockPayments({ successRate: 1, latencyMs: 2, ledger: memoryPaymentLedger(), clock });

  /** A failed test leaves its node running, which would keep the process alive. */
  const running: Supervisor[] = [];

  const start = async (isInstant: boolean): Promise<Supervisor> => {
    const supervisor = new Supervisor(clock, quiet);
    supervisor.start({
      ...{ node: nodeId('one'), nodeName: 'one', partitions: 4, log, cache: memoryCache(clock) },
      snapshots: postgresSnapshots(client),
      queries: postgresQueries(client, client),
      events: undefined,
      eventsMayForget: false,
      payments,
      context: { instantPayment: isInstant ? instantPayments(1) : undefined },
      post: localPost(clock),
      meter: { appended() {}, flushed() {}, retried() {}, unanswered() {}, cached() {}, deadLetter() {} },
      source: '/test',
      orderTimeoutMs: 30_000,
      holdTtlMs: 30_000,
      recordBytes: 1_000_000,
      byteLength: (text) => Buffer.byteLength(text),
      deliverAtHome: true,
    });
    running.push(supervisor);
    await supervisor.begun;
    return supervisor;
  };

  const place = async (supervisor: Supervisor, order: OrderId, content: OrderContent): Promise<string> => {
    const reply = await supervisor.place({ order, content, correlation: 'c', fresh: false }, 10_000);
    assert.is(reply.kind, 'outcome', JSON.stringify(reply));
    const { status, body } = answerOf(reply, order);
    return `${status} ${body}`;
  };

  test('a repeat is answered from memory, from the row, from the history, and after a crash', async () => {
    let supervisor = await start(true);
    const named = { ref: writeId('r1'), fingerprint: 'f', name: 'P', unitPrice: 250, currency: 'USD' } as const;
    const command = { type: 'receive', ...named, quantity: 1_000 } as const;
    await supervisor.stock({ product: productId('P'), command, correlation: 'c', fresh: true }, 10_000);
    const first = new Map<OrderId, readonly [OrderContent, string]>();
    for (const isInstant of [true, false]) {
      if (!isInstant) {
        await supervisor.stop(10_000);
        supervisor = await start(false);
      }
      for (const [i, notes] of NASTY.entries()) {
        for (const wanted of ['nothing', 'ship', 'cancel'] as const) {
          const id = orderId(`ORD-${isInstant}-${i}-${wanted}`);
          const address = { street: notes, no: 1.5 };
          const product = productId(i === 1 && wanted === 'nothing' ? 'unknown' : 'P');
          const lines = [{ product, quantity: 2 }];
          const content = { user: userId('U'), userIsNumber: false, lines, notes, shippingAddress: address };
          first.set(id, [content, await place(supervisor, id, content)]);
          const act = { type: wanted, act: { ref: writeId(`${id} act`), fingerprint: 'f' } };
          if (wanted !== 'nothing')
            await supervisor.act({ order: id, command: act as OrderAct, correlation: 'c' }, 10_000);
        }
      }
    }
    assert.ok([...first.values()].some(([, answer]) => answer.startsWith('404')));
    const repeatAll = async (when: string) => {
      for (const [id, [content, answer]] of first) assert.is(await place(supervisor, id, content), answer, when);
    };
    await repeatAll('at once');
    const hasLeft = async () => supervisor.incarnation?.node.world.orders.size === 0;
    assert.ok(await until(hasLeft, 10_000), 'all have left memory');
    await repeatAll('once they have left memory');
    supervisor.abandon(new Error('killed'));
    await supervisor.ended.catch(() => {});
    supervisor = await start(true);
    await repeatAll('after a crash');
    await supervisor.stop(10_000);
  });

  test.after(async () => {
    for (const supervisor of running) {
      supervisor.abandon(new Error('the test is over'));
      await supervisor.ended.catch(() => {});
    }
    await database.stop();
  });
  test.run();
}
