// Processes with one role each: an edge that owns nothing reaches the owners on another process, which has no public port.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../deadlines.js';
import { realNats, realPostgres } from '../servers/real-servers.js';
import { burst, orderIdIn } from './rig/burst.js';
import { checkLedger } from './rig/ledger-check.js';
import { RealSystem } from './rig/real-system.js';

const READY_MS = 30_000;
const AWAY_MS = 10_000;
const test = suite('roles');
const systems: RealSystem[] = [];
const stops: (() => Promise<void>)[] = [];
const [postgres, nats] = [await realPostgres(), await realNats()];
for (const server of [postgres, nats]) if (!('skipped' in server)) stops.push(server.stop);

test.after(async () => {
  const awake = setInterval(() => {}, 1_000); // A child server does not keep this process alive.
  for (const system of systems) await system.demolish();
  for (const stop of stops) await stop();
  clearInterval(awake);
});

async function build(roles: string): Promise<RealSystem> {
  if ('skipped' in postgres || 'skipped' in nats) throw new Error('there are no servers');
  const shared = { DATABASE_URL: postgres.url, NATS_URL: nats.url, NATS_MONITOR_URL: nats.monitorUrl };
  const system = await RealSystem.build({ ...shared, JOURNAL: 'jetstream', NODE_NAME: roles, ROLES: roles });
  if ('skipped' in system) throw new Error(system.skipped);
  systems.push(system);
  return system;
}

test('an edge serves what the actors of another process own', async () => {
  const [actors, edge] = [await build('actors'), await build('edge')];
  edge.open();
  const isReady = (system: RealSystem, port: number) => async () => (await system.ask('/readyz', port))?.status === 200;
  const answer = async () => (await edge.ask('/readyz'))?.text ?? '';
  assert.ok(await until(async () => /no node owns partition 0/.test(await answer()), READY_MS), edge.lastWords());

  actors.open();
  assert.ok(await until(isReady(actors, actors.inventoryPort), READY_MS), actors.lastWords());
  assert.is(await actors.ask('/livez'), undefined, 'the actors have no public port');
  await edge.ready(READY_MS);
  assert.match(actors.output, /owns partitions, and takes orders from the edges/);

  await edge.stock(['FAR'], 50);
  const entries = await burst(
    edge.url,
    Array.from({ length: 60 }, (_, i) => ({
      user: `far-${i}`,
      ...(i % 2 === 0 && { key: `far-${i}` }),
      items: [{ product_id: 'FAR', quantity: 1 }],
    })),
    10,
  );
  // An edge has no metrics of what its owners still have to flush.
  const isStored = async () => /"FAR"[^}]*"on_hand":0,"held":0/.test((await edge.ask('/api/inventory'))?.text ?? '');
  assert.ok(await until(isStored, READY_MS), actors.lastWords());
  await checkLedger(edge, entries);
  await edge.stock(['BACK'], 1);
  const placed = await edge.post('/api/orders', { user_id: 'back', product_id: 'BACK', quantity: 1 });
  assert.is(placed.status, 201, placed.text);
  const id = orderIdIn(placed.text);
  const cancelled = await edge.post(`/api/orders/${id}/cancel`, {});
  assert.is(cancelled.status, 200, cancelled.text);
  const placement = await edge.ask('/internal/placement');
  assert.match(placement?.text ?? '', /"name":"actors","epoch":1,"since":"[^"]+","state":"running"/);

  await actors.end('SIGKILL');
  actors.open();
  const isBack = async () => /"status":"cancelled"/.test((await edge.ask(`/api/orders/${id}`))?.text ?? '');
  assert.ok(await until(isBack, READY_MS), edge.lastWords());
  const { code, output } = await edge.verify();
  assert.is(code, 0, output);

  assert.is((await actors.end('SIGTERM')).code, 0);
  assert.ok(await until(async () => (await edge.ask('/readyz'))?.status === 503, AWAY_MS));
  assert.is((await edge.end('SIGTERM')).code, 0);
});

if ('skipped' in postgres || 'skipped' in nats) console.log('SKIP roles: there are no servers');
else test.run();
