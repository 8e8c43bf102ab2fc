/** What may go from the volume, and what never. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { dayOf } from '../../../storage/backup/offsite.js';
import { surplusArchives, surplusDumps } from '../../../storage/backup/retention.js';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 10, 30, 12);
const at = (daysAgo: number) => {
  const takenAt = NOW - daysAgo * DAY;
  return { name: `${daysAgo}`, day: dayOf(takenAt), takenAt };
};
const names = (all: readonly { readonly name: string }[]) => all.map(({ name }) => name);
const BOUNDS = { now: NOW, keepDumps: 2, keepDays: 30 };

const test = suite('retention');

test('dumps go past their count, but the newest of a day without an archive stays', () => {
  const dumps = [0, 0.1, 0.2, 1, 1.1, 2, 2.1].map(at);
  const isArchived = (day: string) => day === at(2).day;
  assert.equal(names(surplusDumps(dumps, isArchived, BOUNDS)), ['0.2', '1.1', '2', '2.1']);
  assert.equal(names(surplusDumps(dumps, () => true, { ...BOUNDS, keepDumps: 7, keepDays: 1 })), ['1.1', '2', '2.1']);
});

test('archives go past their age; what waits stays longer, and not for ever', () => {
  const archives = [1, 29, 31, 119, 121].map(at);
  const waits = (isWaiting: boolean, offsiteUpTo?: number) =>
    names(
      surplusArchives(archives, () => isWaiting, offsiteUpTo === undefined ? undefined : at(offsiteUpTo).day, BOUNDS),
    );
  assert.equal(waits(false), ['31', '119', '121']);
  assert.equal(waits(true, 29), ['121']);
  assert.equal(waits(true), [], 'nothing newer is off-site');
  assert.equal(waits(true, 150), [], 'only what is older is off-site');
  assert.equal(
    surplusArchives([at(500)], () => false, undefined, BOUNDS),
    [],
    'the last one',
  );
});

test('whatever there is, and whatever the bounds: the newest stays, and each open day keeps its newest', () => {
  const ages = fc.uniqueArray(fc.integer({ min: 0, max: 4_000 }), { minLength: 1, maxLength: 60 });
  const bounds = { keepDumps: fc.integer({ min: 1, max: 70 }), keepDays: fc.integer({ min: 1, max: 50 }) };
  const property = fc.property(ages, fc.record(bounds), fc.integer({ min: 1, max: 5 }), (hours, given, every) => {
    const dumps = hours.map((hour) => at(hour / 24));
    const isArchived = (day: string) => Number(day.slice(-2)) % every === 0;
    const gone = new Set(surplusDumps(dumps, isArchived, { now: NOW, ...given }));
    const left = dumps.filter((dump) => !gone.has(dump));
    const newest = dumps.reduce((a, b) => (a.takenAt > b.takenAt ? a : b));
    assert.ok(left.includes(newest));
    for (const { day } of dumps) {
      const ofDay = (all: typeof dumps) =>
        Math.max(...all.filter((each) => each.day === day).map((each) => each.takenAt));
      if (!isArchived(day)) assert.is(ofDay(left), ofDay(dumps));
    }
  });
  fc.assert(property, { numRuns: 300 });
});

test.run();
