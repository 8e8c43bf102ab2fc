// `verify` on data that the product itself has stored. It is clean beside a running system, after a stop and after a
// crash. It reports one sentence about the right row for each tampering with psql, with the journal and after
// its trim.
import { readFile } from 'node:fs/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type JournalId,
  nodeId,
  type OrderId,
  orderId,
  productId,
  userId,
  type WriteId,
  writeId,
} from '../../actors/ids.js';
import { journalLog } from '../../actors/node/record.js';
import type { Post } from '../../actors/ports/letters.js';
import type { PlaceReply } from '../../actors/ports/owners.js';
import type { Payments } from '../../actors/ports/payments.js';
import type { Backorders, OrderAct } from '../../actors/protocol.js';
import type { Driver } from '../../bus/node/driver.js';
import type { Incarnation } from '../../bus/node/incarnation.js';
import { forgetfulPayments, instantPayments, mockPayments } from '../../bus/payments/mock-provider.js';
import { systemClock } from '../../bus/system-clock.js';
import { postgresStatsFold } from '../../storage/lists/order-stats-fold.js';
import { postgresQueries } from '../../storage/lists/queries.js';
import { memoryCache } from '../../storage/memory/memory-cache.js';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { postgresLog } from '../../storage/postgres/postgres-log.js';
import { postgresPaymentLedger } from '../../storage/postgres/postgres-payment-ledger.js';
import { postgresSnapshots } from '../../storage/snapshots/snapshots.js';
import { reportOf } from '../../storage/verify/report.js';
import { repairStats } from '../../storage/verify/stats-repair.js';
import { CouldNotLook, type Verdict } from '../../storage/verify/verdict.js';
import { verify } from '../../storage/verify/verify.js';
import { type NodeParts, startedNode } from './rig/one-node.js';
import { testDatabase } from './rig/storage-database.js';
import { CONFIRMED, tamperings } from './rig/verify-tamperings.js';

const PARTITIONS = 8;
const TABLES = [
  'orders',
  'order_items',
  'order_turns',
  'products',
  'inventory_operations',
  'refused_writes',
  'order_stats_days',
  'order_stats_months',
  'order_stats_queue',
];
const REFUSED = writeId('W-refused');
const MIGRATION = new URL('../../../storage/migrations/0007_not_charged.sql', import.meta.url);
const FREE = new URL('../../../storage/migrations/0016_free_orders.sql', import.meta.url);
const STEADY = new URL('../../../storage/migrations/0010_steady_times.sql', import.meta.url);
const clock = systemClock();
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

