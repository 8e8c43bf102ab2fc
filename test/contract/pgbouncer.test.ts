// The Postgres adapters through a real PgBouncer that pools by transaction: settings, transactions, leases and closers keep
// their promises, and an operator who does not name it reads one sentence.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId } from '../../actors/ids.js';
import { systemClock } from '../../bus/system-clock.js';
import { readConfig } from '../../deploy/config/config.js';
import { adminUrl } from '../../deploy/servers/postgres-itself.js';
import { migrate } from '../../storage/postgres/migrate.js';
import { connectPostgres, type PostgresClient } from '../../storage/postgres/postgres.js';
import { postgresLeases } from '../../storage/postgres/postgres-leases.js';
import { postgresSnapshots } from '../../storage/snapshots/snapshots.js';
import { until } from '../deadlines.js';
import { realPgBouncer } from '../servers/real-pgbouncer.js';
import { realPostgres } from '../servers/real-servers.js';
import { sentStatements } from './rig/sent-statements.js';

const SOON_MS = 20_000;
const OURS = ['statement_timeout', 'jit', 'synchronous_commit', 'enable_seqscan', 'session_replication_role'];

const server = await realPostgres();
const bouncer =
  'skipped' in server ? server : await realPgBouncer([server.url, server.nodeUrl, server.ownerUrl], { poolSize: 12 });
const deaf =
  'skipped' in server || 'skipped' in bouncer
    ? undefined
    : await realPgBouncer([server.url, server.nodeUrl], { ignored: [...OURS, 'random_page_cost', 'work_mem'] });

