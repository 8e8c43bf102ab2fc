// deploy/security/postgres-roles.sql and storage/postgres/grants.sql on a real Postgres: a node's role runs every statement of the
// product, each of its rights is needed, and nothing else is possible. Readers see no secret.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { run } from '../../deploy/servers/processes.js';
import { securityFile } from '../../deploy/servers/security-files.js';
import { migrate } from '../../storage/postgres/migrate.js';
import {
  connectPostgres,
  maySkipKeyChecks,
  type PostgresClient,
  type Session,
  sqlState,
} from '../../storage/postgres/postgres.js';
import { postgresPaymentLedger } from '../../storage/postgres/postgres-payment-ledger.js';
import { patientMs } from '../deadlines.js';
import { realPostgres } from '../servers/real-servers.js';
import { type SentStatement, sentStatements } from './rig/sent-statements.js';
import { uniqueName } from './rig/storage-samples.js';

const DENIED = '42501';
const LONG_MS = 60_000;
const server = await realPostgres();
if ('skipped' in server) console.log(`SKIP accounts of Postgres: ${server.skipped}`);
else accounts(server);

function accounts({
  url,
  nodeUrl,
  ownerUrl,
  backupUrl,
  readerUrl,
  stop,
}: Exclude<typeof server, { skipped: string }>): void {
  const test = suite('accounts of Postgres');
  const [admin, node, lists, owner, reader, backup] = [
    ...[connectPostgres(url, { max: 1 }), connectPostgres(nodeUrl, { max: 4 })],
    connectPostgres(nodeUrl, { max: 2, planAnew: true }),
    ...[connectPostgres(ownerUrl, { max: 1 }), connectPostgres(readerUrl, { max: 1 })],
    connectPostgres(backupUrl, { max: 2 }),
  ] as const;
  let statements: readonly SentStatement[] = [];

  async function denied(client: Session, text: string): Promise<void> {
    const error = await client.query('try', text).catch((each: unknown) => each);
    assert.is(sqlState(error), DENIED, `${text}: ${String(error)}`);
  }

  test('a node that may not migrate says so; its owner does, and then the node starts', async () => {
    const said = await migrate(nodeUrl).catch((error: Error) => error.message);
    assert.match(
      String(said),
      /0001_tables.* is due\), and user "holdfast_node" may not change them: set MIGRATIONS_DATABASE_URL/,
    );
    assert.ok((await migrate(ownerUrl)).length > 0);
    assert.equal(await migrate(nodeUrl), []);
  });

  test('holdfast migrate tells that nothing is due, and who may not look', async () => {
    const env = { PATH: process.env.PATH, DATABASE_URL: nodeUrl };
    const migrates = (more: NodeJS.ProcessEnv) =>
      run(process.execPath, ['dist/deploy/cli.js', 'migrate'], {
        deadlineMs: patientMs(LONG_MS),
        env: { ...env, ...more },
      });
    assert.equal(await migrates({ MIGRATIONS_DATABASE_URL: ownerUrl }), {
      code: 0,
      output: 'The tables were of this version.',
    });
    const refused = await migrates({ MIGRATIONS_DATABASE_URL: ownerUrl.replace(/:[^:@]+@/, ':wrong@') });
    assert.is(refused.code, 2);
    assert.match(refused.output, /^migrate could not change the tables: .*Correct MIGRATIONS_DATABASE_URL=/);
    const ours = await migrates({ DATABASE_URL: '' });
    assert.is(ours.code, 2);
    assert.match(ours.output, /DATABASE_URL is not set/);
  });

  test('a node does all its work', async () => {
    statements = (await sentStatements(node, lists)).statements;
    const ledger = postgresPaymentLedger(node);
    const order = uniqueName('ORD') as Parameters<typeof ledger.record>[0]['order'];
    const payment = { order, ref: `${order}:authorize`, minor: 1, currency: 'USD' };
    assert.is(await ledger.record({ ...payment, operation: 'authorize' }, 'authorized'), 'authorized');
    const [version] = await admin.query<{ at: number }>(
      'ask',
      "select current_setting('server_version_num')::integer as at",
    );
    assert.is(await maySkipKeyChecks(node), (version?.at ?? 0) >= 150_000, 'a flush costs what it costs a superuser');
  });

  test('the reader may read every list, as a read replica is asked', async () => {
    const { missing, statements: asReader } = await listsAs(reader);
    assert.equal(missing, []);
    assert.ok(asReader > 20, String(asReader));
  });

  /** Explains each statement of lists. @returns those that it may not run */
  async function listsAs(client: Session): Promise<{ missing: string[]; statements: number }> {
    const missing: string[] = [];
    const ofLists = statements.filter(({ on }) => on === 'lists');
    for (const [i, { what, text }] of ofLists.entries()) {
      const name = `list_${i}`;
      await client.query('prepare it', `prepare ${name} as ${text}`);
      const nulls = Math.max(0, ...[...text.matchAll(/\$(\d+)/g)].map(([, no]) => Number(no)));
      const given = nulls === 0 ? '' : `(${Array.from({ length: nulls }, () => 'null').join()})`;
      await client.query('plan it', `explain execute ${name}${given}`).catch((error: unknown) => {
        missing.push(`${what}: ${String(error)}`);
      });
    }
    return { missing, statements: ofLists.length };
  }

  test('each right of a node is needed by a statement', async () => {
    const rights = await admin.query<{ table: string; right: string }>(
      'read the rights',
      `select c.relname as table, lower(a.privilege_type) as right from pg_class c, aclexplode(c.relacl) a
       where c.relnamespace = 'public'::regnamespace and a.grantee = 'holdfast_node'::regrole order by 1, 2`,
    );
    assert.ok(rights.length > 60, String(rights.length));
    const surplus: string[] = [];
    for (const { table, right } of rights) if (!(await isNeeded(table, right))) surplus.push(`${right} on ${table}`);
    assert.equal(surplus, WITHOUT_STATEMENT);
  });

  /** Of migrate.ts, and of the function that 'record a payment' calls. */
  const WITHOUT_STATEMENT = ['select on holdfast_migrations', 'insert on payment_effects', 'update on payment_effects'];

  async function isNeeded(table: string, right: string): Promise<boolean> {
    const named = new RegExp(`\\b${table}\\b`);
    return admin.session(async (session) => {
      await session.query('begin', 'begin');
      await session.query('take it', `revoke ${right} on ${table} from holdfast_node`);
      await session.query('be a node', 'set local role holdfast_node');
      for (const { text, parameters } of statements.filter((each) => named.test(each.text))) {
        const error = await session.query('explain', `explain ${text}`, parameters).catch((each: unknown) => each);
        if (sqlState(error) === DENIED) return true;
        if (error instanceof Error) throw new Error(`${text}: ${error.message}`);
      }
      return false;
    });
  }

  test('a node changes no table, empties none, and gives itself no right', async () => {
    for (const text of [
      'drop table orders',
      'truncate orders',
      'create table mine (a int)',
      'create temporary table mine (a int)',
      'create schema mine',
      'alter table orders add column mine int',
      'create index mine on orders (user_id)',
      'alter role holdfast_node superuser',
      'create role mine',
      'delete from orders',
      'delete from order_turns',
      'update order_turns set version = 0',
      'update settlement set partitions = 1',
      'delete from inventory_operations',
      "copy orders to program 'true'",
      "select pg_read_file('PG_VERSION')",
      'set role holdfast_owner',
    ])
      await denied(node, text);
  });

  test('an owner changes tables, and is no superuser', async () => {
    await owner.query('make one', 'create table a_later_one (a int)');
    assert.equal(await undecided(), ['a_later_one'], 'a new table must be in grants.sql');
    await denied(node, 'select from a_later_one');
    await denied(reader, 'select from a_later_one');
    await denied(backup, 'select from a_later_one');
    await owner.query('take it away', 'drop table a_later_one');
    for (const text of ['create role mine', 'create database mine', "copy orders to program 'true'"])
      await denied(owner, text);
  });

  test('the rights of each table are decided', async () => assert.equal(await undecided(), []));

  async function undecided(): Promise<readonly string[]> {
    const rows = await admin.query<{ name: string }>(
      'look for tables',
      `select relname as name from pg_class c where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm')
         and not exists (select from aclexplode(relacl)
           where grantee in ('holdfast_node'::regrole, 'holdfast_reader'::regrole)) order by 1`,
    );
    return rows.map(({ name }) => name);
  }

  test('a reader reads every table but no secret, and changes nothing', async () => {
    const tables = await admin.query<{ name: string; columns: string }>(
      'list all columns',
      `select table_name as name, string_agg(column_name, ', ') as columns from information_schema.columns
       where table_schema = 'public' and (table_name, column_name) not in
         (('webhooks', 'secret'), ('webhooks', 'old_secret'), ('api_keys', 'hash')) group by 1`,
    );
    for (const { name, columns } of tables) {
      await reader.query('read', `select ${columns} from ${name} limit 1`);
      for (const text of [`insert into ${name} default values`, `delete from ${name}`, `truncate ${name}`]) {
        const error = await reader.query('try', text).catch((each: unknown) => each);
        assert.ok(error instanceof Error, text);
      }
    }
    for (const text of [
      'select secret from webhooks',
      'select old_secret from webhooks',
      'select * from webhooks',
      'select hash from api_keys',
      'select count(*) from api_keys where hash > $$a$$',
      'update orders set status = $$failed$$',
      'select * from orders for update',
      'drop table orders',
      'create temporary table mine (a int)',
      'set session_replication_role = replica',
      'select payment_perform($$a$$, $$authorize$$, $$a$$, 1, $$USD$$, $$authorized$$)',
    ])
      await denied(reader, text);
  });

  test('a dump reads everything, changes nothing, and has databases of its own alone', async () => {
    const tables = await admin.query<{ name: string }>(
      'list all tables and sequences',
      "select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'S')",
    );
    assert.ok(tables.length > 20);
    for (const { name } of tables) await backup.query('read', `select * from ${name} limit 1`);
    const held = await admin.query<{ name: string; right: string }>(
      'read the rights',
      `select relname as name, "right" from pg_class c, unnest('{select,insert,update,delete,truncate,references,trigger}'::text[]) as r("right")
       where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v') and "right" <> 'select'
         and has_table_privilege('holdfast_backup', c.oid, "right")`,
    );
    assert.equal(held, []);
    await backup.query('as a key is used', 'update api_keys set last_used_at = now() where id = $$none$$');
    for (const text of [
      'update api_keys set name = $$mine$$',
      'update orders set status = $$failed$$',
      'drop table orders',
      'create table mine (a int)',
      'create schema mine',
      'alter role holdfast_backup superuser',
      'create role mine',
      'set session_replication_role = replica',
      'drop database holdfast',
      "copy orders to program 'true'",
      'set role holdfast_owner',
    ])
      await denied(backup, text);
    await backup.query('make one', 'create database a_scratch_one', [], LONG_MS);
    await denied(owner, 'drop database a_scratch_one');
    await backup.query('drop it', 'drop database a_scratch_one with (force)', [], LONG_MS);
  });

  test('a database that one user has migrated before is handed over', async () => {
    await admin.query('make another', 'create database older', [], LONG_MS);
    const at = (given: string) => given.replace(/\/[^/]*$/, '/older');
    await migrate(at(url));
    const older: PostgresClient = connectPostgres(at(url), { max: 1 });
    try {
      await older.query(
        'as it was',
        'revoke all on all tables in schema public from holdfast_node, holdfast_backup, holdfast_reader',
      );
      const roles = await securityFile('postgres-roles.sql');
      for (let i = 0; i < 2; i++) await older.query('make the roles', roles);
      const others = `select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v')
        and relowner <> 'holdfast_owner'::regrole`;
      assert.equal(await older.query('whose are they', others), []);
      const said = await migrate(at(nodeUrl)).catch((error: Error) => error.message);
      assert.match(
        String(said),
        /"holdfast_node" may not read holdfast_migrations: let a node start once with MIGRATIONS_DATABASE_URL/,
      );
      assert.equal(await migrate(at(ownerUrl)), []);
      assert.equal(await migrate(at(nodeUrl)), []);
    } finally {
      await older.end();
    }
  });

  test.after(async () => {
    const awake = setInterval(() => {}, 1_000); // A child server does not keep this process alive.
    for (const each of [admin, node, lists, owner, reader, backup]) await each.end();
    await stop();
    clearInterval(awake);
  });
  test.run();
}
