import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId, nodeId, orderId, productId, userId } from '../../actors/ids.js';
import type { OrderContent } from '../../actors/protocol.js';
import { countCapped } from '../../storage/lists/counts.js';
import { postgresQueries } from '../../storage/lists/queries.js';
import { postgresSearchIndex } from '../../storage/lists/search-index.js';
import { connectPostgres, type Parameter } from '../../storage/postgres/postgres.js';
import { postgresSnapshots } from '../../storage/snapshots/snapshots.js';
import { queriesContract } from './queries.suite.js';
import { testDatabase } from './rig/storage-database.js';
import { afterCommands, anOrder, aProduct, lived, uniqueName } from './rig/storage-samples.js';

const EXACT = 10;

const database = await testDatabase();
if (database !== undefined) {
  const { client, lists } = database;
  const snapshots = postgresSnapshots(client);
  const queries = postgresQueries(client, lists);
  const index = postgresSearchIndex(lists);
  const test = suite('search index in Postgres');

  const write = async (certain: boolean) => {
    const journal = journalId(uniqueName('journal'));
    await snapshots.openJournal(journal, nodeId('node'));
    const rows = lived().map((state, i) => anOrder(state, { epoch: 1, n: i + 1 }));
    await snapshots.write(journal, { kind: 'orders', rows, certain });
    return rows.map(({ state }) => state.id);
  };
  /** Searches for all words of the text; other orders may match too. */
  const isFound = async (id: string) => {
    const { orders } = await queries.ordersAfter({ words: id }, undefined, 100);
    return orders.some((order) => order.id === id);
  };
  const workAll = async () => {
    let added = 0;
    for (let more = true; more; ) {
      const done = await index.work();
      added += done.added;
      more = done.more;
    }
    return added;
  };

  test('a flush queues its orders for the index; a flush to a closed journal queues none', async () => {
    const ids = [...(await write(true)), ...(await write(false))];
    assert.is(await workAll(), ids.length);
    for (const id of ids) assert.ok(await isFound(id), id);
    assert.is(await workAll(), 0);
    const journal = journalId(uniqueName('journal'));
    await snapshots.closeJournals([journal]);
    const rows = lived().map((state) => anOrder(state, { epoch: 1, n: 1 }));
    assert.is(await snapshots.write(journal, { kind: 'orders', rows, certain: true }), 'closed');
    assert.equal(await client.query('look', 'select from order_search_queue'), []);
  });

  test('only a system that is older than the steady times may have rows named by their lines', async () => {
    assert.not(await queries.mayHaveLineNames());
    await client.query(
      'settle',
      `insert into settlement (id, partitions, journal, seed) values ('s', 1, 'postgres', 'none')`,
    );
    assert.not(await queries.mayHaveLineNames());
    await client.query('age', 'update settlement set steady_since = now()');
    assert.ok(await queries.mayHaveLineNames());
    await client.query('forget', 'delete from settlement');
  });

  test('later events of an order queue nothing: its words never change', async () => {
    const journal = journalId(uniqueName('journal'));
    await snapshots.openJournal(journal, nodeId('node'));
    const states = lived();
    const queued = async () => {
      const count = 'select coalesce(sum(cardinality(order_ids::text[])), 0)::int as ids from order_search_queue';
      return (await client.query<{ ids: number }>('count', count))[0]?.ids;
    };
    const flush = (n: number, isNew: boolean, certain = true) => {
      const rows = states.map((state) => {
        const order = anOrder({ ...state, updatedAt: n }, { epoch: 1, n });
        return isNew ? order : { ...order, isNew, history: [] };
      });
      return snapshots.write(journal, { kind: 'orders', rows, certain });
    };
    await flush(1, true);
    assert.is(await queued(), states.length);
    for (let act = 2; act < 8; act++) await flush(act, false, act % 2 === 0);
    assert.is(await queued(), states.length, 'six more flushes');
    // Beside new orders, and beside orders that a replay knows and that nobody has written yet.
    const others = lived();
    const rows = [...states.slice(0, 2), ...others].map((state, i) => {
      const order = anOrder(state, { epoch: 1, n: 8 });
      return { ...order, isNew: i > 4, ...(i < 2 && { history: [] }) };
    });
    await snapshots.write(journal, { kind: 'orders', rows, certain: true });
    assert.is(await queued(), states.length + others.length);
    assert.is(await workAll(), states.length + others.length);
    for (const { id } of [...states, ...others]) assert.ok(await isFound(id), id);
  });

  test('orders that an earlier version indexed are found by their new words after the sweep', async () => {
    const ids = await write(true);
    await workAll();
    const text = `update order_search set folding = 0, words = 'old' where order_id = any($1::text[])`;
    await client.query('forget the words', text, [`{${ids.join(',')}}`]);
    const old = (await queries.orders({ words: 'old' }, { page: 1, pageSize: 100 })).total;
    assert.is(old, ids.length, 'they are found as before until then');
    for (let after: string | undefined = ''; after !== undefined; ) after = await index.sweep(after);
    assert.is(await workAll(), ids.length);
    for (const id of ids) assert.ok(await isFound(id), id);
    assert.is((await queries.orders({ words: 'old' }, { page: 1, pageSize: 100 })).total, 0);
  });

  test("another node takes over a dead node's batch once its lease is over", async () => {
    const ids = await write(true);
    const lease = (seconds: number) =>
      client.query('lease', `update order_search_queue set leased_until = now() + interval '1 second' * $1::float8`, [
        seconds,
      ]);
    await lease(30);
    assert.is(await workAll(), 0);
    await lease(-1);
    assert.is(await workAll(), ids.length);
    for (const id of ids) assert.ok(await isFound(id), id);
  });

  test('an order without any text adds only the words of a new user to the index', async () => {
    const journal = journalId(uniqueName('journal'));
    await snapshots.openJournal(journal, nodeId('node'));
    const [sample] = lived();
    if (sample === undefined) throw new Error('no samples');
    const user = userId(uniqueName('someone'));
    const content = { user, userIsNumber: false, lines: sample.content.lines };
    const begun = uniqueName('')
      .replace(/[^0-9]/g, '')
      .slice(-10);
    const flush = async (no: number, more: Partial<OrderContent> = {}) => {
      const id = orderId(`ORD-0${`${no}`.padStart(15, '0')}${begun.padStart(10, '0')}`);
      const rows = [anOrder({ ...sample, id, content: { ...content, ...more } }, { epoch: 1, n: no })];
      await snapshots.write(journal, { kind: 'orders', rows, certain: no % 2 === 0 });
      return id;
    };
    const count = async (table: string) =>
      (await client.query<{ rows: number }>('count', `select count(*)::int as rows from ${table}`))[0]?.rows;
    const ids = [await flush(1)];
    assert.is(await count('order_search_queue'), 1);
    assert.is(await workAll(), 0);
    const known = [await count('order_search'), await count('search_users')];
    for (let no = 2; no < 8; no++) ids.push(await flush(no));
    assert.is(await count('order_search_queue'), 0);
    for (const id of ids) assert.ok(await isFound(id), id);
    assert.ok((await queries.ordersAfter({ words: user }, undefined, 100)).orders.length >= ids.length);
    assert.equal([await count('order_search'), await count('search_users')], known);
    const noted = await flush(8, { notes: 'ring' });
    assert.is(await workAll(), 1);
    assert.ok(await isFound(noted));
  });

  test('the sweep deletes needless rows of earlier versions, and finds users and products without words', async () => {
    const text = `insert into order_search (order_id, created_at, words) select order_id, created_at, 'old' from orders
      where user_email is null and order_id like 'ORD-0000%' on conflict do nothing returning order_id`;
    const dropped = await client.query<{ order_id: string }>('index as before', text);
    assert.ok(dropped.length > 0);
    const [product] = [aProduct(productId(uniqueName('gone')), { epoch: 1, n: 1 })];
    const journal = journalId(uniqueName('journal'));
    await snapshots.openJournal(journal, nodeId('node'));
    await snapshots.write(journal, { kind: 'products', rows: [product], certain: true });
    const never = productId(uniqueName('never'));
    const content = { user: userId('user-1'), userIsNumber: false, lines: [{ product: never, quantity: 1 }] };
    const failed = afterCommands(content, [{ type: 'timeOut' }], orderId(`ORD-0${'Z'.repeat(25)}`));
    await snapshots.write(journal, { kind: 'orders', rows: [anOrder(failed, { epoch: 1, n: 2 })], certain: true });
    for (const table of ['search_users', 'search_products', 'order_search_queue'])
      await client.query('forget', `delete from ${table}`);
    for (let after: string | undefined = ''; after !== undefined; ) after = await index.sweep(after);
    await workAll();
    for (const { order_id } of dropped) assert.ok(await isFound(order_id), order_id);
    assert.is((await queries.orders({ words: 'old' }, { page: 1, pageSize: 10 })).total, 0);
    const { orders } = await queries.ordersAfter({ words: never }, undefined, 100);
    assert.equal(
      orders.map(({ id }) => id),
      [failed.id],
    );
    const missing = `select from products p where not exists (select from search_products s where s.product_id = p.product_id)`;
    assert.equal(await client.query('look', missing), []);
  });

  /** Each row of the queue holds so many ids. */
  const queuedProducts = async () => {
    const text = `select cardinality(product_ids::text[]) as ids from order_search_queue where product_ids is not null`;
    return (await client.query<{ ids: number }>('look at the queue', text)).map(({ ids }) => ids);
  };
  const sweepAll = async () => {
    for (let after: string | undefined = ''; after !== undefined; ) after = await index.sweep(after);
  };

  test('many products without words are queued in stretches that one statement can index, and so is a big receipt', async () => {
    await workAll();
    const [many, begun] = [7_200, uniqueName('many')];
    const text = `insert into products (product_id, name, unit_price, currency, on_hand, held, updated_at, version, epoch, n, partition)
      select $1 || i, 'Thing ' || i, 1, 'USD', 5, 0, now(), 1, 0, 0, 0 from generate_series(1, $2::int) i`;
    await client.query('fill products', text, [begun, many]);
    await sweepAll();
    const swept = await queuedProducts();
    assert.is(
      swept.reduce((sum, ids) => sum + ids, 0),
      many,
    );
    assert.ok(Math.max(...swept) <= 1_000, `${Math.max(...swept)} ids in a row of the queue`);
    await workAll();
    const words = 'select count(*)::int as known from search_products where starts_with(product_id, $1)';
    assert.equal(await client.query('count', words, [begun]), [{ known: many }]);
    await sweepAll();
    assert.equal(await queuedProducts(), [], 'all are known');

    const journal = journalId(uniqueName('journal'));
    await snapshots.openJournal(journal, nodeId('node'));
    const rows = Array.from({ length: 2_500 }, (_, i) => aProduct(productId(`${begun}-r${i}`), { epoch: 1, n: 1 }));
    await snapshots.write(journal, { kind: 'products', rows, certain: true });
    assert.equal((await queuedProducts()).sort(), [1_000, 1_000, 500]);
    await workAll();
    assert.equal(await client.query('count', words, [begun]), [{ known: many + rows.length }]);
    await client.query('take them away', 'delete from products where starts_with(product_id, $1)', [begun]);
  });

  test('a restock makes no words, and a product that is renamed again and again keeps a bounded number of them', async () => {
    const journal = journalId(uniqueName('journal'));
    await snapshots.openJournal(journal, nodeId('node'));
    const product = aProduct(productId(uniqueName('renamed')), { epoch: 1, n: 1 });
    let read = 0;
    const counting = {
      ...lists,
      query: async <R extends object>(what: string, text: string, parameters: readonly Parameter[] = []) => {
        const rows = await lists.query<R>(what, text, parameters);
        if (what === 'read products to index') read += rows.length;
        return rows;
      },
    };
    const worker = postgresSearchIndex(counting);
    const receive = async (n: number, name: string) => {
      const state = { ...product.state, name };
      await snapshots.write(journal, { kind: 'products', rows: [{ ...product, n, state }], certain: false });
      while ((await worker.work()).more);
    };
    for (let n = 1; n <= 5; n++) await receive(n, 'Same name');
    assert.is(read, 1);
    const known = async () => {
      const text = 'select name, length(words) as words, words::text as all from search_products where product_id = $1';
      const [row] = await client.query<{ name: string; words: number; all: string }>('look', text, [product.state.id]);
      return row;
    };
    for (let day = 1; day <= 120; day++) await receive(5 + day, `Offer of day${day} a${day} b${day} c${day}`);
    const row = await known();
    assert.is(row?.name, 'Offer of day120 a120 b120 c120');
    assert.match(row?.all ?? '', /'day120'/);
    assert.match(row?.all ?? '', /'renamed'/);
    assert.ok((row?.words ?? 0) <= 300, `${row?.words} words`);
  });

  test('a search of many words, each of them in many users, is answered in full by small answers', async () => {
    const letters = 'abcdefghijklmnopqrstuvwxyz'.split('');
    const words = letters.flatMap((one) => letters.map((other) => one + other)).slice(100, 166);
    const [everyUser, few, mark] = [210, 150, '00'];
    const journal = journalId(uniqueName('journal'));
    await snapshots.openJournal(journal, nodeId('node'));
    const lines = [{ product: productId('P-hostile'), quantity: 1 }];
    const ordered = async (begun: string, all: readonly string[], users: number) => {
      const rows = Array.from({ length: users }, (_, i) => {
        const user = userId(`${all.join('.')}.${begun}${i}`);
        const id = orderId(`ORD-0${begun}${`${i}`.padStart(23, '0')}`);
        return anOrder(afterCommands({ user, userIsNumber: false, lines }, [], id), { epoch: 1, n: i + 1 });
      });
      await snapshots.write(journal, { kind: 'orders', rows, certain: true });
      await workAll();
    };
    await ordered('HH', words, everyUser);
    const numbers = Array.from({ length: 66 }, (_, i) => `${i + 10}`);
    await ordered('JJ', [...numbers, mark], few);
    let largest = 0;
    const measured = {
      ...lists,
      query: async <R extends object>(what: string, text: string, parameters: readonly Parameter[] = []) => {
        const rows = await lists.query<R>(what, text, parameters);
        if (what === 'look for meanings') largest = Math.max(largest, text.length + JSON.stringify(rows).length);
        return rows;
      },
    };
    const searched = postgresQueries(client, measured);
    const found = async (...some: string[]) => {
      const { total } = await searched.orders({ words: some.join(' ') }, { page: 1, pageSize: 5 });
      return total;
    };
    assert.is(await found(...words), everyUser);
    assert.is(await found(...words, 'hh7'), 11, 'hh7, hh70 to hh79');
    assert.is(await found(...words, mark), 0);
    assert.is(await found(...words.slice(0, 65), 'zz'), 0);
    assert.is(await found(...numbers), few);
    assert.is(await found(...numbers, 'ab'), 0);
    assert.ok(largest < 100_000, `${largest} characters`);
  });

  test('two nodes at once index each order once', async () => {
    let expected = 0;
    for (let i = 0; i < 20; i++) expected += (await write(true)).length;
    const added = await Promise.all([workAll(), workAll()]);
    // One node may have found the rows locked by the other, and left them.
    assert.is((added[0] ?? 0) + (added[1] ?? 0) + (await workAll()), expected);
  });

  test('a sweep finds orders that nobody queued', async () => {
    const ids = await write(true);
    await client.query('forget them', 'delete from order_search_queue');
    assert.is(await workAll(), 0);
    assert.not(await isFound(ids[0] ?? ''));
    for (let after: string | undefined = ''; after !== undefined; ) after = await index.sweep(after);
    assert.is(await workAll(), ids.length);
    for (const id of ids) assert.ok(await isFound(id), id);
  });

  test('no text of a client breaks the index', async () => {
    const [sample] = lived();
    if (sample === undefined) throw new Error('no samples');
    const journal = journalId(uniqueName('journal'));
    await snapshots.openJournal(journal, nodeId('node'));
    const long = 'ü'.repeat(2_000);
    const notes = [
      long,
      '\\u0000 \\',
      "':*",
      '\ud800',
      'x'.repeat(2_000),
      Array.from({ length: 1_000 }, (_, i) => i.toString(36)).join(' '),
    ];
    const rows = notes.map((text, i) =>
      anOrder(
        {
          ...sample,
          id: `${uniqueName('ORD')}${i}` as typeof sample.id,
          content: { ...sample.content, notes: text, shippingAddress: { [text]: [text, { a: text }] } },
        },
        { epoch: 1, n: 1 },
      ),
    );
    await snapshots.write(journal, { kind: 'orders', rows, certain: true });
    assert.is(await workAll(), rows.length);
  });

  test('a count that takes too long is an estimate and is marked as one', async () => {
    const hasty = connectPostgres(database.url, { max: 1, planAnew: true, statementMs: 100, waitMs: 5_000 });
    const from = 'from generate_series(1, 3) slowly where pg_sleep($1::float8) is not null';
    assert.equal(await countCapped(hasty, 'count', { from, parameters: [0] }), { total: 3, isEstimate: false });
    assert.is((await countCapped(hasty, 'count', { from, parameters: [30] })).isEstimate, true);
    await hasty.end();
  });

  test.run();
  const capped = { queries: postgresQueries(client, lists, EXACT), exact: EXACT };
  queriesContract('Postgres', { snapshots, queries, index, capped }, database.stop);
}
