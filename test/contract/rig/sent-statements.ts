// Every statement that the product sends, recorded as it is sent: the adapters run over clients that note each one.
// Law: nothing is left out silently. A port's method that was never called, or a `query` in storage/ whose name was
// never seen, fails the test. So a new statement is either among these, or the test names it.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeId, type OrderId, orderId, productId, userId, writeId } from '../../../actors/ids.js';
import { CLAIMS_LOG, journalLog } from '../../../actors/node/record.js';
import type { OrderFilter } from '../../../actors/ports/queries.js';
import type { Incarnation } from '../../../bus/node/incarnation.js';
import { forgetfulPayments, instantPayments } from '../../../bus/payments/mock-provider.js';
import { systemClock } from '../../../bus/system-clock.js';
import { postgresStatsFold } from '../../../storage/lists/order-stats-fold.js';
import { postgresQueries } from '../../../storage/lists/queries.js';
import { postgresSearchIndex } from '../../../storage/lists/search-index.js';
import { memoryCache } from '../../../storage/memory/memory-cache.js';
import {
  maySkipKeyChecks,
  type Parameter,
  type PostgresClient,
  type Session,
} from '../../../storage/postgres/postgres.js';
import { postgresApiKeys } from '../../../storage/postgres/postgres-api-keys.js';
import { postgresGremlinSwitch } from '../../../storage/postgres/postgres-gremlin-switch.js';
import { postgresLeases } from '../../../storage/postgres/postgres-leases.js';
import { postgresLog } from '../../../storage/postgres/postgres-log.js';
import { postgresPaymentLedger } from '../../../storage/postgres/postgres-payment-ledger.js';
import { postgresReceiptKeys } from '../../../storage/postgres/postgres-receipt-keys.js';
import { postgresSettlements } from '../../../storage/postgres/postgres-settlement.js';
import { postgresWebhookQueue } from '../../../storage/postgres/postgres-webhook-queue.js';
import { postgresWebhooks } from '../../../storage/postgres/postgres-webhooks.js';
import { readReplica } from '../../../storage/postgres/read-replica.js';
import { postgresSnapshots } from '../../../storage/snapshots/snapshots.js';
import { repairStats } from '../../../storage/verify/stats-repair.js';
import { verify } from '../../../storage/verify/verify.js';
import { until } from '../../deadlines.js';
import { startedNode } from './one-node.js';
import { anOperation, anOrder, aProduct, lived, uniqueName } from './storage-samples.js';

const FLUSHED_MS = 20_000;

/** The connection: for rows by name, for lists, or the transaction of a `verify`. */
export type On = 'rows' | 'lists' | 'verify';

export interface SentStatement {
  readonly what: string;
  readonly text: string;
  readonly parameters: readonly Parameter[];
  readonly on: On;
}

interface Sent {
  readonly statements: readonly SentStatement[];
  /** The methods and statements that were never used. */
  readonly missing: readonly string[];
}

const PARTITIONS = 4;
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

