/** `kill -9` of a real process that keeps backups, at random moments of its short days, again and again. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { dayOf, type Stored } from '../../../storage/backup/offsite.js';
import { until } from '../../deadlines.js';
import { DAY, everythingIsWhole } from './backup-rig.js';

const CHILD = fileURLToPath(new URL('./backup-child.js', import.meta.url));
const KILLS = 15;
/** A day in so many milliseconds. */
const DAY_MS = 1_500;
const LIFE_MS = 900;
const WITHIN_MS = 30_000;

const test = suite('backups: kill -9');

test(`${KILLS} kills: nothing is half, nothing goes before what follows it, one upload a day`, async () => {
  const root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'holdfast-killed-'));
  const [folder, offsite] = [join(root, 'backup'), join(root, 'offsite')];
  const args = [CHILD, folder, offsite, String(Date.now()), String(DAY / DAY_MS)];
  const uploads = async (): Promise<Stored[]> => {
    const names = (await readdir(offsite).catch(() => [])).filter((name) => !name.startsWith('.'));
    return Promise.all(names.map(async (name) => JSON.parse(await readFile(join(offsite, name), 'utf8')) as Stored));
  };
  let hadDumps = false;
  let hadArchives = false;
  const life = async (lives: () => Promise<unknown>) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const gone = once(child, 'exit');
    try {
      await Promise.race([once(child.stdout, 'data'), gone]);
      assert.is(child.exitCode, null, 'it has opened the volume');
      await lives();
    } finally {
      child.kill('SIGKILL');
      await gone;
    }
    const { dumps, archives } = await everythingIsWhole(folder);
    assert.ok(dumps > 0 || !hadDumps, 'the last dump is gone');
    assert.ok(archives > 0 || !hadArchives, 'the last archive is gone');
    hadDumps ||= dumps > 0;
    hadArchives ||= archives > 0;
  };
  try {
    for (let kill = 0; kill < KILLS; kill++) await life(() => pause(Math.random() * LIFE_MS));
    const before = (await uploads()).length;
    await life(async () => assert.ok(await until(async () => (await uploads()).length >= before + 2, WITHIN_MS)));
    const stored = await uploads();
    const days = stored.map(({ at }) => dayOf(at));
    assert.is(new Set(days).size, days.length, `two uploads in a day: ${days.sort()}`);
    assert.is(new Set(stored.map(({ name }) => name)).size, stored.length, 'an archive went twice');
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});

test.run();
