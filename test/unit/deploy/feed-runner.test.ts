/** Feeds that fail, wait and end: none stops another one. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Feed } from '../../../actors/ports/feeds.js';
import type { Clock } from '../../../actors/ports/runtime.js';
import { FeedRunner } from '../../../deploy/feed/feed-runner.js';
import { memoryLeases } from '../../../storage/memory/memory-leases.js';
import { until } from '../../deadlines.js';

const test = suite('feed runner');
const WITHIN_MS = 5_000;
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
/** Pauses end at once, and are counted. */
function clockOf() {
  const pauses: number[] = [];
  const clock: Clock = {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    after(delayMs, run) {
      pauses.push(delayMs);
      if (delayMs >= 60_000) {
        const late = setTimeout(run, delayMs).unref();
        return () => clearTimeout(late);
      }
      const soon = setImmediate(run);
      return () => clearImmediate(soon);
    },
    soon: (run) => void setImmediate(run),
    id: () => '0',
    random: () => 0.5,
  };
  return { clock, pauses };
}

const ended = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));

function feed(name: string, run: Feed['run']): Feed & { runs: number } {
  return {
    ...{ name, lag: { messages: 7, ms: 9 }, runs: 0 },
    run(signal) {
      this.runs++;
      return run(signal);
    },
  };
}

const states = (runner: FeedRunner) => runner.report.map(({ name, state }) => `${name} ${state}`);

test('a feed that fails is run again after pauses that grow, and the other one goes on', async () => {
  let failures = 0;
  const weak = feed('weak', async (signal) => {
    if (failures++ < 4) throw new Error('no broker');
    await ended(signal);
  });
  const good = feed('good', ended);
  const { clock, pauses } = clockOf();
  const runner = new FeedRunner({
    feeds: [weak, good],
    leases: memoryLeases(),
    clock,
    retentionUsed: () => 0.25,
    logger: quiet,
  });
  runner.start();
  assert.ok(await until(() => weak.runs === 5, WITHIN_MS, 1));
  assert.is(good.runs, 1);
  const grown = pauses.filter((ms) => ms < 60_000);
  assert.ok(grown.length === 4 && grown.every((ms, i) => ms > (grown[i - 1] ?? 0)), grown.join());
  assert.equal(states(runner), ['weak running', 'good running']);
  assert.match(runner.report[0]?.cause ?? '', /no broker/, 'the cause is shown until it has run for a while');
  assert.equal(runner.report[1], { name: 'good', state: 'running', lag: { messages: 7, ms: 9 }, retentionUsed: 0.25 });
  await runner.stop();
  assert.is(weak.runs, 5);
});

test('of two processes one runs a feed; the other one takes over at its end', async () => {
  const leases = memoryLeases();
  const feeds = [feed('kafka', ended), feed('kafka', ended)];
  const [one, two] = feeds.map(
    (each) =>
      new FeedRunner({ feeds: [each], leases, clock: clockOf().clock, retentionUsed: () => 0.25, logger: quiet }),
  );
  one?.start();
  assert.ok(await until(() => feeds[0]?.runs === 1, WITHIN_MS, 1));
  two?.start();
  await until(() => false, 20, 5);
  assert.is(feeds[1]?.runs, 0);
  assert.equal(two && states(two), ['kafka elsewhere']);
  await one?.stop();
  assert.ok(await until(() => feeds[1]?.runs === 1, WITHIN_MS, 1));
  await two?.stop();
});

test('a feed that has lost its lease is stopped, and waits for it again', async () => {
  const leases = memoryLeases();
  const one = feed('kafka', ended);
  const runner = new FeedRunner({
    feeds: [one],
    leases,
    clock: clockOf().clock,
    retentionUsed: () => 0.25,
    logger: quiet,
  });
  runner.start();
  assert.ok(await until(() => one.runs === 1, WITHIN_MS, 1));
  leases.lose('feed kafka');
  assert.ok(await until(() => one.runs === 2, WITHIN_MS, 1));
  await runner.stop();
});

test.run();
