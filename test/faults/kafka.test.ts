// Whatever dies, a consumer of committed records sees each event once and in the order of its actor. `holdfast feed` tells how far
// the feed is, and has sent again what is asked for.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connectNats } from '../../bus/nats/nats.js';
import { misplaced } from '../contract/rig/webhook-receiver.js';
import { until } from '../deadlines.js';
import { brokerUrl } from './rig/addresses.js';
import { Burst, type Purchase } from './rig/burst.js';
import { documentedQueries } from './rig/documented-queries.js';
import { storedEvents } from './rig/events-check.js';
import { KafkaRig, NAMES } from './rig/kafka-rig.js';
import type { RealSystem } from './rig/real-system.js';

const ORDERS = 2_000;
/** Four of the order, two of its product. */
const EVENTS_AN_ORDER = 6;
const TOLD_MS = 30_000;
const PRODUCTS = ['K1', 'K2', 'K3'];
const PLENTY = 'K4';
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

const test = suite('Kafka');
const built = await KafkaRig.build();
if ('skipped' in built) console.log(`SKIP Kafka: ${built.skipped}`);
const rig = built as KafkaRig;
let feed: RealSystem;

const purchases = (count: number, name: string, products = PRODUCTS): Purchase[] =>
  Array.from({ length: count }, (_, i) => ({
    ...{ user: `u${i % 50}`, key: `${name}-${i}` },
    items: [{ product_id: products[i % products.length] ?? '', quantity: 1 + (i % 2) }],
  }));

test.after(() => rig.stop());

test('before the feed has begun, status says so, and there is no place to go on from', async () => {
  const status = await rig.system.command('feed', 'status');
  assert.is(status.code, 1, status.output);
  assert.is(status.output, 'events: has not begun\nfacts: has not begun');
  const next = await rig.system.command('feed', 'replay', '--from', 'next');
  assert.is(next.code, 2);
  assert.match(next.output, /the feed events has no place to go on from: say start or a time/);
});

test('what the commands cannot do they say, and change nothing', async () => {
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
  for (const [words, why] of [
    [[], /say which: status, replay/],
    [['replay', '--from', 'yesterday'], /--from must be start, next or a time such as/],
    [['replay', '--from', tomorrow], /--from must not be a time that is still to come/],
    [['replay', '--from', 'start', '--feed', 'orders'], /--feed.*Allowed choices are events, facts/],
  ] as const) {
    const { code, output } = await rig.system.command('feed', ...words);
    assert.is(code, 2, output);
    assert.match(output, why);
    assert.match(output, /See: holdfast feed/);
  }
  for (const [env, why] of [
    [{ KAFKA_BROKERS: '' }, /Kafka is not used: set KAFKA_BROKERS as the start has it/],
    [{ KAFKA_TLS: 'on' }, /Kafka at \S+ does not speak TLS: turn KAFKA_TLS off/],
  ] as const) {
    const { code, output } = await (await rig.feed(env)).command('feed', 'status');
    assert.is(code, 2, output);
    assert.match(output, why);
  }
});

test('the feed and Kafka are killed twice each, and a second feed runs beside', async () => {
  await rig.system.stock(PRODUCTS, 900);
  feed = await rig.feed();
  await rig.run(feed);
  const burst = new Burst(rig.system.url, purchases(ORDERS, 'first'), 8);
  await burst.reached(ORDERS / 5);
  await feed.end('SIGKILL');
  await rig.run(feed);
  await burst.reached((2 * ORDERS) / 5);
  await rig.kafka.kill();
  await rig.kafka.start();
  const second = await rig.feed();
  await rig.runUnleased(second);
  await feed.end('SIGKILL');
  await rig.run(feed);
  await rig.kafka.kill();
  await rig.kafka.start();
  await burst.done;
  assert.is(burst.answered, ORDERS);
  await second.end('SIGKILL');
  assert.ok((await rig.check()) > 3 * ORDERS);
});

test('EVENTS is deleted and filled again: nothing is told twice, and what comes then is told', async () => {
  const nats = await connectNats(await brokerUrl(rig.system, 'operator'), { name: 'kafka test', log: quiet });
  try {
    await nats.api('STREAM.DELETE.EVENTS');
    const burst = new Burst(rig.system.url, purchases(100, 'second'), 4);
    await burst.done;
    assert.is(burst.answered, 100);
    await rig.check();
  } finally {
    await nats.close();
  }
});

test('it says how far it has come, in words and in numbers', async () => {
  assert.ok(
    await until(
      async () =>
        /events: sent up to .*0 messages of EVENTS are not sent/.test(
          (await rig.system.command('feed', 'status')).output,
        ),
      20_000,
      500,
    ),
  );
  const health = JSON.parse((await rig.system.ask('/health'))?.text ?? '{}') as { dependencies: { kafka: object } };
  assert.equal(health.dependencies.kafka, { status: 'up' });
});

