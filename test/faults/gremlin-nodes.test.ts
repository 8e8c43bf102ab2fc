// The gremlin's one switch, seen at two nodes that share the partitions. A change at either edge acts at both nodes, ends
// at both, and survives the stop of one. Each node counts its own faults.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../deadlines.js';
import { type RealNats, type RealPostgres, realNats, realPostgres } from '../servers/real-servers.js';
import { RealSystem } from './rig/real-system.js';

const OBEYED_MS = 10_000;
const TAKEN_OVER_MS = 8_000;
const EVERY = 3;
const SHORT_S = 4;
const ASK = '/api/inventory/SHELF';
const RULE = { target: 'inventory', kind: 'error', every: EVERY } as const;

const test = suite('the gremlin at two nodes');
const systems: RealSystem[] = [];
const stops: (() => Promise<void>)[] = [];
const [postgres, nats] = [await realPostgres(), await realNats()];
if (!('skipped' in postgres)) stops.push(postgres.stop);
if (!('skipped' in nats)) stops.push(nats.stop);
const isThere = !('skipped' in postgres) && !('skipped' in nats);
if (!isThere)
  for (const each of [postgres, nats]) if ('skipped' in each) console.log(`SKIP two nodes: ${each.skipped}`);

async function build(database: RealPostgres, broker: RealNats): Promise<RealSystem> {
  const system = await RealSystem.build({
    DATABASE_URL: database.url,
    NATS_URL: broker.url,
    NATS_MONITOR_URL: broker.monitorUrl,
    JOURNAL: 'jetstream',
  });
  if ('skipped' in system) throw new Error(system.skipped);
  systems.push(system);
  return system;
}

let first: RealSystem;
let second: RealSystem;

test.before(async () => {
  first = await build(postgres as RealPostgres, nats as RealNats);
  second = await build(postgres as RealPostgres, nats as RealNats);
  await first.start();
  await first.stock(['SHELF'], 100);
  await second.start();
});

test.after(async () => {
  const awake = setInterval(() => {}, 1_000); // A child server does not keep this process alive.
  for (const system of systems) await system.demolish();
  for (const stop of stops) await stop();
  clearInterval(awake);
});

// ---------------------------------------------------------------- requests

interface Status {
  readonly enabled: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly seed?: number;
  readonly rules?: readonly object[];
  readonly asked: { readonly inventory?: number };
  readonly hits: { readonly inventory?: { readonly error?: number } };
}

async function switchGremlin(system: RealSystem, word: 'enable' | 'disable', body: object = {}): Promise<Status> {
  const reply = await system.post(`/internal/gremlin/${word}`, body);
  assert.is(reply.status, 200, reply.text);
  return (JSON.parse(reply.text) as { data: Status }).data;
}

async function status(system: RealSystem): Promise<Status> {
  return (JSON.parse((await system.ask('/internal/gremlin/status'))?.text ?? '{}') as { data: Status }).data;
}

const switchOf = ({ since, until, seed, rules }: Status) => ({ since, until, seed, rules });

/** Whether a stock query fails by the gremlin. Another refusal of the query does not count. */
async function isBitten(system: RealSystem): Promise<boolean> {
  const reply = await system.ask(ASK);
  assert.ok(reply, 'there is an answer');
  return reply.status === 503 && reply.text.includes('gremlin');
}

async function bitesOf(system: RealSystem, questions: number): Promise<number> {
  let bites = 0;
  for (let i = 0; i < questions; i++) if (await isBitten(system)) bites++;
  return bites;
}

/** Nobody asks for the status meanwhile: the node has to find out by itself. */
const obeys = async (system: RealSystem) =>
  assert.ok(await until(() => isBitten(system), OBEYED_MS, 20), system.lastWords());

const isLeftAlone = async (system: RealSystem) =>
  assert.ok(await until(async () => (await bitesOf(system, EVERY)) === 0, OBEYED_MS, 20), system.lastWords());

/** The switch as both nodes report it, and each node's own counts. */
async function agree(switched: Status): Promise<void> {
  for (const system of [first, second]) {
    const { enabled, ...shown } = await status(system);
    assert.is(enabled, true);
    assert.equal(switchOf({ enabled, ...shown }), switchOf(switched));
  }
}

