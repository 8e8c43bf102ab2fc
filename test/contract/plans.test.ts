// No query plan depends on the time it was made: on an empty table, on a small table that has grown since, or on a
// large table, an index finds every row that is looked up by name.
// PLAN_ROWS sets the rows of a large table, and prints every plan; `npm run bench:plans` runs this with a million.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nodeId, orderId } from '../../actors/ids.js';
import { PAGE_OF_LINES } from '../../storage/archive/archiver.js';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { postgresPaymentLedger } from '../../storage/postgres/postgres-payment-ledger.js';
import { postgresSnapshots } from '../../storage/snapshots/snapshots.js';
import { type On, type SentStatement, sentStatements } from './rig/sent-statements.js';
import { GROWN, grow, type Planned, prepared, tableOf } from './rig/statement-plans.js';
import { testDatabase } from './rig/storage-database.js';
import { anOrder, lived, uniqueName } from './rig/storage-samples.js';

const SMALL = 20;
const SHOWN = process.env.PLAN_ROWS;
const LARGE = Number(SHOWN ?? 10_000);
const LONG_MS = 600_000;
const KINDS: readonly On[] = ['rows', 'lists', 'verify'];

const database = await testDatabase();
if (database !== undefined) {
  const { client, lists, url } = database;
  const test = suite('plans');
  const { statements, missing } = await sentStatements(client, lists);
  const of = (kind: On): readonly SentStatement[] => statements.filter(({ on }) => on === kind);
  const gathered = () =>
    client.session(async (patient) => {
      await patient.query('be patient', 'set statement_timeout = 0');
      await patient.query('gather statistics', 'vacuum analyze', [], LONG_MS);
    });
  const emptied = () => client.query('begin again', `truncate ${GROWN.join(', ')}`, [], LONG_MS);

  const faults = (planned: readonly Planned[]) =>
    planned.filter(({ whole }) => whole.length > 0).map(({ what, whole }) => `${what}: ${whole.join(', ')}`);

  function judge(title: string, planned: readonly Planned[]): void {
    if (SHOWN !== undefined) console.log(`\n==== ${title}\n${tableOf(planned)}`);
    assert.equal(faults(planned), [], title);
  }

  test('every statement of Holdfast is checked', () => {
    assert.equal(missing, []);
    for (const kind of KINDS) assert.ok(of(kind).length > 20, `${of(kind).length} statements on ${kind}`);
  });

  for (const kind of KINDS) {
    const session = kind === 'lists' ? lists.session : client.session;

    test(`${kind}: no plan made on an empty or a small table reads it whole once it has grown`, async () => {
      await emptied();
      await session(async (first) => {
        const empty = await prepared(first, of(kind));
        if (kind === 'rows') judge('rows: empty tables', await empty.look());
        await grow(client, 1, SMALL);
        await gathered();
        await session(async (second) => {
          const small = await prepared(second, of(kind));
          if (kind === 'rows') judge(`rows: ${SMALL} rows`, await small.look());
          await grow(client, SMALL + 1, LARGE);
          judge(`${kind}: planned on empty tables, ${LARGE} rows since`, await empty.look());
          judge(`${kind}: planned on ${SMALL} rows, ${LARGE} since`, await small.look());
        });
      });
    });

    test(`${kind}: no plan made on large tables does, before and after statistics are gathered`, async () => {
      await session(async (now) =>
        judge(`${kind}: ${LARGE} rows, no statistics`, await (await prepared(now, of(kind))).look()),
      );
      await gathered();
      await session(async (now) => judge(`${kind}: ${LARGE} rows`, await (await prepared(now, of(kind))).look()));
    });
  }

  test('nor does a page of orders to archive, when more orders are archived than stay', async () => {
    await emptied();
    await grow(client, 1, LARGE);
    await client.query('archive most', 'delete from orders where n = 0 and right(order_id, 1) > $1', ['2'], LONG_MS);
    await gathered();
    const text = `explain (format json, costs off) ${PAGE_OF_LINES}`;
    const plan = await client.query('explain', text, [1_700_000_000_000, 'ORD-0', 1_800_000_000_000], LONG_MS);
    assert.not.match(JSON.stringify(plan), /Join Type/, 'a join is made for all orders, and not for one page');
  });

  test('nor do foreign keys and functions, for a user without special rights', async () => {
    await emptied();
    const role = uniqueName('planner').replaceAll('-', '_');
    await client.query('make a user', `create role ${role} login password 'planner'`);
    await client.query('let it in', `grant all on all tables in schema public to ${role}`);
    await client.query('let it in', `grant all on all sequences in schema public to ${role}`);
    await client.query('let it in', `grant execute on all functions in schema public to ${role}`);
    const theirs = new URL(url);
    [theirs.username, theirs.password] = [role, 'planner'];
    const user = connectPostgres(theirs.href, { max: 1 });
    try {
      const snapshots = postgresSnapshots(user);
      const ledger = postgresPaymentLedger(user);
      const journal = uniqueName('J') as Parameters<typeof snapshots.openJournal>[0];
      await snapshots.openJournal(journal, nodeId('planned'));
      const work = async () => {
        const rows = lived().map((state) => anOrder(state, { epoch: 1, n: 1 }));
        await snapshots.write(journal, { kind: 'orders', rows, certain: true });
        await snapshots.write(journal, { kind: 'orders', rows, certain: false });
        const order = orderId(uniqueName('ORD'));
        const ref = (what: string) => ({ order, ref: `${order}:${what}`, minor: 1, currency: 'USD' });
        for (const operation of ['authorize', 'capture', 'refund', 'void'] as const)
          await ledger.record({ ...ref(operation), operation }, 'authorized');
        await snapshots.lookUp([order], []);
      };
      for (let i = 0; i < 7; i++) await work();
      await gathered();
      for (let i = 0; i < 7; i++) await work();
      await grow(client, 1, LARGE);
      const before = await scans();
      await work();
      assert.equal(await scans(), before);
    } finally {
      await user.end();
      await client.query('take what it owns', `drop owned by ${role}`);
      await client.query('take it out', `drop role ${role}`);
    }

    /** How often each table was read whole, as that connection has counted so far. */
    async function scans() {
      await user.query('tell', 'select pg_stat_force_next_flush()').catch(() => {});
      await user.query('tell', 'select 1');
      return user.query(
        'count',
        `select relname, seq_scan from pg_stat_user_tables where relname in (${GROWN.map((name) => `'${name}'`)}) order by 1`,
      );
    }
  });

  test.after(() => database.stop());
  test.run();
}
