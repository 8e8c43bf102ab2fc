import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memoryLog } from '../../bus/journal/memory-log.js';
import { logContract } from './log.suite.js';

logContract('memory', () => memoryLog());
logContract('memory, small pages', () => memoryLog({ pageRecords: 1 }));

const test = suite('memory log');

test('a full log takes urgent records only, and all records again after a trim', async () => {
  const log = memoryLog({ bytes: 30, reserveBytes: 10 });
  assert.is((await log.append('a', 0, 'x'.repeat(15))).kind, 'appended');
  assert.is((await log.append('a', 1, 'y'.repeat(10))).kind, 'full');
  assert.is((await log.append('a', 1, 'y'.repeat(10), { urgent: true })).kind, 'appended');
  assert.is((await log.append('a', 2, 'z'.repeat(10), { urgent: true })).kind, 'full');
  await log.trim('a', 1);
  assert.is((await log.append('a', 2, 'z'.repeat(10))).kind, 'appended');
});

test.run();
