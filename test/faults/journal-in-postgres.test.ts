// Several nodes whose journal is in Postgres. With NATS for heartbeats and letters they share the partitions; without it one
// serves, and a second one stands by and says why.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../deadlines.js';
import { realNats, realPostgres } from '../servers/real-servers.js';
import { Burst, type Purchase } from './rig/burst.js';
import { checkLedger, settled } from './rig/ledger-check.js';
import { type Environment, RealSystem } from './rig/real-system.js';

const PARTITIONS = 16;
const HEALED_MS = 5_000;
const SHARED_MS = 30_000;
const PRODUCTS = Array.from({ length: 8 }, (_, i) => `ROWS-${i}`);

const test = suite('several nodes, journal in Postgres');
const systems: RealSystem[] = [];
const stops: (() => Promise<void>)[] = [];
const [shared, alone, nats] = [await realPostgres(), await realPostgres(), await realNats()];
for (const server of [shared, alone, nats]) if (!('skipped' in server)) stops.push(server.stop);
const isThere = !('skipped' in shared) && !('skipped' in alone) && !('skipped' in nats);
if (!isThere)
  for (const each of [shared, nats]) if ('skipped' in each) console.log(`SKIP journal in Postgres: ${each.skipped}`);

async function build(name: string, more: Environment): Promise<RealSystem> {
  const system = await RealSystem.build({ NODE_NAME: name, PARTITIONS: String(PARTITIONS), ...more });
  if ('skipped' in system) throw new Error(system.skipped);
  systems.push(system);
  return system;
}

test.after(async () => {
  const awake = setInterval(() => {}, 1_000); // A child server does not keep this process alive.
  for (const system of systems) await system.demolish();
  for (const stop of stops) await stop();
  clearInterval(awake);
});

const lastWords = () => systems.map((system) => `${system.env.NODE_NAME}:\n${system.lastWords(8)}`).join('\n');

/** How many partitions run at the node of this name, as `at` tells. */
async function shareOf(name: string, at: RealSystem): Promise<number> {
  type Place = { readonly name?: string; readonly state: string };
  const { data } = JSON.parse((await at.ask('/internal/placement'))?.text ?? '{"data":[]}') as { data: Place[] };
  return data.filter((place) => place.name === name && place.state === 'running').length;
}

function* purchases(from: string): Generator<Purchase> {
  for (let i = 0; ; i++) {
    const named = i % 3 === 0 ? [i, i + 3] : [i];
    const items = named.map((at) => ({ product_id: PRODUCTS[at % PRODUCTS.length] ?? '', quantity: 1 }));
    yield { user: `${from}-${i}`, key: `${from}-key-${i}`, items };
  }
}

test('two nodes share the partitions under load; one is killed, and the other goes on with everything', async () => {
  if ('skipped' in shared || 'skipped' in nats) return;
  const stores = { DATABASE_URL: shared.url, NATS_URL: nats.url, JOURNAL: 'postgres' };
  const [one, two] = [await build('one', stores), await build('two', stores)];
  await one.start();
  await two.start();
  assert.ok(await until(async () => (await shareOf('two', one)) === PARTITIONS / 2, SHARED_MS), lastWords());
  await one.stock(PRODUCTS, 2_000);
  const bursts = [one, two].map(({ url, env }) => new Burst(url, purchases(env.NODE_NAME ?? ''), 4, 20));
  for (const burst of bursts) await burst.reached(100);
  await two.end('SIGKILL');
  const since = performance.now();
  await bursts[1]?.stop();
  assert.ok(await until(async () => (await shareOf('one', one)) === PARTITIONS, HEALED_MS), lastWords());
  console.log(`  a killed node's partitions run again after ${Math.round(performance.now() - since)} ms`);
  await bursts[0]?.reached((bursts[0]?.answered ?? 0) + 100);
  await bursts[0]?.stop();
  await settled(one);
  const counts = await checkLedger(
    one,
    bursts.flatMap(({ entries }) => entries),
  );
  assert.ok((counts[201] ?? 0) >= 250, JSON.stringify(counts));
  assert.is((await one.end('SIGTERM')).code, 0, lastWords());
});

test('without NATS a second node owns nothing, says that it takes NATS_URL, and stands by', async () => {
  if ('skipped' in alone) return;
  // FETCH_SERVERS=never and a PATH without nats-server: there is no NATS.
  const stores = { DATABASE_URL: alone.url, PATH: '/nowhere' };
  const [first, second] = [await build('first', stores), await build('second', stores)];
  await first.start();
  await first.stock(['ALONE'], 5);
  second.open();
  const why = async () => (await second.ask('/readyz'))?.text ?? '';
  assert.ok(await until(async () => /waits for node first.*NATS_URL/.test(await why()), 20_000), await why());
  assert.is((await second.ask('/readyz'))?.status, 503);
  const refused = await second.post('/api/orders', { user_id: 'early', product_id: 'ALONE', quantity: 1 });
  assert.is(refused.status, 503);
  assert.match(refused.text, /NATS_URL/);
  const placed = await first.post('/api/orders', { user_id: 'ada', product_id: 'ALONE', quantity: 1 });
  assert.is(placed.status, 201);
  assert.is((await first.end('SIGTERM')).code, 0);
  await second.ready(10_000);
  assert.match((await second.ask('/api/inventory/ALONE'))?.text ?? '', /"on_hand":4,/);
});

if (isThere) test.run();
else for (const stop of stops) await stop();
