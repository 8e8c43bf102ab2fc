/** A check of readiness: when it writes, when it asks, and whom it names. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../../actors/limits.js';
import type { Clock } from '../../../actors/ports/runtime.js';
import { Readiness } from '../../../bus/node/readiness.js';

const silent = (): Promise<never> => new Promise(() => {});

function rig(writeCountsMs: number) {
  const world = { now: 0, calls: [] as string[], isStuck: false, journalAnswers: true };
  const late = new Set<() => void>();
  const clock = {
    monotonic: () => world.now,
    after(_: number, run: () => void) {
      late.add(run);
      return () => late.delete(run);
    },
  } as unknown as Clock;
  const both = (what: string) => ({
    journal: async () => {
      world.calls.push(what);
      if (!world.journalAnswers) await silent();
    },
    postgres: async () => undefined,
  });
  const isStuck = () => world.isStuck;
  const readiness = new Readiness({ clock, write: both('write'), ask: both('ask'), writeCountsMs, isStuck });
  /** The time of every call under way is over. */
  const expire = () => {
    for (const run of late) run();
  };
  return { world, readiness, expire };
}

test('without a time for which a write counts, each check writes', async () => {
  const { world, readiness } = rig(0);
  await readiness.check();
  await readiness.check();
  assert.equal(world.calls, ['write', 'write']);
});

test('for some time after a write a check only asks, and checks at once are one', async () => {
  const { world, readiness } = rig(60_000);
  await Promise.all([readiness.check(), readiness.check()]);
  world.now = 59_999;
  await readiness.check();
  world.now = 60_000;
  await readiness.check();
  assert.equal(world.calls, ['write', 'ask', 'write']);
});

test('while an append or a flush is stuck, each check writes', async () => {
  const { world, readiness } = rig(60_000);
  await readiness.check();
  world.isStuck = true;
  await readiness.check();
  assert.equal(world.calls, ['write', 'write']);
});

test('a late answer is named, and a write without an answer does not count', async () => {
  const { world, readiness, expire } = rig(60_000);
  const failed = async () => {
    const check = readiness.check().then(
      () => 'ready',
      (error: Error) => error.message,
    );
    await Promise.resolve();
    await Promise.resolve();
    expire();
    return check;
  };
  world.journalAnswers = false;
  assert.is(await failed(), `the journal did not answer a write within ${limits.readyMs} ms`);
  world.journalAnswers = true;
  await readiness.check();
  world.journalAnswers = false;
  assert.is(await failed(), `the journal did not answer a question within ${limits.readyMs} ms`);
  assert.equal(world.calls, ['write', 'write', 'ask']);
});

test.run();
