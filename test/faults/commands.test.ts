// `holdfast stop` and `holdfast url`: before the first start, beside a running node, after a kill -9 and after a stop.
// `holdfast events` and `holdfast verify --repair-stats` beside a running node.

import { once } from 'node:events';
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
  await system.stock(['KEPT'], 700);
  await system.end('SIGKILL');
  assert.is(system.left().length, 2, 'Postgres and NATS outlive it');
  const { code, output } = await system.command('stop');
  assert.is(code, 0, output);
  assert.match(output, /nats: ending the one that outlived/);
  assert.match(output, /postgres: ending the one that outlived/);
  assert.ok(await until(() => system.left().length === 0, 1_000));
  await system.start();
  assert.match((await system.ask('/api/inventory/KEPT'))?.text ?? '', /"on_hand":700/);
});

/** A line of `holdfast events --json`. */
interface Told {
  readonly id: string;
  readonly type: string;
  readonly subject: string;
  readonly data: { readonly order_id?: string };
}

const TOLD_MS = 20_000;
const read = (lines: readonly string[]): Told[] => lines.map((line) => JSON.parse(line) as Told);
const linesOf = (output: string) => output.split('\n').filter((line) => line !== '');

async function told(...words: string[]): Promise<string[]> {
  const { code, output } = await system.command('events', ...words);
  assert.is(code, 0, output);
  return linesOf(output);
}

/** The id of an order that has been placed. */
async function bought(): Promise<string> {
  const placed = await system.post('/api/orders', { user_id: 'ada', product_id: 'KEPT', quantity: 1 });
  assert.is(placed.status, 201, placed.text);
  return (JSON.parse(placed.text) as { data: { id: string } }).data.id;
}

/** Its last two events: of the order, and of its product. */
const hasEnded = (lines: readonly string[], order: string): boolean =>
  ['order.confirmed', 'inventory.committed'].every((type) =>
    lines.some((line) => line.includes(type) && line.includes(order)),
  );
const allTold = async (order: string): Promise<void> =>
  assert.ok(await until(async () => hasEnded(await told('--order', order), order), TOLD_MS, 200), 'it is told');

test('events prints what was told: of an order, a product, a type, a time; for people and as JSON', async () => {
  const one = await bought();
  await allTold(one);
  const since = new Date().toISOString();
  const two = await bought();
  await allTold(two);

  const ofOne = read(await told('--order', one, '--json'));
  const own = ofOne.filter(({ subject }) => subject === one);
  assert.equal(
    own.map(({ id }) => id),
    own.map((_, i) => `order/${one}/${i + 1}`),
  );
  assert.is(own.at(0)?.type, 'order.placed.v1');
  assert.is(own.at(-1)?.type, 'order.confirmed.v1');
  const stock = ofOne.filter(({ subject }) => subject !== one);
  assert.ok(stock.length >= 2);
  assert.ok(stock.every(({ type, data }) => type.startsWith('inventory.') && data.order_id === one));

  const ofProduct = read(await told('--product', 'KEPT', '--type', 'inventory', '--json'));
  assert.equal(
    ofProduct.map(({ id }) => id),
    ofProduct.map((_, i) => `product/KEPT/${i + 1}`),
  );
  assert.is(ofProduct[0]?.type, 'inventory.received.v1');
  assert.ok(read(await told('--product', 'KEPT', '--json')).some(({ subject }) => subject === two));

  const later = read(await told('--since', since, '--json'));
  assert.equal(new Set(later.map(({ subject, data }) => data.order_id ?? subject)), new Set([two]));
  assert.equal(
    later.map(({ id }) => id),
    read(await told('--since', '1h', '--order', two, '--json')).map(({ id }) => id),
  );

  const confirmed = await told('--type', 'order.confirmed');
  assert.is(confirmed.length, 2);
  for (const [i, order] of [one, two].entries()) {
    assert.match(
      confirmed[i] ?? '',
      new RegExp(`^\\d{4}-\\S+Z  order\\.confirmed  ${order}  user_id=ada  currency=USD `),
    );
  }
  assert.equal(await told('--order', 'ORD-NONE'), []);
});

test('events does not look where its arguments are wrong', async () => {
  for (const [words, why] of [
    [['--type', 'order.confirm'], /"order\.confirm" is none, the nearest is order\.confirmed/],
    [['--since', 'yesterday'], /--since takes a time such as/],
    [['everything'], /everything/],
  ] as const) {
    const { code, output } = await system.command('events', ...words);
    assert.is(code, 2);
    assert.match(output, why);
    assert.match(output, /See: holdfast events --help/);
  }
});

test('events --follow begins now, prints what comes, and ends at SIGINT, or when nobody reads it', async () => {
  const before = await bought();
  await allTold(before);
  const follower = system.begin('events', '--follow', '--json');
  let [output, complaint] = ['', ''];
  follower.stdout.on('data', (piece) => {
    output += piece;
  });
  follower.stderr.on('data', (piece) => {
    complaint += piece;
  });
  const hasBegun = async () => {
    if (output === '') await bought();
    return output !== '';
  };
  assert.ok(await until(hasBegun, TOLD_MS, 200), complaint);
  const order = await bought();
  assert.ok(await until(() => hasEnded(linesOf(output), order), TOLD_MS), output);
  const ofOrder = linesOf(output).filter((line) => line.includes(order));
  assert.equal(ofOrder, await told('--order', order, '--json'));
  assert.not.ok(output.includes(before), 'it began now');
  const ended = once(follower, 'exit');
  follower.kill('SIGINT');
  assert.equal(await ended, [0, null]);
  assert.is(complaint, '');

  const unread = system.begin('events', '--follow', '--since', '1h');
  await once(unread.stdout, 'data');
  unread.stdout.destroy();
  const hasGone = async () => {
    if (unread.exitCode === null) await bought();
    return unread.exitCode !== null;
  };
  assert.ok(await until(hasGone, TOLD_MS, 200));
  assert.is(unread.exitCode, 0);
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

test('an unknown command says where to read on, and exits with 2', async () => {
  for (const words of [['url'], ['url', 'kafka'], ['stop', 'now'], ['start']]) {
    const { code, output } = await system.command(...words);
    assert.is(code, 2);
    assert.match(output, /^holdfast.*\nSee: holdfast( url| stop)?( \w+)? --help$/);
  }
});

if (!('skipped' in built)) test.run();
