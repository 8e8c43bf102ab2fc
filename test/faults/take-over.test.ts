// Two nodes on one Postgres without NATS: nobody can tell who lives, so the second waits, names the owner, and takes over
// when the first releases.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../deadlines.js';
import { realPostgres } from '../servers/real-servers.js';
import { burst, orderIdIn } from './rig/burst.js';
import { checkLedger } from './rig/ledger-check.js';
import { RealSystem } from './rig/real-system.js';

const TAKEN_OVER_MS = 8_000;
const test = suite('a second node without NATS');
const systems: RealSystem[] = [];
const postgres = await realPostgres();

test.after(async () => {
  const awake = setInterval(() => {}, 1_000); // A child server does not keep this process alive.
  for (const system of systems) await system.demolish();
  if (!('skipped' in postgres)) await postgres.stop();
  clearInterval(awake);
});

async function build(name: string): Promise<RealSystem> {
  if ('skipped' in postgres) throw new Error(postgres.skipped);
  const withoutNats = { PATH: '/no/nats-server/here' };
  const system = await RealSystem.build({ ...withoutNats, NODE_NAME: name, DATABASE_URL: postgres.url });
  if ('skipped' in system) throw new Error(system.skipped);
  systems.push(system);
  return system;
}

const says = (system: RealSystem, sentence: RegExp): Promise<boolean> =>
  until(async () => sentence.test((await system.ask('/readyz'))?.text ?? ''), 10_000);

test('the second node waits, names the owner and NATS, and takes over on SIGTERM of the first', async () => {
  const first = await build('shop-one');
  await first.start();
  await first.stock(['MOVED'], 50);
  const purchases = Array.from({ length: 100 }, (_, i) => ({
    user: `mover-${i}`,
    key: `mover-${i}`,
    items: [{ product_id: 'MOVED', quantity: 1 }],
  }));
  const entries = await burst(first.url, purchases, 20);

  const second = await build('shop-two');
  second.open();
  assert.ok(await says(second, /waits for node shop-one, which serves now.*NATS_URL/), second.lastWords());
  assert.is((await second.ask('/readyz'))?.status, 503);
  assert.is((await second.ask('/livez'))?.status, 200);
  const early = await second.post('/api/orders', { user_id: 'early', product_id: 'MOVED', quantity: 1 });
  assert.is(early.status, 503);
  assert.match(early.text, /waits for node shop-one.*Nothing was done/);
  assert.is((await first.ask('/readyz'))?.status, 200);

  assert.is((await first.end('SIGTERM')).code, 0);
  await second.ready(TAKEN_OVER_MS);
  const one = entries[0]?.attempts[0]?.answer;
  const found = await second.ask(`/api/orders/${orderIdIn(one?.text ?? '')}`);
  assert.is(found?.status, 200);
  await checkLedger(second, entries, { withoutEvents: true });

  // The first comes back and waits for the second.
  first.open();
  assert.ok(await says(first, /waits for node shop-two/), first.lastWords());
  assert.is((await second.end('SIGTERM')).code, 0);
  await first.ready(TAKEN_OVER_MS);
  await checkLedger(first, entries, { withoutEvents: true });
});

test('a kill -9 of the owner while another node waits: the owner comes back, and the other still waits', async () => {
  const [first, second] = systems;
  assert.ok(first && second);
  second.open();
  assert.ok(await says(second, /waits for node shop-one/), second.lastWords());
  await first.end('SIGKILL');
  await first.start();
  assert.is((await second.ask('/readyz'))?.status, 503);
  assert.is((await second.end('SIGTERM')).code, 0, `one that waits ends as well: ${second.lastWords()}`);
});

if ('skipped' in postgres) console.log(`SKIP a second node without NATS: ${postgres.skipped}`);
else test.run();
