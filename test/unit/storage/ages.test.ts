import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ageOf, timeBefore } from '../../../storage/archive/ages.js';

const test = suite('ages');
const before = (text: string, now: string): string | undefined => {
  const age = ageOf(text);
  return age && new Date(timeBefore(age, Date.parse(now))).toISOString();
};

test('years and months are those of the calendar, days and hours are exact', () => {
  const now = '2026-03-31T12:00:00.000Z';
  assert.is(before('2y', now), '2024-03-31T12:00:00.000Z');
  assert.is(before('1mo', now), '2026-02-28T12:00:00.000Z', 'February has no 31st');
  assert.is(before('18mo', now), '2024-09-30T12:00:00.000Z');
  assert.is(before('13mo', '2025-03-31T12:00:00.000Z'), '2024-02-29T12:00:00.000Z');
  assert.is(before('1y', '2024-02-29T00:00:00.000Z'), '2023-02-28T00:00:00.000Z');
  assert.is(before('90d', now), '2025-12-31T12:00:00.000Z');
  assert.is(before('12h', now), '2026-03-31T00:00:00.000Z');
  assert.is(before('30m', now), '2026-03-31T11:30:00.000Z');
  assert.is(before('45s', now), '2026-03-31T11:59:15.000Z');
});

test('nonsense is none', () => {
  for (const text of [
    '',
    '2',
    'y',
    '2 y',
    '-1d',
    '0d',
    '01d',
    '1.5y',
    '101y',
    '2Y',
    '1w',
    '1e3d',
    '2y2mo',
    '99999999999s',
  ])
    assert.is(ageOf(text), undefined, text);
});

test.run();
