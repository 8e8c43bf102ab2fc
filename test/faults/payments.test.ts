// A slow payment provider, and a kill -9 meanwhile. Each order has one outcome and at most one authorization, and every
// authorization of a failed order is voided. A patient client gets the order that the 202 promised.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { MOODS, type Provider, startProvider } from '../contract/rig/payment-provider.js';
import { until } from '../deadlines.js';
import { databaseUrl } from './rig/addresses.js';
import { Burst, burst, lastAnswer, orderIdIn, type Purchase } from './rig/burst.js';
import { checkLedger, tally } from './rig/ledger-check.js';
import { RealSystem } from './rig/real-system.js';

const ORDERS = 300;
const CONNECTIONS = 100;
const ENDED_MS = 30_000;

const test = suite('slow payments');
const systems: RealSystem[] = [];
const providers: Provider[] = [];

test.after(async () => {
  for (const provider of providers) await provider.stop();
  for (const system of systems) await system.demolish();
});

async function build(env: Readonly<Record<string, string>>): Promise<RealSystem | undefined> {
  const system = await RealSystem.build(env);
  if ('skipped' in system) {
    console.log(`SKIP slow payments: ${system.skipped}`);
    return undefined;
  }
  systems.push(system);
  await system.start();
  await system.stock(['PAID'], 10_000);
  return system;
}

const purchases = (name: string): Purchase[] =>
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

/** Every order with the provider's operations for it, once no order is pending. */
async function ended(system: RealSystem): Promise<readonly Paid[]> {
  const client = connectPostgres(await databaseUrl(system), { max: 1 });
  try {
    let rows: readonly Paid[] = [];
    const isOver = async () => {
      // Before the rows are read: an order that leaves memory later is missing from them.
      const settled = (await system.metric('holdfast_orders_in_memory')) === 0;
      rows = await client.query<Paid>('read what was paid', PAID);
      return settled && rows.every(({ status }) => status !== 'pending');
    };
    assert.ok(await until(isOver, ENDED_MS, 100), `orders without an end\n${system.lastWords()}`);
    return rows;
  } finally {
    await client.end();
  }
}

test('a provider slower than the order timeout, with a kill -9: timed out, voided, authorized at most once', async () => {
  const system = await build({ PAYMENT_LATENCY_MS: '2000', ORDER_TIMEOUT_S: '1', ORDER_WAIT_MS: '600' });
  if (system === undefined) return;
  const load = new Burst(system.url, purchases('late'), CONNECTIONS);
  await load.reached(ORDERS / 3);
  // Now some authorizations are under way, some orders have timed out, some are being placed.
  await system.end('SIGKILL');
  await system.start();
  await load.done;
  const rows = await ended(system);
  for (const { order_id, status, reason, effects } of rows) {
    assert.is(`${status} ${reason}`, 'failed timed_out', order_id);
    // A void that came first makes the authorization declined; a later void follows the authorization.
    assert.ok(['authorized voided', 'declined voided'].includes(effects), `${order_id}: ${effects}`);
  }
  assert.ok(rows.length >= ORDERS / 3);
  const product = await system.ask('/api/inventory/PAID');
  assert.match(product?.text ?? '', /"on_hand":10000,"held":0,"available":10000/);
  await checkLedger(system, load.entries, { paysLater: true });
});

test('a provider within the order timeout: 202 to an impatient client, then confirmed, and captured once', async () => {
  const system = await build({ PAYMENT_LATENCY_MS: '300', ORDER_WAIT_MS: '100', PAYMENT_SUCCESS_RATE: '0.8' });
  if (system === undefined) return;
  const load = new Burst(system.url, purchases('slow'), CONNECTIONS);
  await load.reached(ORDERS / 2);
  await system.end('SIGKILL');
  await system.start();
  await load.done;
  // On a busy machine some payments are answered before the client's wait has ended.
  const accepted = load.entries.map(lastAnswer).find((answer) => answer?.status === 202);
  assert.match(accepted?.text ?? '', /"status":"pending"/, JSON.stringify(tally(load.entries)));

  const rows = new Map((await ended(system)).map((row) => [row.order_id, row]));
  for (const { order_id, status, reason, payment_status, effects } of rows.values()) {
    const how = `${status} ${reason} ${payment_status}: ${effects}`;
    const right = ['confirmed null paid: authorized captured', 'failed payment_declined declined: declined voided'];
    assert.ok(right.includes(how), `${order_id} is ${how}`);
  }
  const phases = new Set([...rows.values()].map(({ status }) => status));
  assert.equal([...phases].sort(), ['confirmed', 'failed']);
  const first = orderIdIn(accepted?.text ?? '');
  const found = await system.ask(`/api/orders/${first}`);
  assert.match(found?.text ?? '', new RegExp(`"status":"${rows.get(first ?? '')?.status}"`));
  await checkLedger(system, load.entries, { paysLater: true });
});

test('a client that waits longer than the provider takes gets 201', async () => {
  const system = await build({ PAYMENT_LATENCY_MS: '300' });
  if (system === undefined) return;
  const entries = await burst(system.url, purchases('patient'), ORDERS);
  assert.equal(tally(entries), { died: 0, 201: ORDERS });
  for (const { effects } of await ended(system)) assert.is(effects, 'authorized captured');
  await checkLedger(system, entries, { paysLater: true });
});

test('over HTTP, a provider with every kind of fault and a kill -9: each effect happens once', async () => {
  let turn = 0;
  const provider = await startProvider({
    decide: () => 'authorized',
    mood: () => (turn++ % 2 === 0 ? MOODS[(turn >> 1) % MOODS.length] : 'good') ?? 'good',
    key: 'sk-of-the-test',
  });
  providers.push(provider);
  const system = await build({
    PAYMENT_URL: provider.url,
    PAYMENT_KEY: 'sk-of-the-test',
    PAYMENT_TIMEOUT_MS: '500',
    ORDER_TIMEOUT_S: '120',
  });
  if (system === undefined) return;
  const load = new Burst(system.url, purchases('http'), CONNECTIONS);
  await load.reached(ORDERS / 3);
  await system.end('SIGKILL');
  await system.start();
  await load.done;
  const rows = await ended(system);
  for (const { order_id, status, payment_status } of rows)
    assert.is(`${status} ${payment_status}`, 'confirmed paid', order_id);
  const expected = rows.flatMap(({ order_id }) => [`authorizations ${order_id}`, `captures ${order_id}`]);
  assert.equal(provider.effects.map((effect) => effect.split(' ', 2).join(' ')).sort(), expected.sort());
  assert.not.match(system.lastWords(), 'sk-of-the-test');
});

test.run();
