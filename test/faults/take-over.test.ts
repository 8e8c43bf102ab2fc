// Two nodes on the same stores: the second waits, names the owner, and takes over when the first releases.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { until } from '../deadlines.js';
import { type RealNats, type RealPostgres, realNats, realPostgres } from '../servers/real-servers.js';
import { burst, orderIdIn } from './rig/burst.js';
import { checkLedger } from './rig/ledger-check.js';
import { RealSystem } from './rig/real-system.js';

const TAKEN_OVER_MS = 8_000;
const test = suite('a second node');
const systems: RealSystem[] = [];
const stops: (() => Promise<void>)[] = [];
let postgres: RealPostgres | undefined;
let nats: RealNats | undefined;

test.before(async () => {
  const [database, broker] = [await realPostgres(), await realNats()];
  if (!('skipped' in database)) stops.push(database.stop);
  if (!('skipped' in broker)) stops.push(broker.stop);
  if ('skipped' in database || 'skipped' in broker) {
    console.log(
      `SKIP two nodes: ${'skipped' in database ? database.skipped : ''} ${'skipped' in broker ? broker.skipped : ''}`,
    );
    return;
  }
  postgres = database;
  nats = broker;
});

test.after(async () => {
  const awake = setInterval(() => {}, 1_000); // A child server does not keep this process alive.
  for (const system of systems) await system.demolish();
  for (const stop of stops) await stop();
  clearInterval(awake);
});

async function build(database: string, broker: RealNats, journal: string, name: string): Promise<RealSystem> {
  const system = await RealSystem.build({
    NODE_NAME: name,
    DATABASE_URL: database,
    NATS_URL: broker.url,
    NATS_MONITOR_URL: broker.monitorUrl,
    JOURNAL: journal,
  });
  if ('skipped' in system) throw new Error(system.skipped);
  systems.push(system);
  return system;
}

test('the second node waits, names the owner, and takes over on SIGTERM of the first', async () => {
  if (postgres === undefined || nats === undefined) return;
  const client = connectPostgres(postgres.url, { max: 1 });
  await client.query('make a database', 'create database taken_over', [], 20_000);
  await client.end();
  const database = postgres.url.replace(/\/[^/]*$/, '/taken_over');
  const first = await build(database, nats, 'jetstream', 'shop-one');
  await first.start();
  await first.stock(['MOVED'], 50);
  const entries = await burst(
    first.url,
    Array.from({ length: 100 }, (_, i) => ({
      user: `mover-${i}`,
      key: `mover-${i}`,
      items: [{ product_id: 'MOVED', quantity: 1 }],
    })),
    20,
  );

  const second = await build(database, nats, 'jetstream', 'shop-two');
  second.open();
  const owner = /"owner":"([0-9a-f]{32})"/;
  assert.ok(await until(() => owner.test(second.output), 10_000), second.lastWords());
  const waiting = await second.ask('/readyz');
  assert.is(waiting?.status, 503);
  assert.match(waiting?.text ?? '', /This node waits for node shop-one, which serves now/);
  assert.is((await second.ask('/livez'))?.status, 200);
  const reply = await second.post('/api/orders', { user_id: 'early', product_id: 'MOVED', quantity: 1 });
  assert.is(reply.status, 503);
  assert.match(reply.text, /This node waits for node shop-one, which serves now.*Nothing was done/);
  const cause = /"status":503.*"cause":"This node waits for node shop-one/;
  assert.ok(await until(() => cause.test(second.output), 5_000), second.lastWords());
  assert.is((await first.ask('/readyz'))?.status, 200);

  const ended = await first.end('SIGTERM');
  assert.is(ended.code, 0);
  await second.ready(TAKEN_OVER_MS);
  const one = entries[0]?.attempts[0]?.answer;
  const found = await second.ask(`/api/orders/${orderIdIn(one?.text ?? '')}`);
  assert.is(found?.status, 200);
  await checkLedger(second, entries);

  // The first comes back and waits for the second.
  first.open();
  assert.ok(await until(async () => /waits for node shop-two/.test((await first.ask('/readyz'))?.text ?? ''), 10_000));
  assert.is((await second.end('SIGTERM')).code, 0);
  await first.ready(TAKEN_OVER_MS);
  await checkLedger(first, entries);
});

test('a kill -9 of the owner while another node waits: the owner comes back, and the other still waits', async () => {
  if (postgres === undefined || nats === undefined) return;
  const [first, second] = systems;
  assert.ok(first && second);
  second.open();
  assert.ok(await until(async () => /waits for node shop-one/.test((await second.ask('/readyz'))?.text ?? ''), 10_000));
  await first.end('SIGKILL');
  await first.start();
  assert.is((await second.ask('/readyz'))?.status, 503);
  assert.is((await second.end('SIGTERM')).code, 0, 'one that waits ends as well');
});

test.run();
