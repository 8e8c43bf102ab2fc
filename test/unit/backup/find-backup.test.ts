/** What a restore is asked for: a folder, an archive, or the newest one up to a moment. */
import { existsSync, mkdtempSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { passingKeys } from '../../../storage/backup/age.js';
import { packArchive } from '../../../storage/backup/archive.js';
import { findBackup } from '../../../storage/backup/find-backup.js';
import { FakeDumps, mustBeWhole } from './backup-rig.js';

const test = suite<{ folder: string }>('what a restore is asked for');
const signal = AbortSignal.any([]);
const NOON = Date.parse('2026-11-29T12:00:00Z');
const HOUR_MS = 3_600_000;

test.before.each((given) => {
  given.folder = mkdtempSync(join(tmpdir(), 'holdfast-find-'));
});
test.after.each(({ folder }) => rm(folder, { recursive: true, force: true }));

async function dumpAt(folder: string, name: string, at: number): Promise<string> {
  const path = join(folder, name);
  await mkdir(path, { recursive: true });
  await new FakeDumps({ now: () => at }).take(path);
  return path;
}

const refusal = (asked: string, backups: string, identity?: string): Promise<string> =>
  findBackup(asked, backups, identity).then(
    () => 'it was found',
    (error: Error) => `${error.name}: ${error.message}`,
  );

test('a time means the newest dump up to it, or an archive where no dump is as old', async ({ folder }) => {
  const first = await dumpAt(folder, 'dumps/2026-11-29T12-00-00.000Z', NOON);
  const second = await dumpAt(folder, 'dumps/2026-11-29T13-00-00.000Z', NOON + HOUR_MS);
  await mkdir(join(folder, 'dumps', '.partial-x'));
  assert.is((await findBackup('2026-11-29T12:59:59Z', folder, undefined)).folder, first);
  assert.is((await findBackup('2026-11-29T13:00:00Z', folder, undefined)).folder, second);
  assert.is((await findBackup('2026-12-01', folder, undefined)).folder, second);
  assert.match(
    await refusal('2026-11-29T11:59:59Z', folder),
    /^CannotRestore: .* no dump and no archive of 2026-11-29T11/,
  );

  const older = await dumpAt(folder, 'older', NOON - 24 * HOUR_MS);
  const archive = join(folder, 'archives', '2026-11-28.tar');
  await mkdir(join(folder, 'archives'));
  const manifest = await mustBeWhole(older);
  await packArchive(archive, { folder: older, manifest, list: '[]', recipient: undefined }, signal);
  await writeFile(`${archive}.json`, JSON.stringify({ takenAt: NOON - 24 * HOUR_MS }));
  const found = await findBackup('2026-11-29T11:59:59Z', folder, undefined);
  assert.equal(await mustBeWhole(found.folder), manifest);
  await found.release();
  assert.not.ok(existsSync(found.folder), 'what was unpacked is removed');
  assert.ok(existsSync(archive));
});

test('an archive by its name, with its identity; else a sentence', async ({ folder }) => {
  const [keys, others] = [await passingKeys(), await passingKeys()];
  const dump = await dumpAt(folder, 'dump', NOON);
  const manifest = await mustBeWhole(dump);
  const archive = join(folder, 'a.tar.age');
  await packArchive(archive, { folder: dump, manifest, list: '[]', recipient: keys.recipient }, signal);
  const found = await findBackup(archive, folder, keys.identity);
  assert.equal(await mustBeWhole(found.folder), manifest);
  await found.release();
  assert.match(await refusal(archive, folder), /^CannotRestore: .*encrypted/);
  assert.match(await refusal(archive, folder, others.identity), /^CannotRestore: .*/);
  assert.match(await refusal(join(folder, 'nothing'), folder), /^CannotRestore: there is no/);
});

test.run();