const database = await testDatabase();
if (database !== undefined) {
  const { client } = database;
  const logClient = connectPostgres(database.url, { max: 2 });
  const log = postgresLog(logClient);
  const look = () => verify({ client, log, partitions: PARTITIONS });

  // -------------------------------------------------------------- a running system

  /** A failed test leaves its node running, which would keep the process alive. */
  const running: Incarnation[] = [];

  interface Way {
    readonly atHome: boolean;
    readonly payments?: Payments;
  }

  async function start({ atHome, payments }: Way): Promise<Incarnation> {
    let driver: Driver | undefined;
    const post: Post = {
      send: (letters) => void setImmediate(() => driver?.letters(letters)),
      confirm: (confirmation) => void setImmediate(() => driver?.confirmed(confirmation)),
    };
    const parts: NodeParts = {
      node: nodeId('verified'),
      partitions: PARTITIONS,
      log,
      snapshots: postgresSnapshots(client),
      queries: postgresQueries(client, client),
      cache: memoryCache(clock),
      clock,
      logger: quiet,
      nodeName: 'verified',
      events: undefined,
      eventsMayForget: false,
      payments: payments ?? forgetfulPayments(0.5),
      context: { instantPayment: payments ? undefined : instantPayments(0.5) },
      post,
      meter: { appended() {}, flushed() {}, unanswered() {}, retried() {}, cached() {}, deadLetter() {} },
      source: 'test',
      orderTimeoutMs: 30_000,
      holdTtlMs: 30_000,
      recordBytes: 1_000_000,
      byteLength: (text) => Buffer.byteLength(text),
      deliverAtHome: atHome,
    };
    const incarnation = await startedNode(parts);
    driver = incarnation.driver;
    running.push(incarnation);
    return incarnation;
  }

  type Bare = OrderAct extends infer A ? (A extends OrderAct ? Omit<A, 'act'> : never) : never;

  let placed = 0;
  function place({ owners }: Incarnation, lines: readonly [string, number][]): Promise<PlaceReply> {
    const order = orderId(`ORD-${clock.id()}`);
    const content = {
      user: userId(`user-${placed++ % 7}`),
      userIsNumber: false,
      notes: 'back\\slash, "quotes" and \u0000',
      lines: lines.map(([product, quantity]) => ({ product: productId(product), quantity })),
    };
    return owners.place({ order, content, correlation: `c-${placed}`, fresh: true }, 10_000);
  }

  async function receive(
    { owners }: Incarnation,
    product: string,
    quantity: number,
    currency = 'USD',
    backorders?: Backorders,
    unitPrice = 100 + product.length,
  ): Promise<void> {
    const command = {
      type: 'receive',
      ref: writeId(clock.id()),
      fingerprint: 'f',
      name: product,
      unitPrice,
      currency,
      quantity,
      ...(backorders && { backorders }),
    } as const;
    const reply = await owners.stock(
      { product: productId(product), command, correlation: 'stock', fresh: true },
      10_000,
    );
    assert.is(reply.kind, 'done');
  }

  async function refused({ owners }: Incarnation, ref: WriteId): Promise<void> {
    const command = { type: 'adjust', ref, fingerprint: 'f', delta: -1_000_000, reason: 'count' } as const;
    const ask = { product: productId('many'), command, correlation: 'stock', fresh: false };
    const reply = await owners.stock(ask, 10_000);
    assert.is(reply.kind === 'refused' && reply.refusal, 'below_held');
  }

  /** Life after the outcome: every event of an order's life, on orders of each kind, and backordered stock. */
  async function someLives(incarnation: Incarnation): Promise<void> {
    const { owners } = incarnation;
    const act = async (order: OrderId, command: Bare) => {
      const named = { ...command, act: { ref: writeId(clock.id()), fingerprint: 'f' } } as OrderAct;
      const reply = await owners.act({ order, command: named, correlation: 'life' }, 10_000);
      return reply;
    };
    /** The provider declines every second order. */
    const confirmed = async (lines: readonly [string, number][]): Promise<OrderId> => {
      for (;;) {
        const reply = await place(incarnation, lines);
        if (reply.kind === 'outcome' && reply.state.phase === 'confirmed') return reply.state.id;
      }
    };
    await receive(incarnation, 'lived', 1_000);
    await receive(incarnation, 'promised', 2, 'USD', { allowed: true });
    await receive(incarnation, 'gift', 9, 'USD', undefined, 0);
    const gift = await confirmed([['gift', 2]]);
    await act(gift, { type: 'ship' });
    await act(await confirmed([['gift', 1]]), { type: 'cancel' });
    const some = (quantity: number) => [{ product: productId('lived'), quantity }];
    const parts = await confirmed([['lived', 4]]);
    await act(parts, { type: 'ship', lines: some(1), tracking: 'T-1', carrier: 'post' });
    const whole = await confirmed([['lived', 3]]);
    await act(whole, { type: 'ship' });
    await act(whole, { type: 'deliver' });
    await act(whole, { type: 'requestReturn', lines: some(1), reason: 'back\\slash \u0000' });
    await act(whole, { type: 'requestReturn', lines: some(2) });
    await act(whole, { type: 'receiveReturn', returned: `${whole}-R1`, restock: true });
    const refunded = await confirmed([['lived', 2]]);
    await act(refunded, { type: 'refund', minor: 50 });
    await act(await confirmed([['lived', 5]]), { type: 'cancel', reason: 'changed my mind' });
    const waiting = await confirmed([['promised', 5]]);
    await act(await confirmed([['promised', 4]]), { type: 'cancel' });
    assert.is((await act(waiting, { type: 'ship' })).kind, 'refused');
    await receive(incarnation, 'promised', 2);
    await confirmed([['promised', 1]]);
  }

  /** Confirmed orders of one and two lines, and orders that are short, unknown, declined, or of two currencies. */
  async function someOrders(incarnation: Incarnation, count: number): Promise<void> {
    const kinds: [string, number][][] = [
      [['many', 1]],
      [
        ['many', 2],
        ['plenty', 3],
      ],
      [['few', 4]],
      [
        ['plenty', 1],
        ['nobody-knows', 1],
      ],
      [['yen', 2]],
      [['yen', 1_000_000]],
      [
        ['many', 1],
        ['yen', 1_000_000],
      ],
      [
        ['yen', 1],
        ['many', 1],
      ],
      [
        ['few', 1_000],
        ['many', 5],
        ['plenty', 1],
      ],
    ];
    await Promise.all(Array.from({ length: count }, (_, i) => place(incarnation, kinds[i % kinds.length] ?? [])));
  }

  // -------------------------------------------------------------- tampering

  const one = async (text: string): Promise<string> => {
    const [row] = await client.query<{ id: string }>('pick', text);
    if (row === undefined) throw new Error(`nothing to tamper with: ${text}`);
    return row.id;
  };

  const columns = new Map<string, string>();
  async function keep(): Promise<void> {
    await client.query('keep', 'drop schema if exists kept cascade');
    await client.query('keep', 'create schema kept');
    for (const table of TABLES) {
      await client.query('keep', `create table kept.${table} as table ${table}`);
      const text = `select string_agg(column_name, ', ') as id from information_schema.columns
        where table_schema = 'public' and table_name = '${table}' and is_generated = 'NEVER'`;
      columns.set(table, await one(text));
    }
  }

  async function restore(): Promise<void> {
    // Not `delete`: dead rows would make each look slower than the one before.
    await client.query('restore', `truncate ${TABLES.join(', ')}`);
    for (const table of TABLES) {
      const names = columns.get(table);
      const text = `insert into ${table} (${names}) overriding system value select ${names} from kept.${table}`;
      await client.query('restore', text);
    }
  }

  const saysOnly = (verdict: Verdict, promise: RegExp, thing: string, words: RegExp): void => {
    const told = reportOf(verdict).join('\n');
    assert.ok(verdict.total > 0, 'found');
    assert.ok(
      verdict.violations.some(
        ({ sentence }) => promise.test(sentence) && sentence.includes(thing) && words.test(sentence),
      ),
      `${promise} ${thing} ${words} in:\n${told}`,
    );
    for (const { sentence } of verdict.violations) assert.ok(sentence.includes(thing), `${thing} alone in:\n${told}`);
  };

  async function tamperWithEverything(): Promise<void> {
    await keep();
    for (const { name, of, pick, statements, promise, words, others } of tamperings) {
      const id = of === 'product' ? 'many' : await one(pick ?? CONFIRMED);
      for (const statement of statements) await client.query(name, statement.replaceAll('$', id));
      const verdict = await look();
      try {
        if (others === true) {
          const told = reportOf(verdict).join('\n');
          assert.ok(
            verdict.violations.some(({ sentence }) => promise.test(sentence) && words.test(sentence)),
            told,
          );
        } else saysOnly(verdict, promise, id, words);
      } catch (error) {
        throw new Error(`${name}: ${(error as Error).message}`);
      } finally {
        await restore();
      }
    }
    assert.is((await look()).total, 0, 'and nothing once all is put back');
  }

  const clean = (verdict: Verdict): void => assert.is(verdict.total, 0, reportOf(verdict).join('\n'));

  /** Trims as far as the rules allow: up to the records that the rows include. */
  async function trimAll(): Promise<void> {
    const rows = await client.query<{ journal: JournalId; position: number }>(
      'journals',
      'select journal, position from journals',
    );
    for (const { journal, position } of rows) await log.trim(journalLog(journal), position - 1);
  }

  // -------------------------------------------------------------- the tests

  const test = suite('verify: what is stored');
  test.after.each(() => {
    for (const { driver } of running.splice(0)) driver.finish({ kind: 'stopped' });
  });
  test('an empty database is clean; one without tables, or with other partitions, cannot be checked', async () => {
    clean(await look());
    const elsewhere = connectPostgres(database.url.replace(/\/[^/?]*(\?|$)/, '/postgres$1'), { max: 1 });
    const refused = await verify({ client: elsewhere, log, partitions: PARTITIONS }).catch((error: unknown) => error);
    assert.instance(refused, CouldNotLook);
    await elsewhere.end();
    const nowhere = connectPostgres('postgres://nobody@127.0.0.1:1/none', { max: 1 });
    const unreached = await verify({ client: nowhere, log, partitions: PARTITIONS }).catch((error: unknown) => error);
    assert.instance(unreached, CouldNotLook);
    await nowhere.end();
  });

  test('clean beside a running system and after its stop, with letters delivered in the process', async () => {
    const incarnation = await start({ atHome: true });
    for (const [product, quantity] of [
      ['many', 500],
      ['plenty', 400],
      ['few', 9],
    ] as const)
      await receive(incarnation, product, quantity);
    await receive(incarnation, 'yen', 300, 'JPY');
    await someOrders(incarnation, 63);
    await someLives(incarnation);
    for (const ref of [REFUSED, writeId('W-refused too'), REFUSED]) await refused(incarnation, ref);
    clean(await look());
    await incarnation.stop(5_000);
    const verdict = await look();
    clean(verdict);
    assert.ok(verdict.checked.orders > 63);
    assert.is(verdict.checked.products, 7);
    assert.ok(verdict.checked.events >= 63 * 3, 'the journal is compared');
    const reasons = await client.query<{ id: string }>(
      'reasons',
      'select distinct reason as id from orders where reason is not null order by 1',
    );
    assert.equal(
      reasons.map(({ id }) => id),
      ['out_of_stock', 'payment_declined', 'unknown_product'],
    );
  });

  test('rows from before orders could be marked as never charged are clean, and are updated', async () => {
    await keep();
    const words = async () => {
      const text =
        'select reason, payment_status as payment, count(*)::int from orders where reason is not null group by 1, 2 order by 1, 2';
      return client.query<{ reason: string; payment: string; count: number }>('words', text);
    };
    const before = await words();
    assert.equal(
      before.map(({ reason, payment }) => `${reason} ${payment}`),
      ['out_of_stock not_charged', 'payment_declined declined', 'unknown_product not_charged'],
    );
    await client.query(
      'as before',
      `update orders set payment_status = 'pending' where payment_status = 'not_charged'`,
    );
    clean(await look());
    await client.query('migrate', await readFile(MIGRATION, 'utf8'));
    assert.equal(await words(), before);
    clean(await look());
    await restore();
  });

  test('tampering is found while the journal exists', tamperWithEverything);

  test('tampering that the rows cannot show is found while the journal exists', async () => {
    await keep();
    const id = await one(CONFIRMED);
    const tamper = (text: string) => client.query('tamper', text);
    await tamper(`update order_turns set correlation_id = 'other' where order_id = '${id}'`);
    saysOnly(await look(), /promise 5/, id, /is correlated with other/);
    await restore();
    await tamper(
      `update order_turns set events = replace(events::text, 'quotes', 'forged')::json where order_id = '${id}'`,
    );
    saysOnly(await look(), /promise 5/, id, /event 1 in order_history \(placed\) has another content/);
    await restore();
    await tamper(`update inventory_operations set reason = 'forged' where product_id = 'many' and version = 2`);
    saysOnly(await look(), /promise 5/, 'many', /has the reason forged, expected none/);
    await restore();
    clean(await look());
  });

  test('a refusal that the rows have lost or changed is found while the journal exists', async () => {
    await keep();
    for (const [tampered, words] of [
      [`delete from refused_writes where ref = '${REFUSED}'`, /is missing, expected below_held/],
      [`update refused_writes set refusal = 'too_much_stock'`, /is too_much_stock, expected below_held/],
    ] as const) {
      await client.query('tamper', tampered);
      saysOnly(await look(), /promise 5/, 'many', words);
      await restore();
    }
    clean(await look());
  });

  test('times that went back in older versions are no violation', async () => {
    await keep();
    await client.query(
      'settled',
      `insert into settlement (id, partitions, journal, seed) values ('S', ${PARTITIONS}, 'postgres', 'none')`,
    );
    await trimAll();
    await client.query(
      'as the clock was',
      `update inventory_operations set created_at = created_at - interval '30 s' where product_id = 'many' and version = 4`,
    );
    assert.ok((await look()).violations.some(({ sentence }) => /the time of operation 4/.test(sentence)));
    await client.query('migrate', (await readFile(STEADY, 'utf8')).replace(/alter table.*/, ''));
    clean(await look());
    await client.query('unsettle', 'delete from settlement');
    await restore();
  });

  test('a cancelled order that an older version paid though it cost nothing is not charged', async () => {
    await keep();
    await trimAll();
    const free = (status: string) =>
      one(`select order_id as id from orders where total_amount = 0 and status = '${status}'`);
    const [cancelled, shipped] = [await free('cancelled'), await free('shipped')];
    const word = (id: string) => one(`select payment_status as id from orders where order_id = '${id}'`);
    for (const id of [cancelled, shipped]) {
      for (const text of [
        `update order_turns set version = version + 1 where order_id = '${id}' and version > 1`,
        `update order_turns set events = replace(events::text, '{"type":"confirmed"}', '{"type":"paid","captured":true},{"type":"confirmed"}')::json
          where order_id = '${id}' and version = 1`,
        `update orders set version = version + 1, payment_status = 'paid' where order_id = '${id}'`,
      ])
        await client.query('as before', text);
    }
    saysOnly(await look(), /promise/, cancelled, /orders\.payment_status is paid, expected not_charged/);
    await client.query('migrate', await readFile(FREE, 'utf8'));
    assert.equal([await word(cancelled), await word(shipped)], ['not_charged', 'paid']);
    clean(await look());
    await restore();
  });

  test('clean with remote letters, a slow provider and a crash; a lost record is named', async () => {
    const payments = mockPayments({ successRate: 0.8, latencyMs: 3, ledger: postgresPaymentLedger(client), clock });
    const incarnation = await start({ atHome: false, payments });
    const burst = Promise.all([someOrders(incarnation, 140), someLives(incarnation)]);
    for (let i = 0; i < 5; i++) clean(await look());
    // The last answers are appended; their flush ends with this incarnation. A loss of the last record alone could
    // go unseen, so the test removes a record with a successor.
    const beyond = `select r.position, r.record from log_records r join journals j on r.log = $1 and j.journal = $2 and r.position > j.position`;
    const isAhead = async () => {
      await place(incarnation, [['many', 1]]);
      const ahead = await client.query('look ahead', beyond, [journalLog(incarnation.journal), incarnation.journal]);
      return ahead.length >= 3;
    };
    for (let tries = 0; !(await isAhead()); tries++) assert.ok(tries < 200, 'flushes keep up with every append');
    incarnation.driver.finish({ kind: 'stopped' });
    await burst;
    const crashed = await look();
    clean(crashed);
    const rewrite = (record: string) =>
      client.query('rewrite', 'update log_records set record = $1 where log = $2 and position = $3', [
        record,
        journalLog(incarnation.journal),
        ahead?.position ?? 0,
      ]);
    const [ahead] = await client.query<{ record: string; position: number }>(
      'look ahead',
      `${beyond} order by r.position desc limit 1`,
      [journalLog(incarnation.journal), incarnation.journal],
    );
    await rewrite((ahead?.record ?? '').replace(/"at":\d+/, '"at":1'));
    const sentence = /promise 3.*the journal's event \d+ is of 1, expected 1\d{12} or later/;
    assert.ok((await look()).violations.some((each) => sentence.test(each.sentence)));
    await rewrite(ahead?.record ?? '');
    const lost = await client.query<{ record: string; position: number }>(
      'lose a record',
      `delete from log_records where log = $1 and position = (select position + 1 from journals where journal = $2)
       returning position, record`,
      [journalLog(incarnation.journal), incarnation.journal],
    );
    assert.is(lost.length, 1, 'the crash left records beyond the rows');
    saysOnly(await look(), /promise 5/, incarnation.journal, /has record|ends at|does not have/);
    for (const { position, record } of lost) {
      await client.query('put it back', 'insert into log_records values ($1, $2, $3)', [
        journalLog(incarnation.journal),
        position,
        record,
      ]);
    }
    clean(await look());
  });

  test('clean after the trim, and tampering is found there as well', async () => {
    await (await start({ atHome: true })).stop(5_000); // It takes over what the crash left.
    await trimAll();
    const verdict = await look();
    clean(verdict);
    assert.ok(verdict.checked.events < verdict.checked.history / 2, 'the journal is gone');
    await tamperWithEverything();
  });

  test('the numbers of orders are counted anew beside a running system, whatever is wrong with them', async () => {
    const incarnation = await start({ atHome: true });
    const { fold } = postgresStatsFold(client);
    const wrongs = [
      `update order_stats_days set units = units + 1, revenue = 0 where product_id = 'many'`,
      `update order_stats_days set orders = 7 where product_id = ''`,
      `delete from order_stats_days where product_id = 'plenty'`,
      `insert into order_stats_days values ('nowhere', '2026-01-01', 'USD', 'confirmed', '', 1, 1, 2, 3.5)`,
      'truncate order_stats_months',
    ];
    while ((await fold()).more);
    for (const text of wrongs) {
      await client.query('make it wrong', text);
      let isOver = false;
      const orders = (async () => {
        while (!isOver) {
          await someOrders(incarnation, 9);
          await fold();
        }
      })();
      const repaired = await Promise.all([repairStats(client), repairStats(client)]);
      isOver = true;
      await orders;
      assert.ok(Math.max(...repaired) > 0, `${text}: ${repaired}`);
      assert.is(await repairStats(client), 0);
      clean(await look());
    }
    await incarnation.stop(5_000);
    clean(await look());
  });

  test('no false alarm in 20 checks beside load, flushes and trims', async () => {
    const incarnation = await start({ atHome: true });
    await receive(incarnation, 'many', 100_000);
    const moment = () => new Promise((resolve) => clock.after(100, () => resolve(undefined)));
    // So many orders a look, however slow the machine is: flushes and trims matter here, and not the size.
    const load = async () => {
      for (let round = 0; round < 5; round++) {
        await Promise.all([someOrders(incarnation, 7), someOrders(incarnation, 7), trimAll()]);
        await moment();
      }
    };
    let looks = 0;
    for (let i = 0; i < 20; i++) {
      const [verdict] = await Promise.all([look(), load()]);
      looks += verdict.looks;
      clean(verdict);
    }
    await incarnation.stop(5_000);
    clean(await look());
    console.log(`20 verdicts took ${looks} looks beside ${placed} orders`);
  });

  test('a record of an unknown version is no violation: it cannot be judged', async () => {
    await client.query('tamper', `update log_records set record = '{"v":99}' where log = 'claims'`);
    const refused = await look().catch((error: unknown) => error);
    assert.instance(refused, CouldNotLook);
    assert.match((refused as Error).message, /version 99/);
  });

  test.after(async () => {
    await logClient.end();
    await database.stop();
  });
  test.run();
}
