// The Postgres adapters when a backend freezes, a session holds a lock, or no server is reachable.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId, nodeId } from '../../actors/ids.js';
import { NOWHERE } from '../../actors/ports/snapshot-rows.js';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { postgresLog } from '../../storage/postgres/postgres-log.js';
import { postgresSnapshots } from '../../storage/snapshots/snapshots.js';
import { patientMs, until } from '../deadlines.js';
import { testDatabase } from './rig/storage-database.js';
import { uniqueName } from './rig/storage-samples.js';

const SOON_MS = 10_000;
const database = await testDatabase();
if (database !== undefined) outages(database);

function outages({ url, client, stop }: NonNullable<typeof database>): void {
  const test = suite('storage outages: Postgres');
  const answers = (one: typeof client): Promise<boolean> =>
    one.query('ask', 'select 1 as one').then(
      () => true,
      () => false,
    );
  const isAsleep = async (pid: number): Promise<boolean> => {
    const rows = await client.query(
      'who sleeps',
      `select 1 from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'`,
      [pid],
    );
    return rows.length === 1;
  };
  const rejection = async (promise: Promise<unknown>): Promise<Error> => {
    const answer = await promise.catch((error: Error) => error);
    assert.instance(answer, Error);
    return answer as Error;
  };

  test('a call to a frozen backend rejects in time, and the next call gets another backend', async () => {
    const one = connectPostgres(url, { max: 1, statementMs: 500 });
    const [row] = await one.query<{ pid: number }>('who', 'select pg_backend_pid() as pid');
    const pid = row?.pid ?? 0;
    process.kill(pid, 'SIGSTOP');
    try {
      const since = performance.now();
      const error = await rejection(one.query('ask the frozen', 'select 1 as one'));
      assert.match(error.message, /ask the frozen: Postgres did not answer within 500 ms/);
      assert.ok(performance.now() - since < patientMs(1_000));
      assert.ok(
        await until(() => answers(one), SOON_MS),
        'another connection answers while the first one is still frozen',
      );
    } finally {
      process.kill(pid, 'SIGCONT');
      await one.end();
    }
  });

  test('a statement that runs too long is cancelled, and its connection is used again', async () => {
    const one = connectPostgres(url, { max: 1, statementMs: 300 });
    const connection = await one.query('which', 'select pg_backend_pid() as pid');
    await rejection(one.query('sleep', 'select pg_sleep(5)'));
    assert.ok(await until(() => answers(one), SOON_MS), 'it answers again');
    assert.equal(await one.query('which', 'select pg_backend_pid() as pid'), connection);
    await one.end();
  });

  test('a killed backend fails its own calls and no more, repeatedly', async () => {
    const one = connectPostgres(url, { max: 1 });
    for (let round = 0; round < 20; round++) {
      const [row] = await one.query<{ pid: number }>('who', 'select pg_backend_pid() as pid');
      const lost = rejection(one.query('sleep', 'select pg_sleep(4)'));
      assert.ok(await until(() => isAsleep(row?.pid ?? 0), SOON_MS, 2), 'the statement runs');
      await client.query('end it', 'select pg_terminate_backend($1)', [row?.pid ?? 0]);
      await lost;
      // Calls sent before the loss is noticed fail as well.
      await Promise.allSettled([1, 2, 3].map((no) => one.query('ask', 'select $1::int as no', [no])));
      assert.ok(await until(() => answers(one), SOON_MS, 2), 'a new connection answers');
      assert.equal(await one.query('ask', 'select 1 as one'), [{ one: 1 }]);
    }
    await one.end();
  });

  test('without a server every call rejects in time with a sentence that names the address, and again later', async () => {
    const nobody = connectPostgres('postgres://x@127.0.0.1:9/x', { max: 2 });
    for (let i = 0; i < 6; i++) {
      const error = await rejection(nobody.query('ask nobody', 'select 1 as one', [], 2_000));
      assert.match(error.message, /ask nobody: Postgres cannot be reached at 127\.0\.0\.1:9 \(/);
    }
    await nobody.end();
  });

  test('the closer ends a session that holds the row, and no other (hazard 3)', async () => {
    const snapshots = postgresSnapshots(client);
    const journal = journalId(uniqueName('journal'));
    await snapshots.openJournal(journal, nodeId('node'));
    const [sleeper, bystander] = [connectPostgres(url, { max: 1 }), connectPostgres(url, { max: 1 })];
    await bystander.query('begin', 'begin');
    await sleeper.query('begin', 'begin');
    await sleeper.query('hold', 'select 1 from journals where journal = $1 for share', [journal]);
    const since = performance.now();
    await Promise.all([snapshots.closeJournals([journal]), snapshots.closeJournals([journal])]);
    assert.ok(performance.now() - since < patientMs(2_000));
    await rejection(
      sleeper.query('commit', 'select 1 from journals where journal = $1 for share', [journal]).then((rows) => {
        // By then a new connection may answer; it has no transaction.
        if (rows.length === 1) throw new Error('reconnected');
      }),
    );
    assert.equal(await bystander.query('still there', 'select 1 as one from (select 1) x'), [{ one: 1 }]);
    assert.is(
      await snapshots.write(journal, {
        kind: 'last',
        partitions: [],
        from: NOWHERE,
        to: { n: 1, position: 1, recordId: 'r' },
        publishedN: 0,
      }),
      'closed',
    );
    await Promise.all([sleeper.end(), bystander.end()]);
  });

  test('closers of several nodes end what blocks them, and not one another, whatever they close', async () => {
    const clients = Array.from({ length: 3 }, () => connectPostgres(url, { max: 2 }));
    const nodes = clients.map((each) => postgresSnapshots(each));
    const journals = Array.from({ length: 4 }, () => journalId(uniqueName('journal')));
    for (const journal of journals) await nodes[0]?.openJournal(journal, nodeId('node'));
    const sleepers = [journals[1], journals[3]].map((journal) => ({ journal, held: connectPostgres(url, { max: 1 }) }));
    for (const { journal, held } of sleepers) {
      await held.query('begin', 'begin');
      await held.query('hold', 'select 1 from journals where journal = $1 for share', [journal ?? '']);
    }
    const lists = [journals, [...journals].reverse(), journals.slice(1)];
    const since = performance.now();
    await Promise.all(nodes.map((node, i) => node.closeJournals(lists[i] ?? [])));
    assert.ok(performance.now() - since < patientMs(4_000));
    const closed = (await nodes[0]?.journals())?.filter((row) => journals.includes(row.journal) && row.closed);
    assert.is(closed?.length, journals.length);
    await Promise.all([...clients, ...sleepers.map(({ held }) => held)].map((each) => each.end()));
  });

  test('a closer that holds the row is not ended by another that waits for it', async () => {
    const snapshots = postgresSnapshots(client);
    const journal = journalId(uniqueName('journal'));
    await snapshots.openJournal(journal, nodeId('node'));
    const slow = uniqueName('slow').replaceAll('-', '_');
    await client.query(
      'make the row slow',
      `create function ${slow}() returns trigger language plpgsql as
        $$ begin if new.journal = '${journal}' then perform pg_sleep(1); end if; return new; end $$`,
    );
    const trigger = `create trigger ${slow} before update on journals for each row execute function ${slow}()`;
    await client.query('make the row slow', trigger);
    try {
      await Promise.all([snapshots.closeJournals([journal]), snapshots.closeJournals([journal])]);
      const closed = (await snapshots.journals()).find((row) => row.journal === journal);
      assert.is(closed?.closed, true);
    } finally {
      await client.query('as it was', `drop function ${slow} cascade`);
    }
  });

  test('an append without an answer in time rejects, and is stored at most once', async () => {
    const holder = connectPostgres(url, { max: 1 });
    const log = postgresLog(client);
    const name = uniqueName('log');
    await log.append(name, 0, 'a');
    await holder.query('begin', 'begin');
    await holder.query('hold', 'select 1 from log_heads where log = $1 for update', [name]);
    const error = await rejection(log.append(name, 1, 'b'));
    assert.match(error.message, /did not answer within 2000 ms/);
    await holder.query('let go', 'commit');
    assert.ok(await until(async () => (await log.read(name, 0)).length === 2, SOON_MS), 'the late append is stored');
    const again = await log.append(name, 1, 'b');
    assert.is(again.kind, 'conflict');
    assert.equal(
      (await log.read(name, 0)).map(({ record }) => record),
      ['a', 'b'],
    );
    await holder.end();
  });

  test.after(stop);
  test.run();
}