export async function sentStatements(rows: PostgresClient, lists: PostgresClient): Promise<Sent> {
  const statements = new Map<string, SentStatement>();
  /** One text may be sent under several names. */
  const heard = new Set<string>();
  const uncalled = new Set<string>();

  function noted(client: PostgresClient, on: On): PostgresClient {
    const over = (session: Session): Session => ({
      query: (what, text, parameters = [], deadlineMs) => {
        heard.add(what);
        if (!/^\s*(begin|commit|explain)\b/.test(text)) statements.set(`${on} ${text}`, { what, text, parameters, on });
        return session.query(what, text, parameters, deadlineMs);
      },
    });
    return { ...client, ...over(client), session: (run) => client.session((session) => run(over(session))) };
  }

  /** The same object, which checks off each method that is called. */
  function watched<T extends object>(name: string, adapter: T): T {
    for (const method of Object.keys(adapter)) uncalled.add(`${name}.${method}`);
    return new Proxy(adapter, {
      get(target, method, self) {
        uncalled.delete(`${name}.${String(method)}`);
        return Reflect.get(target, method, self);
      },
    });
  }

  const client = noted(rows, 'rows');
  const snapshots = watched('snapshots', postgresSnapshots(client));
  const log = watched('log', postgresLog(client));
  const queries = watched('queries', postgresQueries(client, noted(lists, 'lists')));
  const index = watched('searchIndex', postgresSearchIndex(client));
  const stats = watched('statsFold', postgresStatsFold(client));

  await maySkipKeyChecks(client);
  await aNodeAndItsSuccessor();
  await everyFlush();
  while ((await index.work()).more);
  while ((await stats.fold()).more);
  for (let after: string | undefined = ''; after !== undefined; ) after = await index.sweep(after);
  await everyQuestion();
  await besideOrders();
  await underALease();
  await besideAReplica();
  const missing = [...uncalled, ...(await unheard([...heard]))];
  return { statements: [...statements.values()], missing };

  // -------------------------------------------------------------- the run

  async function aNodeAndItsSuccessor(): Promise<void> {
    const first = await started();
    await refused(first);
    const isFlushed = () => first.node.flushedTo.n === first.node.appendedTo.n;
    if (!(await until(isFlushed, FLUSHED_MS))) throw new Error('the node did not flush its orders');
    await verify({ client: noted(rows, 'verify'), log, partitions: PARTITIONS });
    await repairStats(noted(rows, 'verify'));
    await ordered(first);
    // At once, so that `verify` also sees records that are not flushed yet.
    await verify({ client: noted(rows, 'verify'), log, partitions: PARTITIONS });
    first.driver.finish({ kind: 'stopped' });
    const second = await started();
    if (!(await until(() => second.node.flushedTo.n > 0, FLUSHED_MS))) throw new Error('the join was not flushed');
    await second.stop(5_000);
    await log.trim(journalLog(second.journal), 1);
    await log.read(CLAIMS_LOG, 0);
    await log.end(CLAIMS_LOG);
  }

  /** A primary is no replica: both looks are made, and lists go on without it. */
  async function besideAReplica(): Promise<void> {
    const parts = { replica: client, looks: client, primary: client, lists: client, system: 's', maxLagMs: 1 };
    const replica = readReplica({ ...parts, clock: systemClock(), logger: quiet });
    const isLookedAt = () => replica.status().why?.includes('no standby') === true;
    if (!(await until(isLookedAt, FLUSHED_MS))) throw new Error('nobody looked at the replica');
    replica.stop();
  }

  async function underALease(): Promise<void> {
    const leases = watched('leases', postgresLeases(client, systemClock()));
    const isLookedAt = () => [...statements.values()].some(({ what }) => what.startsWith('look at the lease'));
    await leases.holding('planned', new AbortController().signal, () => until(isLookedAt, FLUSHED_MS));
  }

  async function started(): Promise<Incarnation> {
    const clock = systemClock();
    let incarnation: Incarnation | undefined;
    incarnation = await startedNode({
      ...{
        node: nodeId('planned'),
        nodeName: 'planned',
        partitions: PARTITIONS,
        log,
        snapshots,
        queries,
        clock,
        logger: quiet,
      },
      ...{ cache: memoryCache(clock) },
      ...{ events: undefined, eventsMayForget: false, payments: forgetfulPayments(1) },
      context: { instantPayment: instantPayments(1) },
      post: {
        send: (letters) => void setImmediate(() => incarnation?.driver.letters(letters)),
        confirm: (confirmation) => void setImmediate(() => incarnation?.driver.confirmed(confirmation)),
      },
      meter: { appended() {}, flushed() {}, unanswered() {}, retried() {}, cached() {}, deadLetter() {} },
      ...{ source: 'test', orderTimeoutMs: 30_000, holdTtlMs: 30_000, recordBytes: 1_000_000 },
      ...{ byteLength: (text) => Buffer.byteLength(text), deliverAtHome: false },
    });
    return incarnation;
  }

  async function refused({ owners }: Incarnation): Promise<void> {
    const write = { type: 'adjust' as const, ref: writeId(uniqueName('W')), fingerprint: 'f' };
    const command = { ...write, delta: -1, reason: 'count' };
    await owners.stock({ product: productId('nobody-knows'), command, correlation: 'c', fresh: false }, 10_000);
  }

  async function ordered({ owners }: Incarnation): Promise<void> {
    const product = productId(uniqueName('P'));
    const command = {
      type: 'receive' as const,
      ...{ ref: writeId(uniqueName('W')), fingerprint: 'f', name: 'Thing' },
      ...{ unitPrice: 100, currency: 'USD', quantity: 1_000 },
    };
    await owners.stock({ product, command, correlation: 'c', fresh: false }, 10_000);
    let last: OrderId | undefined;
    for (let i = 0; i < 5; i++) {
      const content = { user: userId('user-1'), userIsNumber: false, lines: [{ product, quantity: 1 }] };
      last = orderId(uniqueName('ORD'));
      await owners.place({ order: last, content, correlation: 'c', fresh: i > 2 }, 10_000);
    }
  }

  /** Each form of the flush statement: new rows, changed rows, both, and a retry without an answer. */
  async function everyFlush(): Promise<void> {
    const journal = uniqueName('J') as Incarnation['journal'];
    await snapshots.openJournal(journal, nodeId('planned'));
    const orders = lived().map((state) => anOrder(state, { epoch: 1, n: 1 }));
    const changed = orders.map((order) => ({ ...order, n: 2, isNew: false, history: [] }));
    const others = lived().map((state) => anOrder(state, { epoch: 1, n: 1 }));
    const product = productId(uniqueName('P'));
    const made = { ...aProduct(product, { epoch: 1, n: 1 }), operations: [anOperation(product, 1)] };
    await snapshots.write(journal, { kind: 'products', rows: [made], certain: true });
    await snapshots.write(journal, {
      ...{ kind: 'products', certain: true },
      rows: [{ ...made, n: 2, isNew: false, operations: [anOperation(product, 2)] }],
    });
    await snapshots.write(journal, { kind: 'products', rows: [made], certain: false });
    const refused = { ref: writeId(uniqueName('W')), product, fingerprint: 'f', refusal: 'below_held', at: 1 } as const;
    await snapshots.write(journal, { kind: 'refusals', rows: [refused] });
    await snapshots.write(journal, { kind: 'orders', rows: orders, certain: true });
    await snapshots.write(journal, { kind: 'orders', rows: [...changed, ...others], certain: true });
    await snapshots.write(journal, { kind: 'orders', rows: changed, certain: false });
    for (const { state, version, ...order } of orders.slice(0, 1)) {
      const events = '{"type":"forgotten","act":{"ref":"F","fingerprint":"f"}}';
      const turn = { order: state.id, version: version + 1, at: 1, correlation: 'c', n: 3, count: 1, events };
      const life = { ...state.life, forgotten: true } as const;
      const forgotten = { ...state, version: version + 1, life };
      const row = { ...order, state: forgotten, version: version + 1, n: 3, isNew: false, history: [turn] };
      await snapshots.write(journal, { kind: 'orders', rows: [row], certain: true });
    }
    await snapshots.lookUp([orders[0]?.state.id ?? orderId('x'), orderId('y')], [writeId('w')]);
    await snapshots.archived(orderId('x'));
    await snapshots.seeArchives(journal, 0);
    await snapshots.orderIdsAfter('', 2);
    await snapshots.journals();
    await snapshots.partitionMarks();
    await snapshots.probe();
    await closedOver(journal);
    await snapshots.forgetJournal(journal);
    await snapshots.load([0, 1, 2, 3], PARTITIONS, [orders[0]?.state.id ?? orderId('x')]);
    await snapshots.load([0, 1], PARTITIONS, [], new Map([0, 1].map((partition) => [partition, { epoch: 1, n: 1 }])));
  }

  /** While an idle session holds the row: the adapter ends that session. */
  async function closedOver(journal: Incarnation['journal']): Promise<void> {
    await rows.session(async (holder) => {
      await holder.query('hold a journal', 'begin');
      await holder.query('hold a journal', 'select from journals where journal = $1 for share', [journal]);
      await snapshots.closeJournals([journal]);
    });
  }

  async function everyQuestion(): Promise<void> {
    const page = { page: 1, pageSize: 20 };
    const product = productId('PROD-1');
    const [one] = (await queries.orders({}, page)).orders;
    const id = one?.id ?? orderId('x');
    await queries.order(id);
    await queries.history(id);
    await queries.isGone(id);
    for (const filter of FILTERS) {
      await queries.countOrders(filter);
      await queries.orders(filter, page);
      await queries.ordersAfter(filter, undefined, 20);
      await queries.ordersAfter(filter, { at: Date.now(), id }, 20);
    }
    for (const by of ['day', 'product', 'total'] as const) {
      await queries.stats({ by }, 20);
      await queries.stats({ by, product, currency: 'USD', from: '2023-11-14', to: '2023-11-15' }, 20);
    }
    await queries.stats({ by: 'product', from: '2023-11-14', to: '2023-11-15' }, 20);
    await queries.userSummary('user-1');
    await queries.alsoBought(product, 20);
    await queries.products(page);
    await queries.productsAfter(product, 20);
    await queries.countProducts();
    await queries.operations(undefined, page);
    await queries.operations(product, page);
    await queries.ledger(product, 100, 20);
    await queries.stockAt(product, Date.now());
    await queries.mayHaveLineNames();
    await queries.hasWrite([writeId('w')]);
  }

  async function besideOrders(): Promise<void> {
    const keys = watched('apiKeys', postgresApiKeys(client));
    const [key, now] = [uniqueName('K'), Date.now()];
    await keys.create({
      ...{ id: key, hash: key, name: 'k', scopes: [], userId: undefined, caller: key, createdAt: now },
      ...{ expiresAt: undefined, revokedAt: undefined, lastUsedAt: undefined },
    });
    await keys.find(key);
    await keys.list();
    await keys.touch(key, now);
    await keys.revoke(key, now);
    await webhooksAndDeliveries();
    const gremlin = watched('gremlin', postgresGremlinSwitch(client));
    await gremlin.enable('g', { rules: [] } as unknown as Parameters<typeof gremlin.enable>[1], 1_000);
    await gremlin.standing();
    await gremlin.disable();
    const settlements = watched('settlement', postgresSettlements(client));
    await settlements.settle({ id: 's', partitions: PARTITIONS, journal: 'postgres', seed: 'none' });
    await settlements.settled();
    await watched('receipt keys', postgresReceiptKeys(client)).take(writeId(uniqueName('WR')), 'f');
    const ledger = watched('payments', postgresPaymentLedger(client));
    const order = orderId(uniqueName('ORD'));
    for (const operation of ['authorize', 'capture', 'refund', 'void'] as const)
      await ledger.record({ order, operation, ref: `${order}:${operation}`, minor: 1, currency: 'USD' }, 'authorized');
  }

  async function webhooksAndDeliveries(): Promise<void> {
    const webhooks = watched('webhooks', postgresWebhooks(client));
    const queue = watched('webhookQueue', postgresWebhookQueue(client));
    const id = uniqueName('WH');
    await webhooks.create({ id, url: 'https://hooks.example/', types: ['*'], description: '', secret: 's' });
    await webhooks.list();
    await webhooks.find(id);
    await webhooks.rotate(id, 't', 1);
    await queue.subscriptions();
    await queue.waiting();
    const event = { webhook: id, event: uniqueName('e'), type: 'order.placed.v1', actor: 'x', body: '{}' };
    await queue.take((await queue.place()).version, [event], 'c');
    const [claim] = await queue.claim([{ webhook: id, room: 1 }], 1_000);
    if (claim === undefined) throw new Error('the delivery was not claimed');
    const ended = { outcome: 'failed', status: 500, error: 'e', tookMs: 1, againInMs: 0 } as const;
    await queue.settle([{ ...claim, ...ended }]);
    await webhooks.redeliver(id, claim.id);
    await webhooks.redeliver(id, claim.id);
    for (const state of ['failed', undefined] as const)
      await webhooks.deliveries(id, { state, before: undefined, limit: 1 });
    await queue.sweep(1_000, 10);
    await queue.disable(id, 'behind');
    await webhooks.change(id, { enabled: true });
    await webhooks.remove(id);
  }
}

