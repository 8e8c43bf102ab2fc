/** A disk that is full: the step fails with a sentence, what was there stays, and it goes on once there is room. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DAY, everythingIsWhole, HOUR, MIDNIGHT, partialsIn, rigOf } from './backup-rig.js';

const FULL = /^the disk of BACKUP_DIR is full/;
const SMALL = 'size=4m';

const test = suite('backups: a full disk');

test('dumps and archives fail, what there is stays, and room is enough to go on', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-full-'));
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', SMALL, 'tmpfs', folder], { encoding: 'utf8' });
  if (mount.status !== 0) return console.log(`SKIP a full disk: no small one can be mounted here: ${mount.stderr}`);
  const rig = rigOf(MIDNIGHT + 20 * HOUR, folder);
  rig.dumps.bytes = 900_000;
  try {
    await rig.start({ everyMs: HOUR });
    await rig.drive(3.5 * HOUR);
    assert.is(rig.backups.volume.dumps.length, 4);
    // An archive of the day has no room, nor has the next dump.
    await rig.drive(3 * HOUR);
    assert.equal([...new Set(rig.failed)].sort(), ['archive', 'dump']);
    for (const { message } of rig.backups.failures) assert.match(message, FULL);
    assert.equal(await partialsIn(folder), []);
    assert.equal(await everythingIsWhole(folder), { dumps: 4, archives: 0 });
    assert.equal(rig.offsite.stored, []);
    await rig.stop();
    await rig.start({ everyMs: HOUR, keepDumps: 2 });
    await rig.drive(2 * HOUR);
    assert.equal(rig.backups.failures, []);
    assert.equal(rig.offsite.names, ['2026-11-29.tar']);
    assert.ok((await readdir(join(folder, 'dumps'))).length <= 3);
    await rig.drive(DAY);
    assert.equal(rig.offsite.names, ['2026-11-29.tar', '2026-11-30.tar']);
  } finally {
    await rig.stop();
    spawnSync('umount', [folder]);
    await rig.end();
  }
});

test.run();
