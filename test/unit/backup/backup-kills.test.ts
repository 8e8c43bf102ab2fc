/**
 * The world stops in the midst of each step, as a kill stops it: nothing is cleaned up. The next process goes on, and at no moment
 * is there less than before.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Point } from '../../../storage/backup/volume.js';
import { DAY, everythingIsWhole, HOUR, MINUTE, partialsIn, rigOf } from './backup-rig.js';

const test = suite('backups: killed in each step');

const POINTS: readonly Point[] = [
  'dump taken',
  'dump checked',
  'dump named',
  'archive packed',
  'archive described',
  'archive named',
  'surplus unnamed',
  'notes written',
  'uploaded',
];

const GIVEN = { everyMs: 6 * HOUR, keepDumps: 2, keepDays: 1 };
/** What is never done is never done: a process that has died. */
const never = new Promise<void>(() => {});

for (const point of POINTS) {
  // The first time of each, and one in the midst of the second day.
  for (const nth of [1, 3]) {
    test(`${point}, the ${nth}. time`, async () => {
      const rig = rigOf();
      let times = 0;
      let isDead = false;
      let frozen = 0;
      try {
        await rig.start({
          ...GIVEN,
          at: (reached) => {
            isDead ||= reached === point && ++times === nth;
            if (!isDead) return Promise.resolve();
            frozen++;
            return never;
          },
        });
        const alive = rig.backups;
        const isBusy = () => alive.running.length > frozen;
        await rig.clock.drive(6 * DAY, isBusy, () => isDead);
        assert.ok(isDead, `${point} was reached ${times} times`);
        rig.forget();
        const before = await everythingIsWhole(rig.folder);
        const names = await readdir(join(rig.folder, 'dumps'));

        await rig.start(GIVEN);
        await rig.drive(0);
        assert.equal(await partialsIn(rig.folder), []);
        const after = await everythingIsWhole(rig.folder);
        if (before.dumps > 0) assert.ok(after.dumps > 0, `of ${names} there is none`);
        assert.is(after.archives, rig.backups.volume.archives.length);
        await rig.drive(2 * DAY + MINUTE);
        const { archives, dumps } = rig.backups.volume;
        assert.ok(dumps.length >= 2);
        assert.equal(rig.backups.waiting, []);
        assert.equal(await everythingIsWhole(rig.folder), { dumps: dumps.length, archives: archives.length });
        const { days, names: uploaded } = rig.offsite;
        assert.is(new Set(days).size, days.length, `two uploads in a day: ${days}`);
        assert.is(new Set(uploaded).size, uploaded.length, `twice the same: ${uploaded}`);
        assert.equal(rig.failed, []);
      } finally {
        await rig.end();
      }
    });
  }
}

test.run();
