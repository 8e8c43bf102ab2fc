// `holdfast stop` and `holdfast url`, beside a node that runs, after it was killed, after it stopped, and before any.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../deadlines.js';
import { RealSystem } from './rig/real-system.js';

const test = suite('commands');
const built = await RealSystem.build();
if ('skipped' in built) console.log(`SKIP commands: ${built.skipped}`);
const house = built as RealSystem;

test.after(() => house.demolish());

const urls = async () => [await house.command('url', 'postgres'), await house.command('url', 'nats')] as const;

test('before the first start: url knows nothing and says how to start, stop has nothing to do', async () => {
  for (const { code, output } of await urls()) {
    assert.is(code, 2);
    assert.match(output, /Nothing was ever started in DATA_DIR .*npm start/);
  }
  const { code, output } = await house.command('stop');
  assert.is(code, 0);
  assert.match(output, /Nothing was ever started in DATA_DIR/);
});

test('beside a node that runs: url prints where it is, alone; stop ends it as SIGTERM does', async () => {
  await house.start();
  const [postgres, nats] = await urls();
  assert.is(postgres.code, 0);
  assert.match(postgres.output, /^postgres:\/\/holdfast:\S+@127\.0\.0\.1:\d+\/holdfast$/);
  assert.is(nats.code, 0);
  assert.match(nats.output, /^nats:\/\/holdfast:\S+@127\.0\.0\.1:\d+$/);
  const { code, output } = await house.command('stop');
  assert.is(code, 0, output);
  assert.match(
    output,
    new RegExp(`Asking the node with pid ${house.pid} to end \\(SIGTERM\\)\\.\\s+It has ended after`),
  );
  assert.is((await house.over()).code, 0);
  assert.equal(house.left(), []);
});

test('after it stopped: url prints what it knows, and that nothing answers; stop has nothing to do', async () => {
  for (const { code, output } of await urls()) {
    assert.is(code, 1);
    assert.match(output, /(postgres|nats):\/\/holdfast:\S+@127\.0\.0\.1:\d+/);
    assert.match(output, /Nothing answers there now: start Holdfast \(npm start\)/);
  }
  const { code, output } = await house.command('stop');
  assert.is(code, 0);
  assert.match(output, /Nothing runs in DATA_DIR/);
});

test('after a kill -9 the servers live on: stop ends them, and the next start finds all as it was', async () => {
  await house.start();
  await house.stock(['KEPT'], 7);
  await house.end('SIGKILL');
  assert.is(house.left().length, 2, 'Postgres and NATS outlive it');
  const { code, output } = await house.command('stop');
  assert.is(code, 0, output);
  assert.match(output, /nats: ending the one that outlived/);
  assert.match(output, /postgres: ending the one that outlived/);
  assert.ok(await until(() => house.left().length === 0, 1_000));
  await house.start();
  assert.match((await house.ask('/api/inventory/KEPT'))?.text ?? '', /"on_hand":7/);
});

test('what is no command is told the usage, exit 2', async () => {
  for (const words of [['url'], ['url', 'kafka'], ['stop', 'now'], ['start']]) {
    const { code, output } = await house.command(...words);
    assert.is(code, 2);
    assert.match(output, /holdfast stop .*\n.*exit 0: nothing of it runs any more/);
  }
});

if (!('skipped' in built)) test.run();
