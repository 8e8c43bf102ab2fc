// `holdfast stop` and `holdfast url`: before the first start, beside a running node, after a kill -9 and after a stop.
// `holdfast verify --repair-stats` beside a running node.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { until } from '../deadlines.js';
import { RealSystem } from './rig/real-system.js';

const test = suite('commands');
const built = await RealSystem.build();
if ('skipped' in built) console.log(`SKIP commands: ${built.skipped}`);
const system = built as RealSystem;

test.after(() => system.demolish());

const urls = async () => [await system.command('url', 'postgres'), await system.command('url', 'nats')] as const;

test('before the first start, url says how to start, and stop has nothing to do', async () => {
  for (const { code, output } of await urls()) {
    assert.is(code, 2);
    assert.match(output, /Nothing was ever started in DATA_DIR .*npm start/);
  }
  const { code, output } = await system.command('stop');
  assert.is(code, 0);
  assert.match(output, /Nothing was ever started in DATA_DIR/);
});

test('beside a running node, url prints the address alone, and stop ends the node as SIGTERM does', async () => {
  await system.start();
  const [postgres, nats] = await urls();
  assert.is(postgres.code, 0);
  assert.match(postgres.output, /^postgres:\/\/holdfast_node:\S+@127\.0\.0\.1:\d+\/holdfast$/);
  assert.is(nats.code, 0);
  assert.match(nats.output, /^nats:\/\/holdfast:\S+@127\.0\.0\.1:\d+$/);
  const nodes = await system.command('nodes');
  assert.is(nodes.code, 0, nodes.output);
  assert.match(
    nodes.output,
    /\/internal\/placement\s+NAME +NODE +PARTITIONS +SINCE +ALIVE\n\S+ +\S+ +16: 0-15 +\S+Z +yes/,
  );
  const { code, output } = await system.command('stop');
  assert.is(code, 0, output);
  assert.match(
    output,
    new RegExp(`Asking the node with pid ${system.pid} to end \\(SIGTERM\\)\\.\\s+It has ended after`),
  );
  assert.is((await system.over()).code, 0);
  assert.equal(system.left(), []);
});

test('after a stop, url prints the address and that nothing answers, and stop has nothing to do', async () => {
  for (const { code, output } of await urls()) {
    assert.is(code, 1);
    assert.match(output, /(postgres|nats):\/\/holdfast(_node)?:\S+@127\.0\.0\.1:\d+/);
    assert.match(output, /Nothing answers there now: start Holdfast \(npm start\)/);
  }
  const nodes = await system.command('nodes');
  assert.is(nodes.code, 1, nodes.output);
  assert.match(nodes.output, /no node answers.*\s+NAME .*\s+free: 0-15/);
  const { code, output } = await system.command('stop');
  assert.is(code, 0);
  assert.match(output, /Nothing runs in DATA_DIR/);
});

test('after a kill -9 the servers go on running: stop ends them, and the next start finds all data', async () => {
  await system.start();
  await system.stock(['KEPT'], 7);
  await system.end('SIGKILL');
  assert.is(system.left().length, 2, 'Postgres and NATS outlive it');
  const { code, output } = await system.command('stop');
  assert.is(code, 0, output);
  assert.match(output, /nats: ending the one that outlived/);
  assert.match(output, /postgres: ending the one that outlived/);
  assert.ok(await until(() => system.left().length === 0, 1_000));
  await system.start();
  assert.match((await system.ask('/api/inventory/KEPT'))?.text ?? '', /"on_hand":7/);
});

test('verify finds wrong numbers of orders, and --repair-stats puts these and nothing else right', async () => {
  const placed = await system.post('/api/orders', { user_id: 'ada', product_id: 'KEPT', quantity: 1 });
  assert.is(placed.status, 201, placed.text);
  const client = connectPostgres((await system.command('url', 'postgres')).output.trim(), { max: 1 });
  try {
    await client.query(
      'change',
      `insert into order_stats_days values ('KEPT', '2026-01-01', 'USD', 'failed', '', 1, 1, 1, 0)`,
    );
    const found = await system.verify();
    assert.is(found.code, 1);
    assert.match(found.output, /table order_stats: day 2026-01-01, product KEPT, .* expected 0 orders/);
    assert.match(found.output, /verify --repair-stats/);
    const repaired = await system.command('verify', '--repair-stats');
    assert.is(repaired.code, 0, repaired.output);
    assert.match(repaired.output, /violation[\s\S]*clean$/);
    await client.query('change', `update products set on_hand = on_hand + 1 where product_id = 'KEPT'`);
    const more = await system.command('verify', '--repair-stats');
    assert.is(more.code, 1);
    assert.match(more.output, /Nothing was repaired/);
    assert.is((await system.command('verify', '--repair')).code, 2);
  } finally {
    await client.end();
  }
});

test('an unknown command prints the usage and exits with 2', async () => {
  for (const words of [['url'], ['url', 'kafka'], ['stop', 'now'], ['start']]) {
    const { code, output } = await system.command(...words);
    assert.is(code, 2);
    assert.match(output, /holdfast stop .*\n.*exit 0: nothing of it runs any more/);
  }
});

if (!('skipped' in built)) test.run();
