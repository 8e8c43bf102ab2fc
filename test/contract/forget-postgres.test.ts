// Forgetting on Postgres: no table has a byte of the person any more, rows and histories agree, and a crash in between or a
// journal that still has everything changes nothing of it.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nodeId, type OrderId, orderId, productId, userId, writeId } from '../../actors/ids.js';
import { absentOrder, type OrderState } from '../../actors/order/order.js';
import { evolveOrder } from '../../actors/order/order-fold.js';
import type { OrderAct } from '../../actors/protocol.js';
import { memoryLog } from '../../bus/journal/memory-log.js';
import type { Incarnation } from '../../bus/node/incarnation.js';
import { forgetfulPayments, instantPayments } from '../../bus/payments/mock-provider.js';
import { systemClock } from '../../bus/system-clock.js';
import { postgresQueries } from '../../storage/lists/queries.js';
import { postgresSearchIndex } from '../../storage/lists/search-index.js';
import { memoryCache } from '../../storage/memory/memory-cache.js';
import type { PostgresClient } from '../../storage/postgres/postgres.js';
import { postgresSettlements } from '../../storage/postgres/postgres-settlement.js';
import { postgresSnapshots } from '../../storage/snapshots/snapshots.js';
import { reportOf } from '../../storage/verify/report.js';
import { verify } from '../../storage/verify/verify.js';
import { until } from '../deadlines.js';
import { startedNode } from './rig/one-node.js';
import { testDatabase } from './rig/storage-database.js';

const PARTITIONS = 4;
const WITHIN_MS = 20_000;
const SENTINEL = 'adasentinel';
const clock = systemClock();
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

const database = await testDatabase();
if (database !== undefined) suiteOn(database);

