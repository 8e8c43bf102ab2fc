// Whatever dies, a consumer of committed records sees each event once and in the order of its actor.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connectNats } from '../../bus/nats/nats.js';
import { until } from '../deadlines.js';
import { brokerUrl } from './rig/addresses.js';
import { Burst, type Purchase } from './rig/burst.js';
import { documentedQueries } from './rig/documented-queries.js';
import { KafkaRig, NAMES } from './rig/kafka-rig.js';
import type { RealSystem } from './rig/real-system.js';

const ORDERS = 2_000;
const PRODUCTS = ['K1', 'K2', 'K3'];
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

const test = suite('Kafka');
const built = await KafkaRig.build();
if ('skipped' in built) console.log(`SKIP Kafka: ${built.skipped}`);
const rig = built as KafkaRig;
let feed: RealSystem;

const purchases = (count: number, name: string): Purchase[] =>
  Array.from({ length: count }, (_, i) => ({
    ...{ user: `u${i % 50}`, key: `${name}-${i}` },
    items: [{ product_id: PRODUCTS[i % PRODUCTS.length] ?? '', quantity: 1 + (i % 2) }],
  }));

test.after(() => rig.stop());

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

if (!('skipped' in built)) test.run();
