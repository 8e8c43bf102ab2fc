/** Work under several signals: any of them ends it, none is listened to longer than it takes, and no collection of garbage loses one. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { underAny } from '../../../bus/joined-signal.js';

const test = suite('joined signal');

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const aborted = (signal: AbortSignal) =>
  new Promise<unknown>((resolve) => signal.addEventListener('abort', () => resolve(signal.reason)));

test('each of the signals ends the work, with its reason, after any collection of garbage', async () => {
  for (const which of [0, 1]) {
    const sources = [new AbortController(), new AbortController()];
    const ended = underAny(
      sources.map(({ signal }) => signal),
      aborted,
    );
    for (let i = 0; i < 3; i++) {
      await new Promise(setImmediate);
      collect();
    }
    sources[which]?.abort(`by ${which}`);
    assert.is(await ended, `by ${which}`);
  }
  const alive = setTimeout(() => {}, 60_000); // The timer of AbortSignal.timeout keeps no process alive.
  const late = await underAny([AbortSignal.timeout(20), new AbortController().signal], (signal) => {
    const heard = aborted(signal);
    collect();
    return heard;
  });
  clearTimeout(alive);
  assert.is((late as Error).name, 'TimeoutError');
});

test('one that is aborted already counts, and the end of the work aborts what was begun under it', async () => {
  assert.ok(await underAny([AbortSignal.abort()], async (signal) => signal.aborted));
  let given: AbortSignal | undefined;
  await underAny([new AbortController().signal], async (signal) => {
    given = signal;
    assert.not.ok(signal.aborted);
  });
  assert.ok(given?.aborted);
});

test.run();