const FILTERS: readonly OrderFilter[] = [
  {},
  { user: 'user-1' },
  { status: 'confirmed' },
  { status: 'failed' },
  { payment: 'declined' },
  { fulfillment: 'fulfilled' },
  { product: 'PROD-1' },
  { currency: 'EUR' },
  { currency: 'USD' },
  { from: 0, to: 1 },
  { minTotal: '5', maxTotal: '6' },
  { words: 'thing' },
  { words: 'main str' },
  { words: 'user-1' },
  { words: 'user-1 thing', status: 'failed' },
  { product: 'PROD-1', status: 'failed' },
  { product: 'PROD-1', words: 'main str' },
  { status: 'failed', words: 'main' },
];

/** Calls of `query` whose name was never seen. */
async function unheard(heard: readonly string[]): Promise<string[]> {
  const root = join(import.meta.dirname ?? '', '..', '..', '..', '..', 'storage');
  const missing: string[] = [];
  // The migrator uses its own driver, once a start. A backup looks at catalogues, and a restore has its database alone.
  const isOnce = (name: string) => name.endsWith('migrate.ts') || name.startsWith('backup') || isOfArchiver(name);
  // An archiver is no node: it runs once a day, with rests. What nodes ask of archives is in archive-reader.ts.
  const isOfArchiver = (name: string) =>
    /^(archive|verify.archive-laws)/.test(name) && !name.endsWith('archive-reader.ts');
  const files = (await readdir(root, { recursive: true })).filter((name) => name.endsWith('.ts') && !isOnce(name));
  for (const file of files) {
    const source = await readFile(join(root, file), 'utf8');
    for (const [, , name = ''] of source.matchAll(/\bquery(?:<[^;()]*?>+)?\(\s*(['"`])(.*?)\1\s*,/g)) {
      const pattern = new RegExp(`^${name.replace(/[.*+?^()|[\]\\]/g, '\\$&').replace(/\$\{.*?\}/g, '.*')}$`);
      const isTransaction = /^(begin|end) a (snapshot|repair)$/.test(name);
      if (!isTransaction && !heard.some((what) => pattern.test(what))) missing.push(`${file}: ${name}`);
    }
  }
  return missing;
}