// ---------------------------------------------------------------- laws

test('switched on at one node, the gremlin acts at both, and each counts its own faults', async () => {
  const switched = await switchGremlin(second, 'enable', { ...RULE, for_s: 300, seed: 7 });
  await obeys(first);
  await agree(switched);
  const before = await status(first);
  assert.is(await bitesOf(first, 3 * EVERY), 3);
  assert.is(await bitesOf(second, 2 * EVERY), 2);
  const [atFirst, atSecond] = [await status(first), await status(second)];
  assert.is(atFirst.hits.inventory?.error, (before.hits.inventory?.error ?? 0) + 3);
  assert.is(atFirst.asked.inventory, (before.asked.inventory ?? 0) + 3 * EVERY);
  assert.equal([atSecond.asked.inventory, atSecond.hits], [2 * EVERY, { inventory: { error: 2 } }]);
});

test('switched off there, the gremlin is off at both, and both still show their counts', async () => {
  const before = await status(first);
  assert.is((await switchGremlin(second, 'disable')).enabled, false);
  await isLeftAlone(first);
  await isLeftAlone(second);
  const [atFirst, atSecond] = [await status(first), await status(second)];
  assert.equal([atFirst.enabled, atSecond.enabled], [false, false]);
  assert.ok((atFirst.hits.inventory?.error ?? 0) >= (before.hits.inventory?.error ?? 0));
  assert.is(atSecond.hits.inventory?.error, 2);
});

test('switched on and off at the other, both obey', async () => {
  const switched = await switchGremlin(first, 'enable', { ...RULE, for_s: 300 });
  await obeys(second);
  await agree(switched);
  await switchGremlin(first, 'disable');
  await isLeftAlone(second);
  assert.is((await status(second)).enabled, false);
});

test('the gremlin ends at both by itself, and at neither too early', async () => {
  const switched = await switchGremlin(second, 'enable', { ...RULE, every: 1, for_s: SHORT_S });
  const ends = Date.parse(switched.until ?? '');
  assert.is(ends - Date.parse(switched.since ?? ''), SHORT_S * 1_000);
  await Promise.all(
    [first, second].map(async (system) => {
      await obeys(system);
      assert.ok(await until(async () => !(await isBitten(system)), SHORT_S * 1_000 + OBEYED_MS, 20));
      // The database and this test share one clock, which counts milliseconds.
      assert.ok(Date.now() >= ends - 1, 'not before');
      assert.is((await status(system)).enabled, false);
    }),
  );
});

test('after the stop of one the other goes on with the gremlin, and so does the first when it returns', async () => {
  const late = { target: 'bus', kind: 'latency', every: 4, delay_ms: 50 };
  const switched = await switchGremlin(first, 'enable', { rules: [RULE, late], for_s: 300, seed: 9 });
  await obeys(second);
  assert.is((await first.end('SIGTERM')).code, 0, first.lastWords());
  await second.ready(TAKEN_OVER_MS);
  [first, second] = [second, first];
  assert.equal(switchOf(await status(first)), switchOf(switched));
  const before = (await status(first)).hits.inventory?.error ?? 0;
  assert.is(await bitesOf(first, 2 * EVERY), 2);
  assert.is((await status(first)).hits.inventory?.error, before + 2);
  const placed = await first.post('/api/orders', { user_id: 'ada', product_id: 'SHELF', quantity: 1 }, 'one');
  assert.is(placed.status < 300, true, placed.text);

  await second.start();
  await obeys(second);
  await agree(switched);
  await switchGremlin(second, 'disable');
  await isLeftAlone(first);
  const again = await first.post('/api/orders', { user_id: 'ada', product_id: 'SHELF', quantity: 1 }, 'one');
  assert.is(again.status, 201, again.text);
  assert.match((await first.ask(ASK))?.text ?? '', /"on_hand":99,"held":0/);
  const verdict = await first.verify();
  assert.is(verdict.code, 0, verdict.output);
});

if (isThere) test.run();
else for (const stop of stops) await stop();
