/** How much of what EVENTS may keep a feed has not told yet. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { retentionUsed } from '../../../deploy/feed/retention-watch.js';

const test = suite('retention');
const HOUR = 3_600_000;
const lag = (messages: number, ms: number) => ({ lag: { messages, ms } });
const half = { bytes: 512, maxBytes: 1_024, messages: 100, maxAgeMs: 10 * HOUR };

test('a feed that has told everything has used nothing', () => {
  assert.is(retentionUsed(lag(0, 0), half), 0);
  assert.is(retentionUsed(lag(0, 0), { ...half, messages: 0, bytes: 0 }), 0);
});

test('by size: the untold bytes of what may be kept', () => {
  assert.is(retentionUsed(lag(100, 0), half), 0.5);
  assert.is(retentionUsed(lag(50, 0), { ...half, bytes: 1_024 }), 0.5);
  assert.is(retentionUsed(lag(100, 0), { ...half, bytes: 1_024 }), 1);
});

test('by age, whichever is more', () => {
  assert.is(retentionUsed(lag(1, 9 * HOUR), half), 0.9);
  assert.is(retentionUsed(lag(100, HOUR), half), 0.5);
});

test('a stream without limits loses nothing', () => {
  assert.is(retentionUsed(lag(100, 1_000 * HOUR), { ...half, maxBytes: -1, maxAgeMs: 0 }), 0);
});

test.run();
