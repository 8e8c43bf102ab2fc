// Where the database files are looked for, after DATA_DIR was moved.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openHome } from '../../../deploy/servers/postgres-home.js';

const test = suite('the home of Postgres');

for (const before of ['/home/shop/data', '/var/lib/holdfast', '/var/lib/holdfast/shop']) {
  test(`files in a DATA_DIR that was ${before} move with it`, async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'holdfast-home-'));
    try {
      await mkdir(join(dataDir, 'postgres', 'data'), { recursive: true });
      await writeFile(join(dataDir, 'postgres', 'data', 'PG_VERSION'), '15\n');
      const memory = { home: join(before, 'postgres'), password: 'p', port: 5_432 };
      await writeFile(join(dataDir, 'postgres.json'), JSON.stringify(memory));
      const opened = await openHome(dataDir, undefined, () => {});
      assert.is(opened.memory.home, join(dataDir, 'postgres'));
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });
}

test.run();
