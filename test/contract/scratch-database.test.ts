// The scratch database of a backup's check is dropped by its owner, who is no superuser: while autovacuum works in it, and
// while a session of a killed check is still there.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { dropDatabase, makeDatabase } from '../../storage/backup/scratch-database.js';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { until } from '../deadlines.js';
import { realPostgres } from '../servers/real-servers.js';

const AT_WORK_MS = 60_000;
const server = await realPostgres();
if ('skipped' in server) console.log(`SKIP scratch databases: ${server.skipped}`);
else scratch(server);

function scratch({ url, ownerUrl, stop }: Exclude<typeof server, { skipped: string }>): void {
  const test = suite('scratch databases');
  const [admin, owner] = [connectPostgres(url, { max: 1 }), connectPostgres(ownerUrl, { max: 2 })];
  const within = (name: string) => Object.assign(new URL(ownerUrl), { pathname: `/${name}` }).href;
  const isThere = async (name: string) =>
    (await admin.query('look', 'select 1 from pg_database where datname = $1', [name])).length > 0;

  test.before(async () => {
    await admin.query('let it', 'alter role holdfast_owner createdb');
    await admin.query('look often', 'alter system set autovacuum_naptime = 1');
    await admin.query('look often', 'select pg_reload_conf()');
  });
  test.after(async () => {
    await Promise.all([admin.end(), owner.end()]);
    await stop();
  });

  test('while autovacuum works in it', async () => {
    await makeDatabase(owner, 'scratch_one');
    const inside = connectPostgres(within('scratch_one'), { max: 1 });
    const slowly = 'autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1';
    await inside.query(
      'fill it',
      `create table big with (${slowly}) as select i, repeat('x', 200) as text from generate_series(1, 100000) i`,
    );
    await inside.end();
    const isAtWork = async () =>
      (
        await admin.query(
          'look for autovacuum',
          `select 1 from pg_stat_activity where datname = 'scratch_one' and backend_type = 'autovacuum worker'`,
        )
      ).length > 0;
    assert.ok(await until(isAtWork, AT_WORK_MS), 'autovacuum has begun');
    await dropDatabase(owner, 'scratch_one');
    assert.is(await isThere('scratch_one'), false);
  });

  test('while a session of the same user is in it, and when it is gone already', async () => {
    await makeDatabase(owner, 'scratch_two');
    const left = connectPostgres(within('scratch_two'), { max: 1 });
    await left.query('stay', 'select 1');
    await dropDatabase(owner, 'scratch_two');
    assert.is(await isThere('scratch_two'), false);
    await left.end();
    await dropDatabase(owner, 'scratch_two');
  });

  test.run();
}
