/** A journal is trimmed up to what is flushed and published, also after a trim without an answer. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId } from '../../../actors/ids.js';
import type { Log } from '../../../actors/ports/log.js';
import type { Clock } from '../../../actors/ports/runtime.js';
import { Trimmer } from '../../../bus/journal/trimmer.js';
import { memorySnapshots } from '../../../storage/memory/memory-snapshots.js';

const test = suite('trimmer');

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

test('a trim without an answer is tried again, even without a new append', async () => {
  let due: (() => void) | undefined;
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    after: (_, run) => {
      due = run;
      return () => {};
    },
    soon: (run) => void setImmediate(run),
    id: () => '',
    random: () => 0,
  };
  const asked: number[] = [];
  const log: Log = {
    append: () => Promise.reject(new Error('nothing is appended here')),
    read: async () => [],
    async trim(_, upTo) {
      asked.push(upTo);
      if (asked.length === 1) throw new Error('no answer');
    },
  };
  const trimmer = new Trimmer({
    ...{
      journal: journalId('J'),
      snapshots: memorySnapshots().snapshots,
      clock,
      logger: quiet,
      eventsMayForget: false,
    },
    ...{ log, flushedN: () => 1_000, publishedN: () => 1_000 },
  });
  for (let n = 1; n <= 320; n++) trimmer.appended({ n, position: n, recordId: `${n}` }, 100);
  trimmer.start();
  for (let second = 0; second < 3; second++) {
    const run = due;
    due = undefined;
    run?.();
    for (let i = 0; i < 100 && due === undefined; i++) await new Promise<void>((done) => setImmediate(done));
    assert.type(due, 'function', 'it goes on');
  }
  assert.equal(asked, [320, 320], 'once more, and not again once it is done');
  trimmer.stop();
});

test.run();
