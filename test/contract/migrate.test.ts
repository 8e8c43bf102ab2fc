// Migrations at a start: none runs twice, and none touches tables of a later version.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { migrate } from '../../storage/postgres/migrate.js';
import { testDatabase } from './rig/storage-database.js';

const LATER = '9999_of_a_later_version';
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

  test.after(stop);
  test.run();
}
