// Migrations at a start: none runs twice, and none touches tables of a later version. Rows of an older version get what
// this one needs.
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId, nodeId, orderId, partitionOf, productId } from '../../actors/ids.js';
import { isSettled } from '../../actors/order/order.js';
import { migrate } from '../../storage/postgres/migrate.js';
import { postgresSettlements } from '../../storage/postgres/postgres-settlement.js';
import { postgresSnapshots } from '../../storage/snapshots/snapshots.js';
import { testDatabase } from './rig/storage-database.js';
import { anOrder, aProduct, lived, NASTY, uniqueName } from './rig/storage-samples.js';

const LATER = '9999_of_a_later_version';
const PARTITIONED = new URL('../../../storage/migrations/0017_partitions.sql', import.meta.url);
/** A prime: every bit of the hash counts. */
const PARTITIONS = 1_021;
const database = await testDatabase();
if (database !== undefined) migrations(database);

function migrations({ url, client, stop }: NonNullable<typeof database>): void {
  const test = suite('migrations');

  test('a migration that has run does not run again', async () => {
    assert.equal(await migrate(url), []);
  });

  test('tables of a later version are refused by name and left unchanged', async () => {
    // Makes the first migration due again, if any were run.
    const [first] = await client.query<{ name: string }>(
      'take the last one out',
      'delete from holdfast_migrations where id = (select max(id) from holdfast_migrations) returning name',
    );
    await client.query('come from later', 'insert into holdfast_migrations (name, run_on) values ($1, now())', [LATER]);
    const refused = await migrate(url).then(
      () => '',
      (error: Error) => error.message,
    );
    assert.match(refused, new RegExp(`newer than this version of Holdfast.* ${LATER}: start the version that made`));
    const names = async () =>
      (await client.query<{ name: string }>('names', 'select name from holdfast_migrations')).map(({ name }) => name);
    assert.not((await names()).includes(first?.name ?? ''), 'nothing was run');
    await client.query('go back', 'update holdfast_migrations set name = $1 where name = $2', [
      first?.name ?? '',
      LATER,
    ]);
    assert.equal(await migrate(url), []);
  });

  test('rows of an older version get the partitions that their ids hash to, whatever is in an id', async () => {
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).filter((any) => !any.includes('\0'));
    const ids = [...new Set([...NASTY.slice(1), ...fc.sample(text, 2_000)])];
    const journal = journalId(uniqueName('journal'));
    const snapshots = postgresSnapshots(client);
    await postgresSettlements(client).settle({ id: 's', partitions: PARTITIONS, journal: 'postgres', seed: 'none' });
    await snapshots.openJournal(journal, nodeId('node'));
    const states = lived();
    const orders = ids.flatMap((id, i) => {
      const state = states[i % states.length];
      return state === undefined ? [] : [anOrder({ ...state, id: orderId(id) }, { epoch: 1, n: 1 })];
    });
    const products = ids.map((id) => aProduct(productId(id), { epoch: 1, n: 1 }));
    for (let i = 0; i < orders.length; i += 300)
      await snapshots.write(journal, { kind: 'orders', rows: orders.slice(i, i + 300), certain: true });
    await snapshots.write(journal, { kind: 'products', rows: products, certain: true });
    for (const text of [
      'alter table products drop column partition',
      'alter table orders drop column partition',
      'create index orders_unsettled on orders (order_id) where state is not null',
      // Several statements at once: Postgres takes them only from within.
      `do $do$ begin execute $sql$${await readFile(PARTITIONED, 'utf8')}$sql$; end $do$`,
    ])
      await client.query('upgrade', text);

    type Row = { id: string; partition: number | null };
    const rows = (of: string) => client.query<Row>('look', `select ${of}_id as id, partition from ${of}s`);
    for (const { id, partition } of await rows('product')) {
      assert.is(partition, partitionOf('product', id, PARTITIONS), JSON.stringify(id));
    }
    const unsettled = new Set<string>();
    for (const { state } of orders) if (!isSettled(state)) unsettled.add(state.id);
    assert.ok(unsettled.size > 100 && unsettled.size < ids.length);
    for (const { id, partition } of await rows('order')) {
      assert.is(partition, unsettled.has(id) ? partitionOf('order', id, PARTITIONS) : null, JSON.stringify(id));
    }
    const all = Array.from({ length: PARTITIONS }, (_, i) => i);
    const loaded = await snapshots.load(all, PARTITIONS, []);
    assert.is(loaded.products.length, ids.length);
    assert.is(loaded.orders.length, unsettled.size);
  });

  test.after(stop);
  test.run();
}
