// A payment provider that takes its time, and a kill -9 in between: one outcome, at most one authorization,
// nothing unpaid that is not voided; and who is patient gets the order that 202 promised.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { MOODS, type Provider, startProvider } from '../contract/rig/payment-provider.js';
import { until } from '../deadlines.js';
import { databaseUrl } from './rig/addresses.js';
import { Burst, burst, lastAnswer, orderIdIn, type Wish } from './rig/burst.js';
import { checkLedger, tally } from './rig/ledger-check.js';
import { RealSystem } from './rig/real-system.js';

const ORDERS = 300;
const CONNECTIONS = 100;
const ENDED_MS = 30_000;

const test = suite('slow payments');
const houses: RealSystem[] = [];
const providers: Provider[] = [];

test.after(async () => {
  for (const provider of providers) await provider.stop();
  for (const house of houses) await house.demolish();
});

async function build(env: Readonly<Record<string, string>>): Promise<RealSystem | undefined> {
  const house = await RealSystem.build(env);
  if ('skipped' in house) {
    console.log(`SKIP slow payments: ${house.skipped}`);
    return undefined;
  }
  houses.push(house);
  await house.start();
  await house.stock(['PAID'], 10_000);
  return house;
}

const wishes = (name: string): Wish[] =>
  Array.from({ length: ORDERS }, (_, i) => ({
    user: `${name}-${i}`,
    items: [{ product_id: 'PAID', quantity: 1 }],
    ...(i % 2 === 0 && { key: `${name}-${i}` }),
  }));

interface Paid {
  readonly order_id: string;
  readonly status: string;
  readonly reason: string | null;
  readonly payment_status: string;
  readonly effects: string;
}

const PAID = `
  select o.order_id, o.status, o.reason, o.payment_status,
    coalesce((select string_agg(effect, ' ' order by effect) from payment_effects p
      where p.order_id = o.order_id), '') as effects
  from orders o order by o.order_id`;

/** Every order with what the provider did for it, once no order is pending. */
async function ended(house: RealSystem): Promise<readonly Paid[]> {
  const client = connectPostgres(await databaseUrl(house), { max: 1 });
  try {
    let rows: readonly Paid[] = [];
    const isOver = async () => {
      // Before the rows are read: what leaves memory later is not in them.
      const settled = (await house.metric('holdfast_orders_in_memory')) === 0;
      rows = await client.query<Paid>('read what was paid', PAID);
      return settled && rows.every(({ status }) => status !== 'pending');
    };
    assert.ok(await until(isOver, ENDED_MS, 100), `orders without an end\n${house.lastWords()}`);
    return rows;
  } finally {
    await client.end();
  }
}

test('slower than the timeout, with a kill -9 in the middle: timed out, voided, authorized once at most', async () => {
  const house = await build({ PAYMENT_LATENCY_MS: '2000', ORDER_TIMEOUT_S: '1', ORDER_WAIT_MS: '600' });
  if (house === undefined) return;
  const load = new Burst(house.url, wishes('late'), CONNECTIONS);
  await load.reached(ORDERS / 3);
  // Some authorizations are on their way, some orders have timed out, some are being placed.
  await house.end('SIGKILL');
  await house.start();
  await load.done;
  const rows = await ended(house);
  for (const { order_id, status, reason, effects } of rows) {
    assert.is(`${status} ${reason}`, 'failed timed_out', order_id);
    // A void that came first takes the authorization's place, as declined; one that came later follows it.
    assert.ok(['authorized voided', 'declined voided'].includes(effects), `${order_id}: ${effects}`);
  }
  assert.ok(rows.length >= ORDERS / 3);
  const product = await house.ask('/api/inventory/PAID');
  assert.match(product?.text ?? '', /"on_hand":10000,"held":0,"available":10000/);
  await checkLedger(house, load.entries, { paysLater: true });
});

test('within the timeout: 202 when nobody waits so long, then confirmed, and captured once', async () => {
  const house = await build({ PAYMENT_LATENCY_MS: '300', ORDER_WAIT_MS: '100', PAYMENT_SUCCESS_RATE: '0.8' });
  if (house === undefined) return;
  const load = new Burst(house.url, wishes('slow'), CONNECTIONS);
  await load.reached(ORDERS / 2);
  await house.end('SIGKILL');
  await house.start();
  await load.done;
  const counts = tally(load.entries);
  assert.ok((counts[202] ?? 0) > ORDERS / 2, JSON.stringify(counts));
  const accepted = load.entries.map(lastAnswer).find((answer) => answer?.status === 202);
  assert.match(accepted?.text ?? '', /"status":"pending"/);

  const rows = new Map((await ended(house)).map((row) => [row.order_id, row]));
  for (const { order_id, status, reason, payment_status, effects } of rows.values()) {
    const how = `${status} ${reason} ${payment_status}: ${effects}`;
    const right = ['confirmed null paid: authorized captured', 'failed payment_declined declined: declined voided'];
    assert.ok(right.includes(how), `${order_id} is ${how}`);
  }
  const phases = new Set([...rows.values()].map(({ status }) => status));
  assert.equal([...phases].sort(), ['confirmed', 'failed']);
  const first = orderIdIn(accepted?.text ?? '');
  const found = await house.ask(`/api/orders/${first}`);
  assert.match(found?.text ?? '', new RegExp(`"status":"${rows.get(first ?? '')?.status}"`));
  await checkLedger(house, load.entries, { paysLater: true });
});

test('who waits longer than the provider takes hears 201', async () => {
  const house = await build({ PAYMENT_LATENCY_MS: '300' });
  if (house === undefined) return;
  const entries = await burst(house.url, wishes('patient'), ORDERS);
  assert.equal(tally(entries), { died: 0, 201: ORDERS });
  for (const { effects } of await ended(house)) assert.is(effects, 'authorized captured');
  await checkLedger(house, entries, { paysLater: true });
});

test('over HTTP, a provider in every mood, a kill -9 in between: each effect once', async () => {
  let turn = 0;
  const provider = await startProvider({
    decide: () => 'authorized',
    mood: () => (turn++ % 2 === 0 ? MOODS[(turn >> 1) % MOODS.length] : 'good') ?? 'good',
    key: 'sk-of-the-test',
  });
  providers.push(provider);
  const house = await build({
    PAYMENT_URL: provider.url,
    PAYMENT_KEY: 'sk-of-the-test',
    PAYMENT_TIMEOUT_MS: '500',
    ORDER_TIMEOUT_S: '120',
  });
  if (house === undefined) return;
  const load = new Burst(house.url, wishes('http'), CONNECTIONS);
  await load.reached(ORDERS / 3);
  await house.end('SIGKILL');
  await house.start();
  await load.done;
  const rows = await ended(house);
  for (const { order_id, status, payment_status } of rows)
    assert.is(`${status} ${payment_status}`, 'confirmed paid', order_id);
  const expected = rows.flatMap(({ order_id }) => [`authorizations ${order_id}`, `captures ${order_id}`]);
  assert.equal(provider.effects.map((effect) => effect.split(' ', 2).join(' ')).sort(), expected.sort());
  assert.not.match(house.lastWords(), 'sk-of-the-test');
});

test.run();
