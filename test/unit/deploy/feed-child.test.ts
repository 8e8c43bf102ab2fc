/** The process of the feeds when it cannot be started, or ends. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { systemClock } from '../../../bus/system-clock.js';
import { FeedChild } from '../../../deploy/feed/feed-child.js';
import { until } from '../../deadlines.js';

const test = suite('feed child');
const WITHIN_MS = 10_000;

/** A child that runs until it is killed. */
class Running extends EventEmitter {
  /** Of no process: its priority cannot be set. */
  readonly pid = 2 ** 30;
  end() {
    this.emit('exit', 0, null);
  }
  kill() {
    setImmediate(() => this.end());
    return true;
  }
}

function childWith(starts: readonly (() => unknown)[]) {
  const logged: string[] = [];
  const log = (fields: object, line: string) => void logged.push(`${line} ${JSON.stringify(fields)}`);
  let count = 0;
  // Pauses are short here; the deadline of a stop is not.
  const after = (ms: number, run: () => void) => systemClock().after(ms === 4_000 ? ms : 1, run);
  const child = new FeedChild({
    ...{ dataDir: '/nowhere', nodeName: 'n', postgresUrl: 'postgres://x', natsUrl: 'nats://x' },
    clock: { ...systemClock(), after },
    logger: { debug: log, info: log, warn: log, error: log },
    fork: (() => starts[count++]?.() ?? new Running()) as unknown as typeof fork,
  });
  return { child, logged, count: () => count };
}

const thrown = () => {
  throw new Error('spawn EAGAIN');
};
/** Node's own way to say so: an error, and no exit. */
const notStarted = (): ChildProcess =>
  fork('nothing.js', { execPath: '/nowhere/node', stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });

test('a start that throws, one that fails later, and a child that ends: each is tried again once', async () => {
  const ends = () => {
    const one = new Running();
    setImmediate(() => one.end());
    return one;
  };
  const { child, logged, count } = childWith([thrown, notStarted, ends]);
  child.start();
  assert.ok(await until(() => count() === 4, WITHIN_MS), `${count()} starts: ${logged.join('\n')}`);
  assert.ok(!(await until(() => count() > 4, 50, 10)), 'the last one runs on');
  assert.is(logged.length, 3);
  assert.match(logged[0] ?? '', /EAGAIN/);
  assert.match(logged[1] ?? '', /ENOENT/);
  assert.match(logged[2] ?? '', /"code":0/);
  await child.stop();
  assert.is(count(), 4);
});

test('a stop ends while a child is being started in vain, and nothing is started after it', async () => {
  const { child, count } = childWith([notStarted]);
  child.start();
  await child.stop();
  assert.ok(!(await until(() => count() > 1, 50, 10)));
});

test('a child whose parent died before it was ready ends too', async () => {
  const module = new URL('../../../deploy/feed/feed-child.js', import.meta.url).href;
  const script = `
    const told = new Promise((resolve) => process.once('disconnect', resolve));
    const { reportToParent } = await import(${JSON.stringify(module)});
    await told;
    const end = reportToParent(() => ({ report: [], metrics: '' }), () => process.exit(7));
    setTimeout(() => { end(); process.exit(1); }, 10_000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const code = new Promise((resolve) => child.once('exit', resolve));
  child.disconnect();
  assert.is(await code, 7);
});

test.run();
