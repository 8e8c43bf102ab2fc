// A command that root runs on the DATA_DIR of a node, such as a restore, leaves files that the node's user can read.

import { chownSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { recall, remember } from '../../../deploy/servers/kept-files.js';

const test = suite('kept files');
const NOBODY = 65_534;

test('a file belongs to the owner of its folder, and nobody else may read it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-kept-'));
  try {
    const isRoot = process.getuid?.() === 0;
    if (isRoot) chownSync(folder, NOBODY, NOBODY);
    else console.log('SKIP the owner of a file: only root writes for others');
    const file = join(folder, 'servers.json');
    for (const times of [1, 2]) {
      await remember(file, { times });
      assert.equal(await recall(file), { times });
      const { uid, gid, mode } = statSync(file);
      const owner = statSync(folder);
      assert.equal([uid, gid, mode & 0o777], [owner.uid, owner.gid, 0o600]);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.run();
