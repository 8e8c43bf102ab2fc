/** The background fold of the numbers: it goes on after failures and full batches, and stops when told. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Clock, Logger } from '../../../actors/ports/runtime.js';
import { StatsFolder } from '../../../bus/reads/stats-folder.js';

function rig(answers: readonly (boolean | Error)[]) {
  let now = 0;
  let due: { at: number; run: () => void } | undefined;
  const [times, warned]: [number[], string[]] = [[], []];
  const clock = {
    monotonic: () => now,
    after(ms: number, run: () => void) {
      due = { at: now + ms, run };
      return () => {
        due = undefined;
      };
    },
  } as unknown as Clock;
  const logger = { warn: (_: object, line: string) => void warned.push(line) } as unknown as Logger;
  const stats = {
    async fold() {
      const answer = answers[times.length] ?? false;
      times.push(now);
      now += 10;
      if (answer instanceof Error) throw answer;
      return { folded: 1, more: answer };
    },
  };
  const folder = new StatsFolder({ stats, clock, logger, random: () => 0.5 });
  /** Lets the next call happen. @returns how long it was waited for; undefined if none comes */
  const next = async (): Promise<number | undefined> => {
    const mine = due;
    if (mine === undefined) return undefined;
    const waited = mine.at - now;
    now = mine.at;
    due = undefined;
    mine.run();
    await new Promise<void>((resolve) => setImmediate(resolve));
    return waited;
  };
  return { folder, next, times, warned };
}

test('it folds every five seconds, goes on sooner after a full batch, and tries again after a failure', async () => {
  const { folder, next, times, warned } = rig([false, true, new Error('away'), false]);
  folder.start();
  const waits = [await next(), await next(), await next(), await next(), await next()];
  assert.equal(waits, [5_000, 5_000, 40, 5_000, 5_000]);
  assert.is(times.length, 5);
  assert.is(warned.length, 1);
  folder.stop();
  assert.is(await next(), undefined);
});

test.run();