if ('skipped' in server || 'skipped' in bouncer || deaf === undefined || 'skipped' in deaf) {
  console.log(`SKIP PgBouncer: ${[server, bouncer].flatMap((each) => ('skipped' in each ? [each.skipped] : []))[0]}`);
} else {
  const test = suite(`PgBouncer ${bouncer.version}`);
  const { through, unnamed } = bouncer;
  const [node, lists, flush] = [
    connectPostgres(through(server.nodeUrl), { max: 4 }),
    connectPostgres(through(server.nodeUrl), { max: 2, planAnew: true, statementMs: 2_000, waitMs: SOON_MS }),
    connectPostgres(through(server.nodeUrl), { max: 2, keysHold: true }),
  ];
  test.after(async () => {
    await Promise.all([node, lists, flush].map((client) => client.end()));
    await Promise.all([bouncer.stop(), deaf.stop()]);
    await server.stop();
  });

  test('who does not name it reads one sentence, whether it refuses our settings or ignores them', async () => {
    const said = async (url: string) => String(await migrate(url).catch((error: Error) => error.message));
    for (const url of [unnamed(server.nodeUrl), deaf.unnamed(server.nodeUrl)])
      assert.match(await said(url), /a pooler such as PgBouncer is in between.*add pgbouncer=true to the URL/);
  });

  test('the tables are changed directly, and looked at through it', async () => {
    const said = String(await migrate(through(server.nodeUrl)).catch((error: Error) => error.message));
    assert.match(said, /0001_tables.* not changed through a pooler .*: set MIGRATIONS_DATABASE_URL to Postgres itself/);
    assert.ok((await migrate(server.ownerUrl)).length > 0);
    assert.equal(await migrate(through(server.nodeUrl)), []);
  });

  test('backups want Postgres itself', async () => {
    const config = readConfig({ DATABASE_URL: through(server.nodeUrl) });
    const said = String(await adminUrl(config).catch((error: Error) => error.message));
    assert.match(said, /names a pooler \(pgbouncer=true\): set MIGRATIONS_DATABASE_URL to Postgres itself/);
    const direct = { DATABASE_URL: through(server.nodeUrl), MIGRATIONS_DATABASE_URL: server.ownerUrl };
    assert.is(await adminUrl(readConfig(direct)), server.ownerUrl);
  });

  const settingsOf = async (client: Pick<PostgresClient, 'query'>) => {
    const text = `select name, setting from pg_settings where name = any($1::text[])`;
    const rows = await client.query<{ name: string; setting: string }>('ask', text, [
      `{${[...OURS, 'random_page_cost', 'work_mem']}}`,
    ]);
    return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
  };

  test('each call has the settings of its client, and leaves none behind', async () => {
    for (let i = 0; i < 20; i++) {
      const [ofRows, ofLists, ofFlush] = await Promise.all([node, lists, flush].map(settingsOf));
      assert.is(ofRows?.statement_timeout, '5000');
      assert.is(ofRows?.enable_seqscan, 'off');
      assert.is(ofRows?.session_replication_role, 'origin');
      assert.is(ofLists?.statement_timeout, '2000');
      assert.is(ofLists?.enable_seqscan, 'on');
      assert.is(ofLists?.random_page_cost, '1.1');
      assert.is(ofFlush?.session_replication_role, 'replica');
      assert.is(ofFlush?.jit, 'off');
    }
    const inSession = await node.session(async (session) => {
      await session.query('begin', 'begin transaction isolation level repeatable read read only');
      const inside = await settingsOf(session);
      await session.query('end', 'commit');
      return inside;
    });
    assert.is(inSession.enable_seqscan, 'off');
  });

  test('every statement of the product, many at once', async () => {
    assert.equal((await sentStatements(node, lists)).missing, []);
    const texts = Array.from({ length: 40 }, (_, i) => `select $1::int + ${i} as sum`);
    const sums = await Promise.all(
      Array.from({ length: 400 }, async (_, i) => {
        const [row] = await node.query<{ sum: number }>('add', texts[i % 40] ?? '', [i]);
        return row?.sum === i + (i % 40);
      }),
    );
    assert.ok(sums.every(Boolean));
  });

  test('a statement that fails leaves its transaction, and what it wrote is gone', async () => {
    const stored = 'insert into probe (at) select now() where 1 / (random() * 0)::int = 1';
    const bad = node.query('divide', stored);
    assert.match(await bad.then(String, (error: Error) => error.message), /divide: division by zero/);
    const slow = lists.query('sleep', 'select pg_sleep(30)');
    assert.match(await slow.then(String, (error: Error) => error.message), /sleep: canceling statement/);
    assert.equal(await node.query('ask', 'select 1 as one'), [{ one: 1 }]);
  });

  test('a lease is held by one, and given back', async () => {
    const [one, other] = [postgresLeases(node, systemClock()), postgresLeases(flush, systemClock())];
    const never = new AbortController().signal;
    let inside = 0;
    let most = 0;
    const hold = async () => {
      most = Math.max(most, ++inside);
      // Longer than the holder's own check.
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      inside--;
      return 'done';
    };
    const ended = await Promise.all([one, other].map((leases) => leases.holding('pooled', never, hold)));
    assert.equal(ended, ['done', 'done']);
    assert.is(most, 1);
  });

  test('a journal is closed while a transaction that nobody ends holds its row', async () => {
    const snapshots = postgresSnapshots(node);
    const journal = journalId('POOLED');
    await snapshots.openJournal(journal, 'one' as Parameters<typeof snapshots.openJournal>[1]);
    const holder = connectPostgres(through(server.nodeUrl), { max: 1 });
    let isHeld = false;
    let letGo = () => {};
    const isClosed = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const paused = holder.session(async (session) => {
      await session.query('hold', 'begin');
      await session.query('hold', 'select from journals where journal = $1 for update', [journal]);
      isHeld = true;
      await isClosed;
    });
    assert.ok(await until(() => isHeld, SOON_MS));
    await snapshots.closeJournals([journal]);
    const rows = await snapshots.journals();
    assert.is(rows.find((row) => row.journal === journal)?.closed, true);
    letGo();
    await paused;
    await holder.end();
  });

  test('after its kill calls fail in time, and go through again after its start', async () => {
    await bouncer.kill();
    const said = await node.query('ask', 'select 1 as one').then(String, (error: Error) => error.message);
    assert.match(said, /ask: /);
    await bouncer.start();
    const answers = () =>
      node.query('ask', 'select 1 as one').then(
        () => true,
        () => false,
      );
    assert.ok(await until(answers, SOON_MS));
    assert.is((await settingsOf(node)).statement_timeout, '5000');
  });

  test.run();
}