function suiteOn({ client, lists, stop }: NonNullable<typeof database>): void {
  const test = suite('forgetting on Postgres');
  const log = memoryLog();
  const queries = postgresQueries(client, lists);
  const index = postgresSearchIndex(client);
  let node: Incarnation | undefined;

  const start = async (name: string, over: PostgresClient = client) => {
    node?.driver.finish({ kind: 'stopped' });
    node = await startedNode({
      ...{ node: nodeId(name), nodeName: name, partitions: PARTITIONS, log },
      snapshots: postgresSnapshots(over),
      queries,
      ...{ cache: memoryCache(clock), clock, logger: quiet, events: undefined, eventsMayForget: false },
      payments: forgetfulPayments(1),
      context: { instantPayment: instantPayments(1) },
      post: { send() {}, confirm() {} },
      meter: { appended() {}, flushed() {}, unanswered() {}, retried() {}, cached() {}, deadLetter() {} },
      ...{ source: 'test', orderTimeoutMs: 30_000, holdTtlMs: 30_000, recordBytes: 1_000_000 },
      byteLength: (text) => Buffer.byteLength(text),
      deliverAtHome: true,
    });
    return node;
  };
  const owners = () => (node as Incarnation).owners;
  const content = (user: string, more: object = {}) => ({
    ...{ user: userId(user), userIsNumber: false, lines: [{ product: productId('p'), quantity: 2 }] },
    ...more,
  });
  const personal = (name: string) => ({
    email: `${name}@example.org`,
    notes: `for ${name}, \u0000 "by the door"`,
    shippingAddress: { name, lines: [`1 ${name} Street`] },
    billingAddress: `${name}, Elm 2`,
  });
  const place = (id: string, given: ReturnType<typeof content>) =>
    owners().place({ order: orderId(id), content: given, correlation: `c-${id}`, fresh: false }, WITHIN_MS);
  const act = async (id: string, command: object) => {
    const ref = writeId(clock.id());
    const full = { ...command, act: { ref, fingerprint: 'f' } } as OrderAct;
    const ask = { order: orderId(id), command: full, correlation: `a-${id}`, fresh: true } as const;
    const reply = await owners().act(ask, WITHIN_MS);
    return reply.kind === 'refused' ? reply.refusal : reply.kind;
  };
  const flushed = async (id: string) => owners().flushed(orderId(id) as OrderId);

  /** Where a text is found: every table, every column. */
  const found = async (text: string): Promise<string[]> => {
    const tables = await client.query<{ name: string }>(
      'list the tables',
      "select tablename as name from pg_tables where schemaname = 'public' order by 1",
    );
    const places: string[] = [];
    for (const { name } of tables) {
      const rows = await client.query('look', `select 1 from "${name}" t where strpos(lower(t::text), $1) > 0`, [text]);
      if (rows.length > 0) places.push(`${name} ${rows.length}`);
    }
    return places;
  };
  const isClean = async () => {
    const verdict = await verify({ client, log, partitions: PARTITIONS });
    assert.is(verdict.total, 0, reportOf(verdict).join('\n'));
  };
  const isItsHistory = async (id: string) => {
    const stored = await queries.order(orderId(id) as OrderId);
    let state: OrderState = absentOrder(orderId(id) as OrderId);
    for (const { event, at } of await queries.history(orderId(id) as OrderId)) state = evolveOrder(state, event, at);
    assert.equal(stored, state, id);
  };
  const indexed = async () => assert.ok(await until(async () => !(await index.work()).more, WITHIN_MS));

  test.before(async () => {
    await postgresSettlements(client).settle({
      id: 'SYS-1',
      partitions: PARTITIONS,
      journal: 'jetstream',
      seed: 'none',
    });
    await start('first');
    const stock = {
      ...{ type: 'receive', ref: writeId('w'), fingerprint: 'f', name: 'Pen', unitPrice: 100 },
      currency: 'USD',
    };
    const command = { ...stock, quantity: 1_000 } as const;
    await owners().stock(
      { product: productId('p'), command: command as never, correlation: 'c', fresh: true },
      WITHIN_MS,
    );
    for (const id of ['SHIPPED', 'CANCELLED', 'CONFIRMED']) await place(id, content('ada', personal(SENTINEL)));
    await place('SHORT', {
      ...content('ada', personal(SENTINEL)),
      lines: [{ product: productId('p'), quantity: 5_000 }],
    });
    await place('OTHER', content('bob', personal('bobsentinel')));
    await act('SHIPPED', { type: 'ship', tracking: `T-${SENTINEL}`, carrier: 'DHL' });
    await act('SHIPPED', { type: 'requestReturn', reason: `${SENTINEL} changed her mind` });
    await act('CANCELLED', { type: 'cancel', reason: `${SENTINEL} moves` });
    for (const id of ['SHIPPED', 'CANCELLED', 'CONFIRMED', 'SHORT', 'OTHER']) await flushed(id);
    await indexed();
  });
  test.after(async () => {
    node?.driver.finish({ kind: 'stopped' });
    await stop();
  });

  test('what is done is erased in every table; what is under way is refused, and erased when that is asked', async () => {
    const before = await found(SENTINEL);
    assert.equal(before, ['order_search 4', 'order_turns 7', 'orders 4']);
    assert.ok(
      await until(async () => (await act('CANCELLED', { type: 'forget' })) === 'done', WITHIN_MS),
      'once settled',
    );
    for (const id of ['SHIPPED', 'SHORT']) assert.is(await act(id, { type: 'forget' }), 'done', id);
    assert.is(await act('CONFIRMED', { type: 'forget' }), 'illegal_transition');
    assert.is(await act('CONFIRMED', { type: 'forget', unshipped: true }), 'done');
    for (const id of ['SHIPPED', 'CANCELLED', 'CONFIRMED', 'SHORT']) {
      await flushed(id);
      await isItsHistory(id);
    }
    assert.equal(await found(SENTINEL), []);
    assert.equal(await found('bobsentinel'), ['order_search 1', 'order_turns 1', 'orders 1'], 'others keep theirs');
    await isClean(); // The journal still has it all.
    await indexed();
    for (let at: string | undefined = ''; at !== undefined; ) at = await index.sweep(at);
    await indexed();
    assert.equal(await found(SENTINEL), [], 'no sweep brings its words back');
    const byUser = await queries.ordersAfter({ words: 'ada' }, undefined, 10);
    assert.is(byUser.orders.length, 4, 'they are still found by their user');
  });

  test('words that were read before an order was forgotten never come back, whenever they are written', async () => {
    const ids = ['LATE', 'BETWEEN'];
    for (const id of ids) {
      await place(id, { ...content('ada', personal(SENTINEL)), lines: [{ product: productId('p'), quantity: 4_000 }] });
      await flushed(id);
    }
    let write = () => {};
    const mayWrite = new Promise<void>((resolve) => {
      write = resolve;
    });
    let hasRead = false;
    const late: PostgresClient['query'] = async (what, ...rest) => {
      hasRead ||= what === 'index orders';
      if (what === 'index orders') await mayWrite;
      return client.query(what, ...rest);
    };
    const working = postgresSearchIndex({ ...client, query: late }).work();
    assert.ok(await until(() => hasRead, WITHIN_MS), 'the indexer has the words');
    assert.is(await act('LATE', { type: 'forget' }), 'done');
    await flushed('LATE');
    // The statement that forgets this one has begun when the words are written, and goes on afterwards.
    await client.session(async (holder) => {
      await holder.query('hold the order', 'begin');
      await holder.query('hold the order', 'select from orders where order_id = $1 for no key update', ['BETWEEN']);
      assert.is(await act('BETWEEN', { type: 'forget' }), 'done');
      const waits = `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
      assert.ok(await until(async () => (await client.query('look', waits)).length > 0, WITHIN_MS));
      write();
      await working;
      await holder.query('hold the order', 'commit');
    });
    await flushed('BETWEEN');
    assert.equal(await found(SENTINEL), []);
    await indexed();
    const byId = await queries.ordersAfter({ words: 'between' }, undefined, 10);
    assert.is(byId.orders.length, 1, 'an imported id is found again');
  });

  test('a repeat of the placing is the same order, without what was erased; another order is refused', async () => {
    const first = await place('SHORT', {
      ...content('ada', personal(SENTINEL)),
      lines: [{ product: productId('p'), quantity: 5_000 }],
    });
    if (first.kind !== 'outcome') return assert.unreachable(first.kind);
    assert.equal([first.repeat, first.state.phase, first.state.content.email], [true, 'failed', undefined]);
    const other = await place('CONFIRMED', { ...content('ada'), lines: [{ product: productId('p'), quantity: 9 }] });
    assert.equal([other.kind, other.kind === 'refused' && other.refusal], ['refused', 'other_body']);
  });

  test('placed and forgotten in one flush, and flushed again by the next node after a crash', async () => {
    // The answer to the statement that erases is lost: the same rows are written again.
    let lost = 0;
    const query: PostgresClient['query'] = async (what, text, ...rest) => {
      const rows = await client.query(what, text, ...rest);
      if (what === 'flush orders' && text.includes('wordless') && lost++ === 0) throw new Error('the connection broke');
      return rows as never;
    };
    await start('second', { ...client, query });
    await place('YOUNG', {
      ...content('ada', personal(SENTINEL)),
      lines: [{ product: productId('p'), quantity: 6_000 }],
    });
    assert.is(await act('YOUNG', { type: 'forget' }), 'done');
    await flushed('YOUNG');
    assert.is(lost > 1, true, 'the statement was repeated');
    assert.equal(await found(SENTINEL), []);
    await isClean();
    // A node that dies before its flush: the next one folds its journal, with everything in it.
    const dead: PostgresClient['query'] = (what, ...rest) =>
      what.startsWith('flush') ? new Promise(() => {}) : client.query(what, ...rest);
    await start('third', { ...client, query: dead });
    await place('UNFLUSHED', {
      ...content('ada', personal(SENTINEL)),
      lines: [{ product: productId('p'), quantity: 7_000 }],
    });
    assert.is(await act('UNFLUSHED', { type: 'forget' }), 'done');
    await start('fourth');
    assert.ok(await until(async () => (await queries.order(orderId('UNFLUSHED') as OrderId)) !== undefined, WITHIN_MS));
    await flushed('UNFLUSHED');
    for (const id of ['YOUNG', 'UNFLUSHED']) await isItsHistory(id);
    assert.equal(await found(SENTINEL), []);
    await isClean();
  });

  test.run();
}
