/** The trial of compare-and-set at the start. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Log } from '../../../actors/ports/log.js';
import type { Logger } from '../../../actors/ports/runtime.js';
import { memoryLog } from '../../../bus/journal/memory-log.js';
import { tryCompareAndSet } from '../../../bus/journal/self-test.js';
import { systemClock } from '../../../bus/system-clock.js';

const test = suite('self-test of compare-and-set');
const TRIAL = 'journal.self-test';
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
/** Its pauses take no time. */
const clock = {
  ...systemClock(),
  after(_: number, run: () => void) {
    setImmediate(run);
    return () => {};
  },
};
const tried = (log: Log, logger: Logger = quiet): Promise<string> =>
  tryCompareAndSet(log, clock, logger).then(
    () => 'kept',
    (error: Error) => `${error.name}: ${error.message}`,
  );

test('a log that keeps it passes, again and again, also for many nodes at once, and keeps one record of it', async () => {
  const log = memoryLog();
  for (let start = 0; start < 3; start++) assert.is(await tried(log), 'kept');
  assert.equal(await Promise.all(Array.from({ length: 5 }, () => tried(log))), Array(5).fill('kept'));
  assert.is((await log.read(TRIAL, 0)).length, 1);
});

test('a log that takes a second append at the same position is refused by name, with the way out', async () => {
  const log = memoryLog();
  const append: Log['append'] = async (name, _, record) => log.append(name, await log.end(name), record);
  assert.match(await tried({ ...log, append }), /BrokenCompareAndSet: .*one after the other.*NATS_URL/);
});

test('so is one that only takes several when they come together', async () => {
  const log = memoryLog();
  let underWay = 0;
  let turn: Promise<unknown> = Promise.resolve();
  const append: Log['append'] = (name, after, record) => {
    underWay++;
    const answer = turn.then(async () => log.append(name, underWay > 1 ? await log.end(name) : after, record));
    turn = answer.then(() => underWay--);
    return answer;
  };
  assert.match(await tried({ ...log, append }), /BrokenCompareAndSet: .*at once/);
});

test('no answer is no verdict: it is tried again, and the start ends with the reason where none ever comes', async () => {
  const log = memoryLog();
  let calls = 0;
  const append: Log['append'] = (name, after, record) =>
    ++calls % 4 === 0 ? log.append(name, after, record) : Promise.reject(new Error('no leader'));
  assert.is(
    await tried({ ...log, append: (...asked) => (calls > 7 ? log.append(...asked) : append(...asked)) }),
    'kept',
  );
  const never = await tried({ ...log, append: () => Promise.reject(new Error('no leader')) });
  assert.match(never, /did not show .*no leader/);
});

test('a full log is not tried, and the start goes on with a warning', async () => {
  const warned: string[] = [];
  const logger = { ...quiet, warn: (_: object, text: string) => void warned.push(text) };
  assert.is(await tried({ ...memoryLog(), append: async () => ({ kind: 'full' }) }, logger), 'kept');
  assert.match(warned[0] ?? '', /was not tried/);
});

test.run();
