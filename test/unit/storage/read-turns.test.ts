/** Mounts that hang: few reads are under way at once, and those that nobody waits for any more are never begun. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readTurns } from '../../../storage/archive/read-turns.js';

const test = suite('turns of reads');

test('reads that hang keep their turn; the others wait, and one that is too late is not begun', async () => {
  const inTurn = readTurns(2);
  const ends: (() => void)[] = [];
  const begun: number[] = [];
  const deadlines = Array.from({ length: 5 }, () => new AbortController());
  const reads = deadlines.map(({ signal }, no) =>
    inTurn(() => {
      begun.push(no);
      return new Promise<string>((resolve) => ends.push(() => resolve(`read ${no}`)));
    }, signal).catch((error: Error) => error.message),
  );
  await new Promise(setImmediate);
  assert.equal(begun, [0, 1]);
  for (const no of [0, 2, 3]) deadlines[no]?.abort(new Error('late'));
  assert.is(await reads[2], 'late', 'who is too late waits no longer');
  assert.equal(begun, [0, 1], 'a hung read keeps its turn after its deadline');
  ends[1]?.();
  await new Promise(setImmediate);
  assert.equal(begun, [0, 1, 4]);
  for (const end of ends) end();
  assert.equal(await Promise.all(reads), ['read 0', 'read 1', 'late', 'late', 'read 4']);
});

test.run();
