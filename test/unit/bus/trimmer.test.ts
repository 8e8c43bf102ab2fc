/** A journal is trimmed up to what is flushed and published, with time for who reads, also after a trim without an answer. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import type { Log } from '../../../actors/ports/log.js';
import type { Clock } from '../../../actors/ports/runtime.js';
import { Trimmer } from '../../../bus/journal/trimmer.js';

const test = suite('trimmer');

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

interface Rig {
  readonly trimmer: Trimmer;
  readonly asked: number[];
  flushedN: number;
  publishedN: number;
  members: number;
  fails: number;
  /** Lets so many seconds pass, with a look at the end of each. */
  seconds(count: number): Promise<void>;
}

function rig(): Rig {
  let due: (() => void) | undefined;
  let nowMs = 0;
  const clock: Clock = {
    now: () => 0,
    monotonic: () => nowMs,
    after: (_, run) => {
      due = run;
      return () => {};
    },
    soon: (run) => void setImmediate(run),
    id: () => '',
    random: () => 0,
  };
  const log: Log = {
    append: () => Promise.reject(new Error('nothing is appended here')),
    read: async () => [],
    end: async () => 0,
    last: async () => undefined,
    async trim(_, upTo) {
      made.asked.push(upTo);
      if (made.fails-- > 0) throw new Error('no answer');
    },
  };
  const trimmer = new Trimmer({
    ...{ journal: journalId('J'), clock, logger: quiet, eventsMayForget: false, log, readSpareMs: limits.readSpareMs },
    flushedN: () => made.flushedN,
    publishedN: () => made.publishedN,
    members: () => made.members,
  });
  const made: Rig = {
    trimmer,
    asked: [],
    ...{ flushedN: 0, publishedN: 0, members: 1, fails: 0 },
    async seconds(count) {
      for (let second = 0; second < count; second++) {
        nowMs += 1_000;
        const run = due;
        due = undefined;
        run?.();
        for (let i = 0; i < 100 && due === undefined; i++) await new Promise<void>((done) => setImmediate(done));
        assert.type(due, 'function', 'it goes on');
      }
    },
  };
  return made;
}

const SPARE_S = limits.readSpareMs / 1_000;

function append(trimmer: Trimmer, from: number, to: number, bytes = 100): void {
  for (let n = from; n <= to; n++) trimmer.appended({ n, position: n, recordId: `${n}` }, bytes);
}

test('a trim without an answer is tried again, even without a new append', async () => {
  const made = rig();
  Object.assign(made, { flushedN: 1_000, publishedN: 1_000, fails: 1 });
  append(made.trimmer, 1, 320);
  made.trimmer.start();
  await made.seconds(SPARE_S + 3);
  assert.equal(made.asked, [320, 320], 'once more, and not again once it is done');
  made.trimmer.stop();
});

test('a record stays for a while after the row has passed it: who has read the row reads the tail next', async () => {
  const made = rig();
  made.publishedN = 1_000;
  append(made.trimmer, 1, 640);
  made.trimmer.start();
  await made.seconds(10);
  made.flushedN = 321;
  await made.seconds(1);
  made.flushedN = 641;
  await made.seconds(SPARE_S - 1);
  assert.equal(made.asked, []);
  await made.seconds(1);
  assert.equal(made.asked, [320]);
  await made.seconds(1);
  assert.equal(made.asked, [320, 640]);
});

test('what is not published stays, and the room for it is divided by the members', async () => {
  const made = rig();
  made.flushedN = 1_000_000;
  const records = 512;
  append(made.trimmer, 1, records, limits.keepUnpublishedBytes / records);
  made.trimmer.start();
  await made.seconds(SPARE_S + 2);
  assert.equal(made.asked, []);
  made.members = 2;
  await made.seconds(1);
  assert.equal(made.asked, [records / 2]);
  made.publishedN = records;
  await made.seconds(1);
  assert.equal(made.asked, [records / 2, records]);
});

test.run();
