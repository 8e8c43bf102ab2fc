/**
 * A process that keeps backups until it is killed. Its days are short. Its off-site is a folder, which takes whatever comes: one file
 * an upload.
 *
 *   backup-child.js FOLDER OFFSITE EPOCH RATE   at EPOCH (ms) time is MIDNIGHT, and goes RATE times as fast as ours
 */
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../actors/ports/runtime.js';
import { Backups } from '../../../deploy/backup/backups.js';
import type { Archive, Offsite, Stored } from '../../../storage/backup/offsite.js';
import { FakeDumps, HOUR, MIDNIGHT } from './backup-rig.js';

const [folder = '', offsiteFolder = '', epoch = '0', rate = '1'] = process.argv.slice(2);
const speed = Number(rate);

const now = () => MIDNIGHT + (Date.now() - Number(epoch)) * speed;
const clock: Clock = {
  ...{ now, monotonic: now, random: Math.random, id: () => '0' },
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs / speed);
    return () => clearTimeout(timer);
  },
  soon: (run) => void setImmediate(run),
};

const offsite: Offsite = {
  place: offsiteFolder,
  async list() {
    const names = (await readdir(offsiteFolder)).filter((name) => !name.startsWith('.'));
    return Promise.all(
      names.map(async (name) => JSON.parse(await readFile(join(offsiteFolder, name), 'utf8')) as Stored),
    );
  },
  isSame: async (stored: Stored, archive: Archive) => stored.sha256 === archive.sha256,
  async upload({ name, bytes, sha256 }) {
    const at = now();
    const path = join(offsiteFolder, `.${at}`);
    await writeFile(path, JSON.stringify({ name, bytes, sha256, at }));
    await rename(path, join(offsiteFolder, `${at}`));
  },
};

await mkdir(offsiteFolder, { recursive: true });
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const backups = new Backups({
  ...{ path: folder, clock, logger: silent, dumps: new FakeDumps(clock), offsite, recipient: undefined },
  ...{ everyMs: 2 * HOUR, keepDumps: 3, keepDays: 2, meter: { failed: () => {}, judged: () => {} } },
  unsavedSince: async () => 0,
});
await backups.open();
process.stdout.write('open\n');
await backups.run(AbortSignal.any([]));
