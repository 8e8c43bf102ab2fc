/** A day of backups and more, in moments: dumps, archives, uploads, what is kept, and what goes wrong. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { unpackArchive } from '../../../storage/backup/archive.js';
import { DayUsed, dayOf } from '../../../storage/backup/offsite.js';
import { DAY, everythingIsWhole, HOUR, MIDNIGHT, MINUTE, partialsIn, type Rig, rigOf } from './backup-rig.js';

const test = suite<{ rig: Rig }>('backups');
test.before.each((context) => {
  context.rig = rigOf();
});
test.after.each(({ rig }) => rig.end());

test('a day: a dump every five minutes, one archive at midnight, one upload', async ({ rig }) => {
  await rig.start();
  await rig.drive(DAY + MINUTE);
  assert.is(rig.dumps.taken, 289, 'one at the start, and one at midnight');
  assert.is(rig.dumps.checked, 289);
  assert.is(rig.backups.volume.dumps.length, 24);
  assert.equal(rig.offsite.names, ['2026-11-29.tar']);
  assert.equal(rig.offsite.days, ['2026-11-30']);
  const [archive] = rig.backups.volume.archives;
  assert.is(archive?.takenAt, MIDNIGHT + DAY - 5 * MINUTE, 'the newest dump of the day');
  assert.equal(await everythingIsWhole(rig.folder), { dumps: 24, archives: 1 });
  assert.equal(rig.failed, []);
  assert.is(rig.backups.ageMs, MINUTE);
  await rig.drive(2 * MINUTE);
  assert.is(rig.offsite.asked, 1);
});

test("the archive tells of the day's dumps, also of those that retention has removed", async ({ rig }) => {
  await rig.start({ everyMs: HOUR, keepDumps: 2 });
  await rig.drive(DAY);
  const [archive] = rig.backups.volume.archives;
  const unpacked = join(rig.folder, 'unpacked');
  await unpackArchive(archive?.path ?? '', unpacked, undefined);
  const list = JSON.parse(await readFile(join(unpacked, 'dumps.json'), 'utf8')) as { readonly name: string }[];
  assert.is(list.length, 24);
  assert.is(list[0]?.name, '2026-11-29T00-00-00.000Z');
});

test('the off-site is away for three days: archives wait, the newest goes first, then one a day', async ({ rig }) => {
  await rig.start({ everyMs: 6 * HOUR });
  rig.offsite.isAway = true;
  await rig.drive(3 * DAY + 2 * HOUR);
  assert.equal(rig.offsite.names, []);
  assert.equal(
    rig.backups.waiting.map(({ name }) => name),
    ['2026-12-01.tar', '2026-11-30.tar', '2026-11-29.tar'],
  );
  assert.is(rig.backups.failures[0]?.step, 'upload');
  assert.match(rig.backups.failures[0]?.message ?? '', 'does not answer');
  rig.offsite.isAway = false;
  await rig.drive(HOUR);
  assert.equal(rig.offsite.names, ['2026-12-01.tar']);
  assert.equal(rig.backups.failures, []);
  await rig.drive(3 * DAY);
  assert.equal(rig.offsite.names, ['2026-12-01.tar', '2026-12-02.tar', '2026-12-03.tar', '2026-12-04.tar']);
  assert.is(new Set(rig.offsite.days).size, rig.offsite.days.length);
  await rig.stop();
  await rig.start({ everyMs: 1_000 * DAY });
  await rig.drive(4 * DAY);
  assert.equal(rig.offsite.names.slice(4), ['2026-12-05.tar', '2026-11-30.tar', '2026-11-29.tar']);
  assert.is(new Set(rig.offsite.days).size, 7);
  assert.equal(rig.backups.waiting, []);
});

test('what waits can be brought off-site by hand, one after the other, and then the newest dump', async ({ rig }) => {
  rig.offsite.isAway = true;
  await rig.start({ everyMs: 6 * HOUR });
  await rig.drive(2 * DAY + HOUR);
  rig.offsite.isAway = false;
  for (let i = 0; i < 3; i++) await rig.backups.uploadNow(true, rig.signal);
  assert.equal(rig.offsite.names, ['2026-11-30.tar', '2026-11-29.tar', '2026-12-01T00-00-00.000Z.tar']);
});

test('what was missed is done once: the last day with dumps, one dump, one upload', async ({ rig }) => {
  await rig.start();
  await rig.drive(12 * MINUTE);
  await rig.stop();
  await rig.drive(4 * DAY);
  const taken = rig.dumps.taken;
  await rig.start();
  await rig.drive(MINUTE);
  assert.is(rig.dumps.taken, taken + 1);
  assert.equal(rig.offsite.names, ['2026-11-29.tar']);
  await rig.drive(5 * MINUTE);
  assert.is(rig.dumps.taken, taken + 2);
});

test('a start soon after a stop takes no dump before its time', async ({ rig }) => {
  await rig.start();
  await rig.drive(MINUTE);
  await rig.stop();
  await rig.start();
  await rig.drive(3 * MINUTE);
  assert.is(rig.dumps.taken, 1);
  await rig.drive(2 * MINUTE);
  assert.is(rig.dumps.taken, 2);
});

test('a clock that is set back does not stop the dumps', async ({ rig }) => {
  const later = rigOf(MIDNIGHT + 2 * DAY, rig.folder);
  await later.start();
  await later.drive(MINUTE);
  await later.stop();
  await rig.start();
  await rig.drive(10 * MINUTE);
  assert.ok(rig.dumps.taken >= 1);
});

test('a dump that is not clean does not count, and is tried again', async ({ rig }) => {
  await rig.start();
  await rig.drive(MINUTE);
  rig.dumps.fault = 'the dump is not clean: order O4';
  await rig.drive(HOUR);
  assert.is(rig.backups.volume.dumps.length, 1);
  assert.is(rig.backups.ageMs, HOUR + MINUTE);
  assert.ok(rig.failed.length > 3 && rig.failed.every((step) => step === 'dump'));
  assert.match(rig.backups.failures[0]?.message ?? '', /^the dump is not clean: order O4/);
  assert.equal(await partialsIn(rig.folder), []);
  assert.equal(rig.verdicts.slice(0, 3), [0, 2, 2]);
  rig.dumps.fault = undefined;
  await rig.drive(11 * MINUTE);
  assert.ok(rig.backups.volume.dumps.length > 1);
  assert.is(rig.verdicts.at(-1), 0);
  assert.equal(rig.backups.failures, []);
});

test('two triggers at once are one dump, and one upload', async ({ rig }) => {
  await rig.start();
  await rig.drive(MINUTE);
  const both = await Promise.all([rig.backups.dumpNow(rig.signal), rig.backups.dumpNow(rig.signal)]);
  assert.is(both[0], both[1]);
  assert.is(rig.dumps.taken, 2);
  const uploads = await Promise.all([
    rig.backups.uploadNow(false, rig.signal),
    rig.backups.uploadNow(false, rig.signal),
  ]);
  assert.ok(uploads[0] !== undefined && uploads[0] === uploads[1]);
  assert.equal(rig.offsite.names, ['2026-11-29T00-01-00.000Z.tar']);
});

test('a second upload of a day needs a bypass, and the next day is free', async ({ rig }) => {
  await rig.start({ everyMs: HOUR });
  await rig.drive(MINUTE);
  await rig.backups.uploadNow(false, rig.signal);
  await rig.backups.dumpNow(rig.signal);
  const refused = await rig.backups.uploadNow(false, rig.signal).catch((error: unknown) => error);
  assert.instance(refused, DayUsed);
  assert.is(rig.offsite.asked, 1);
  await rig.backups.uploadNow(true, rig.signal);
  assert.is(rig.offsite.asked, 2);
  assert.is(await rig.backups.uploadNow(true, rig.signal), undefined, 'nothing waits, and there is no newer dump');
  await rig.drive(DAY);
  assert.equal(rig.offsite.names.slice(2), ['2026-11-29.tar']);
});

test('an off-site that says that today is used is believed, and not asked before it said', async ({ rig }) => {
  let refusals = 0;
  const upload = rig.offsite.upload.bind(rig.offsite);
  rig.offsite.upload = async (archive) => {
    if (refusals++ < 1) throw new DayUsed(10 * MINUTE); // Its clock is ten minutes behind ours.
    return upload(archive);
  };
  await rig.start({ everyMs: 6 * HOUR });
  await rig.drive(DAY + 9 * MINUTE);
  assert.is(refusals, 1);
  assert.equal([rig.failed, rig.offsite.names], [[], []]);
  await rig.drive(2 * MINUTE);
  assert.equal(rig.offsite.names, ['2026-11-29.tar']);
});

test('notes that are lost make no second upload: the off-site is asked', async ({ rig }) => {
  await rig.start({ everyMs: 6 * HOUR });
  await rig.drive(DAY + MINUTE);
  await rig.stop();
  await rm(join(rig.folder, 'notes.json'));
  await rig.start({ everyMs: 6 * HOUR });
  await rig.drive(MINUTE);
  assert.equal([rig.offsite.asked, rig.backups.waiting], [1, []]);
  await rig.drive(DAY);
  assert.equal(rig.offsite.days, ['2026-11-30', '2026-12-01']);
});

test('a dump that has rotted gives way to the one before, in the archive and after a start', async ({ rig }) => {
  await rig.start({ everyMs: 6 * HOUR });
  await rig.drive(DAY - HOUR);
  const [newest, before] = rig.backups.volume.dumps;
  const path = join(newest?.folder ?? '', 'database.dump');
  const bytes = await readFile(path);
  bytes[9] = (bytes[9] ?? 0) ^ 1;
  await writeFile(path, bytes);
  await rig.drive(2 * HOUR);
  assert.is(rig.backups.volume.archives[0]?.dump, before?.name);
  await rig.stop();
  await writeFile(path, 'cut');
  await rig.start({ everyMs: 6 * HOUR });
  assert.ok(rig.backups.volume.dumps.every(({ name }) => name !== newest?.name));
});

test('retention: by count and by age, never the last one, never what waits', async ({ rig }) => {
  await rig.start({ everyMs: 6 * HOUR, keepDumps: 3, keepDays: 2 });
  for (let day = 0; day < 7; day++) {
    await rig.drive(DAY);
    const { dumps, archives } = rig.backups.volume;
    assert.ok(dumps.length >= 1 && dumps.length <= 4, `${dumps.length} dumps`);
    assert.ok(archives.length <= 4);
    assert.is(archives[0]?.day, dayOf(rig.clock.now() - HOUR));
  }
  rig.offsite.isAway = true;
  await rig.drive(6 * DAY);
  assert.is(rig.backups.waiting.length, 6, 'what waits is kept past its age');
  rig.dumps.fault = 'no';
  const before = (await readdir(join(rig.folder, 'dumps'))).length;
  await rig.drive(20 * DAY);
  assert.is((await readdir(join(rig.folder, 'dumps'))).length, before, 'nothing goes while nothing follows it');
});

test.run();
