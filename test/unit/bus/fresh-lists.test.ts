/** Fresh lists wait for what was answered before, on every node, and not for more. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type JournalId, journalId, nodeId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import type { JournalRow } from '../../../actors/ports/snapshot-rows.js';
import { FreshLists } from '../../../bus/reads/fresh-lists.js';
import { systemClock } from '../../../bus/system-clock.js';

const [one, two, three] = ['ONE', 'TWO', 'THREE'].map(journalId) as [JournalId, JournalId, JournalId];
const row = (journal: JournalId, position: number, closed = false): JournalRow => {
  const folded = { n: position, position, recordId: '' };
  return { journal, node: nodeId('node'), closed, folded, publishedN: 0 };
};

interface World {
  rows: JournalRow[];
  ends: Record<string, number>;
  named: JournalId[];
  lists: FreshLists;
  reads: number;
  hurried: [JournalId, number][];
}

const test = suite<World>('fresh lists');
test.before.each((world) => {
  world.reads = 0;
  world.hurried = [];
  world.lists = new FreshLists({
    clock: systemClock(),
    hurryFlush: (journal, position) => void world.hurried.push([journal, position]),
    log: { end: async (log) => world.ends[log] ?? 0 },
    snapshots: {
      async journals() {
        world.reads++;
        return world.rows;
      },
      partitionMarks: async () => world.named.map((journal, partition) => ({ partition, epoch: 1, journal })),
    },
  });
});

/** Whether it still waits after the answers that it could have. */
async function waits(answer: Promise<boolean>): Promise<boolean> {
  const late = new Promise<'waits'>((resolve) => void setTimeout(() => resolve('waits'), 100));
  return (await Promise.race([answer, late])) === 'waits';
}

test('it waits until the row of each open journal has what its journal had, and for nothing after that', async (world) => {
  world.rows = [row(one, 5), row(two, 7)];
  world.ends = { 'journal.ONE': 5, 'journal.TWO': 9 };
  world.named = [one, two];
  const answer = world.lists.caughtUp();
  assert.ok(await waits(answer));
  world.ends = { 'journal.ONE': 50, 'journal.TWO': 90 };
  world.rows = [row(one, 5), row(two, 9), row(three, 0)];
  assert.is(await answer, true);
});

test('what a dead journal had is there once no row of a partition names it', async (world) => {
  world.rows = [row(one, 5)];
  world.ends = { 'journal.ONE': 9 };
  world.named = [one, two];
  const answer = world.lists.caughtUp();
  world.rows = [row(one, 5, true), row(two, 3)];
  assert.ok(await waits(answer));
  world.named = [two, two];
  assert.is(await answer, true);
  world.named = [one, two];
  const closedBefore = world.lists.caughtUp();
  assert.ok(await waits(closedBefore));
  world.rows = [row(two, 3)]; // It is forgotten.
  assert.is(await closedBefore, true);
});

test('the nodes whose rows are behind are asked to hurry, a bounded number of times', async (world) => {
  world.rows = [row(one, 5), row(two, 7), row(three, 1, true)];
  world.ends = { 'journal.ONE': 5, 'journal.TWO': 9 };
  world.named = [one, two, three];
  const since = performance.now();
  const answers = Promise.all(Array.from({ length: 50 }, () => world.lists.caughtUp()));
  assert.ok(await waits(answers.then(() => true)));
  world.rows = [row(one, 5), row(two, 9)];
  await answers;
  const most = 1 + (performance.now() - since) / limits.flushAwaitedEveryMs;
  assert.ok(world.hurried.length >= 2 && world.hurried.length <= most, `${world.hurried.length} of at most ${most}`);
  assert.ok(world.hurried.every(([journal, position]) => journal === two && position === 9));
});

test('it gives up in time: when a row stays behind, and when a store does not answer', async (world) => {
  world.rows = [row(one, 5)];
  world.ends = { 'journal.ONE': 9 };
  world.named = [one];
  const since = performance.now();
  assert.is(await world.lists.caughtUp(), false);
  assert.ok(performance.now() - since >= limits.freshMs - 100);
  world.lists = new FreshLists({
    clock: systemClock(),
    hurryFlush() {},
    log: { end: () => Promise.reject(new Error('away')) },
    snapshots: { journals: async () => world.rows, partitionMarks: async () => [] },
  });
  assert.is(await world.lists.caughtUp(), false);
});

test('many who ask at once share their looks', async (world) => {
  world.rows = [row(one, 5)];
  world.ends = { 'journal.ONE': 5 };
  world.named = [one];
  const all = await Promise.all(Array.from({ length: 100 }, () => world.lists.caughtUp()));
  assert.ok(all.every((isFresh) => isFresh));
  assert.ok(world.reads <= 8, `${world.reads} reads`);
});

test.run();
