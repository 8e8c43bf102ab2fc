/** What the metrics of orders count, on a node by hand. */
import { Registry } from 'prom-client';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EventsLag } from '../../../bus/events/events-lag.js';
import { OrderCounts, orderMeter, watchOrders } from '../../../deploy/telemetry/order-metrics.js';
import { A, B, contentOf, oneLine } from '../actors/samples.js';
import { ownedWorld, Rig, worldOf } from './node-rig.js';

const test = suite('the metrics of orders');

async function samplesOf(registry: Registry): Promise<ReadonlyMap<string, number>> {
  const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith('holdfast_'));
  return new Map(
    lines.map((line): [string, number] => {
      const cut = line.lastIndexOf(' ');
      return [line.slice('holdfast_'.length, cut), Number(line.slice(cut))];
    }),
  );
}

const PENDING = [
  'pending_orders',
  'oldest_pending_order_seconds',
  'held_units',
  'payments_owed{operation="authorize"}',
];

const watched = (rig: Rig) => {
  const registry = new Registry();
  watchOrders(
    registry,
    () => rig.world,
    () => rig.wallMs + 5_000,
  );
  return registry;
};

test('each order counts once, by its outcome and the reason', async () => {
  const registry = new Registry();
  const counts = new OrderCounts();
  const count = orderMeter(registry, counts);
  const rig = new Rig().receive(10, A, B);
  rig.place('1', contentOf());
  rig.place('2', oneLine(A, 1_000));
  rig.turn();
  rig.place('3', oneLine(B, 1));
  rig.turn();
  rig.act('3', { type: 'cancel' });
  rig.turn();
  for (const { turn } of rig.all('append')) count(turn.applied);
  const samples = await samplesOf(registry);
  assert.equal([counts.confirmed, counts.failed, counts.cancelled], [2, 1, 0]);
  assert.is(samples.get('orders_placed_total'), 3);
  assert.is(samples.get('orders_total{outcome="confirmed",reason=""}'), 2);
  assert.is(samples.get('orders_total{outcome="failed",reason="out_of_stock"}'), 1);
  assert.is(samples.get('orders_total{outcome="failed",reason="timed_out"}'), 0);
  assert.is(samples.get('orders_total{outcome="cancelled",reason=""}'), 0); // It was confirmed before.
});

test('a pending order holds its pieces and owes its payment; a confirmed one does not', async () => {
  const rig = new Rig({ context: {} }).receive(10, A, B);
  const registry = watched(rig);
  rig.place('1', oneLine(A, 4));
  rig.turn();
  const waiting = await samplesOf(registry);
  assert.equal(
    PENDING.map((name) => waiting.get(name)),
    [1, 5, 4, 1],
  );
  rig.paymentAnswered('1', 'authorized');
  rig.turn();
  const confirmed = await samplesOf(registry);
  assert.equal(
    PENDING.map((name) => confirmed.get(name)),
    [0, 0, 0, 0],
  );
  assert.equal(
    ['payments_owed', 'oldest_payment_owed_seconds'].map((name) => confirmed.get(`${name}{operation="capture"}`)),
    [1, 5],
  );
});

test('a letter to a partition of another node is unconfirmed until that node has it', async () => {
  const whole = ownedWorld();
  const owner = (kind: 'order' | 'product', id: string) => whole.partitionOf({ kind, id } as never);
  const [order, product] = [owner('order', '1'), owner('product', A)];
  assert.is.not(order, product);
  const rig = new Rig({}, worldOf([order]));
  rig.place('1', oneLine(A, 1));
  rig.turn();
  assert.is((await samplesOf(watched(rig))).get('unconfirmed_letters'), 1);
  rig.node.confirmed({ from: order, to: product, upTo: 1 });
  assert.is((await samplesOf(watched(rig))).get('unconfirmed_letters'), 0);
});

test('before the node runs everything is 0', async () => {
  const registry = new Registry();
  watchOrders(
    registry,
    () => undefined,
    () => 0,
  );
  const samples = await samplesOf(registry);
  assert.equal([samples.size > 7, [...samples.values()].every((value) => value === 0)], [true, true]);
});

test('the lag of EVENTS is the age of the oldest turn that is not published', () => {
  let now = 0;
  const lag = new EventsLag({ monotonic: () => now });
  assert.is(lag.ms(0), 0);
  lag.appended(1, 0);
  now = 300;
  lag.appended(2, 0);
  now = 400;
  assert.is(lag.ms(0), 400);
  assert.is(lag.ms(1), 100); // The second turn has no moment of its own: it counts from the last append.
  assert.is(lag.ms(2), 0);
  const DAY = 86_400_000;
  let n = 2;
  for (const began = now; now - began < DAY; now += 100) lag.appended(++n, 2);
  assert.ok(Math.abs(lag.ms(2) - DAY) <= 1_000);
  const half = 2 + (n - 2) / 2;
  const told = lag.ms(half);
  assert.ok(told <= DAY / 2 && told > (DAY / 2) * 0.97, `${told}`);
  assert.is(lag.ms(n), 0);
});

test.run();