test('the queries of KAFKA.md agree with Postgres', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-duckdb-'));
  try {
    const lines = (topic: string) => rig.read.records.filter((each) => each.topic === topic).map(({ value }) => value);
    const files = { 'order-facts.ndjson': lines(NAMES.facts), 'orders.ndjson': lines(NAMES.orders) };
    const [, revenue, sellers, confirmed] = await documentedQueries(folder, files);
    const sold = `status in ('confirmed', 'shipped', 'delivered')`;
    const [sums] = await rig.client.query<{ orders: number; minor: number }>(
      'sum the orders',
      `select count(*) as orders, (sum(total_amount) * 100)::bigint as minor from orders where ${sold}`,
    );
    const total = (column: number) => (revenue ?? []).reduce((sum, row) => sum + Number(row[column]), 0);
    assert.equal([total(2), total(3)], [sums?.orders, sums?.minor]);
    const items = await rig.client.query<{ product: string; sold: number }>(
      'sum the items',
      `select product_id as product, sum(quantity)::bigint as sold from order_items join orders using (order_id)
        where ${sold} group by 1 order by sold desc, product_id`,
    );
    assert.equal(
      sellers?.map(([product, count]) => [product, Number(count)]),
      items.map((row) => [row.product, row.sold]),
    );
    assert.is(Number(confirmed?.[0]?.[0]), sums?.orders);
  } finally {
    await rm(folder, { recursive: true });
  }
});

const isFact = ({ topic }: { topic: string }) => topic === NAMES.facts;
/** The ids of the events that came after so many records. */
const toldAfter = (count: number) =>
  rig.read.records
    .slice(count)
    .filter((record) => !isFact(record))
    .map(({ headers }) => headers.ce_id ?? '');

/** Buys, and waits until Kafka has it. @returns the ids of its events */
async function boughtAndTold(name: string): Promise<readonly string[]> {
  const [before, count] = [await storedEvents(rig.client), rig.read.records.length];
  const burst = new Burst(rig.system.url, purchases(20, name, [PLENTY]), 4);
  await burst.done;
  const isStored = async () => (await storedEvents(rig.client)).size === before.size + burst.answered * EVENTS_AN_ORDER;
  assert.ok(await until(isStored, TOLD_MS, 100), 'the histories are complete');
  const wanted = [...(await storedEvents(rig.client)).keys()].filter((id) => !before.has(id)).sort();
  const areTold = () => wanted.every((id) => toldAfter(count).includes(id));
  assert.ok(await until(areTold, TOLD_MS, 100), `Kafka has what ${name} bought`);
  return wanted;
}

test('a replay from a time beside the feed: what EVENTS has since then comes again, in order, and no more', async () => {
  await rig.system.stock([PLENTY], 1_000);
  await rig.check();
  await boughtAndTold('before');
  const since = new Date().toISOString();
  const again = await boughtAndTold('again');
  const count = rig.read.records.length;
  feed.output = '';
  const { code, output } = await rig.system.command('feed', 'replay', '--from', since, '--feed', 'events');
  assert.is(code, 0, output);
  assert.is(output, `events: begins again from ${since}`);
  assert.ok(await until(() => toldAfter(count).length >= again.length, TOLD_MS, 100));
  assert.match(feed.output, /another feed of this system writes to Kafka: this one steps down/);
  const more = await boughtAndTold('more');
  assert.equal(toldAfter(count).sort(), [...again, ...more].sort());
  assert.equal(misplaced(toldAfter(count)), []);
});

test('a replay from next sends nothing again', async () => {
  const count = rig.read.records.length;
  const { code, output } = await rig.system.command('feed', 'replay', '--from', 'next');
  assert.is(code, 0, output);
  assert.is(output, 'events: goes on past what is lost\nfacts: goes on past what is lost');
  const more = await boughtAndTold('next');
  assert.equal(toldAfter(count).sort(), more);
});

test('a replay from the start while no feed runs: all comes again when one does', async () => {
  await feed.end('SIGTERM');
  const count = rig.read.records.length;
  assert.is((await rig.system.command('feed', 'replay', '--from', 'start')).code, 0);
  const { code, output } = await rig.system.command('feed', 'status');
  assert.is(code, 0, output);
  assert.is(output, 'events: is to begin again from the start\nfacts: is to begin again from the start');
  await rig.run(feed);
  await rig.check(count);
  const facts = rig.read.records.slice(count).filter(isFact);
  const [orders] = await rig.client.query<{ count: number }>(
    'count the orders',
    'select count(*) as count from orders',
  );
  assert.is(new Set(facts.map(({ key }) => key)).size, orders?.count);
});

if (!('skipped' in built)) test.run();
