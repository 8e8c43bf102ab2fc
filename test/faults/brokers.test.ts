// Three brokers that replicate, two nodes on them, under a load of orders with keys: the streams' leader is killed, then
// two brokers, then all. Nothing is acknowledged without a majority, and nothing acknowledged is lost or done twice.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connectNats } from '../../bus/nats/nats.js';
import { streamInfo } from '../../bus/nats/streams.js';
import { patientMs, until } from '../deadlines.js';
import { RealCluster } from '../servers/real-cluster.js';
import { realPostgres } from '../servers/real-servers.js';
import { type Attempt, Burst, type Purchase } from './rig/burst.js';
import { checkLedger, settled } from './rig/ledger-check.js';
import { RealSystem } from './rig/real-system.js';

const SERVICE_AGAIN_MS = 10_000;
/** A frozen process keeps its connections, so its silence must tell. */
const FROZEN_MS = 15_000;
const NOT_READY_MS = 5_000;
const ALL_BACK_MS = 30_000;
const PRODUCTS = Array.from({ length: 12 }, (_, i) => `COPIED-${i}`);
const STOCK = 2_000;
const CONNECTIONS = 4;
const PACE_MS = 50;
/** So many orders a node are answered between two faults. */
const BETWEEN = 60;
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

const test = suite('three brokers');
const systems: RealSystem[] = [];
const bursts: Burst[] = [];
const [postgres, cluster] = [await realPostgres(), await RealCluster.start()];
const missing = [postgres, cluster].flatMap((each) => ('skipped' in each ? [each.skipped] : []));
for (const why of missing) console.log(`SKIP three brokers: ${why}`);

test.after(async () => {
  const awake = setInterval(() => {}, 1_000); // A child server does not keep this process alive.
  for (const burst of bursts) await burst.stop();
  for (const system of systems) await system.demolish();
  if (!('skipped' in postgres)) await postgres.stop();
  if (!('skipped' in cluster)) await cluster.stop();
  clearInterval(awake);
});

// ---------------------------------------------------------------- the scene

const brokers = cluster as RealCluster;
type Broker = RealCluster['names'][number];

async function build(name: string): Promise<RealSystem> {
  if ('skipped' in postgres) throw new Error(postgres.skipped);
  const system = await RealSystem.build({
    NODE_NAME: name,
    DATABASE_URL: postgres.nodeUrl,
    MIGRATIONS_DATABASE_URL: postgres.ownerUrl,
    NATS_URL: brokers.url,
    NATS_TRIM_URL: brokers.urlAs('trim'),
    NATS_MONITOR_URL: brokers.monitorUrl,
    NATS_REPLICAS: '3',
    JOURNAL: 'jetstream',
  });
  if ('skipped' in system) throw new Error(system.skipped);
  systems.push(system);
  return system;
}

function* purchases(from: string): Generator<Purchase> {
  for (let i = 0; ; i++) {
    const [first = '', second = ''] = [PRODUCTS[i % PRODUCTS.length], PRODUCTS[(i * 5 + 1) % PRODUCTS.length]];
    const named = i % 3 === 0 && first !== second ? [first, second] : [first];
    yield {
      user: `${from}-${i}`,
      key: `${from}-key-${i}`,
      items: named.map((product_id) => ({ product_id, quantity: 1 })),
    };
  }
}

const lastWords = () =>
  [...systems.map((system) => `${system.env.NODE_NAME}:\n${system.lastWords()}`), brokers.lastWords()].join('\n');

/** The broker that leads the journal's stream, as the brokers say. */
async function leader(): Promise<Broker> {
  const nats = await connectNats(brokers.url, { name: 'fault test', log: quiet });
  try {
    const name = (await streamInfo(nats, 'JOURNAL'))?.cluster?.leader;
    const found = brokers.names.find((each) => each === name);
    if (found === undefined) throw new Error(`the leader of JOURNAL is ${name}`);
    return found;
  } finally {
    await nats.close();
  }
}

const isDecided = ({ answer }: Attempt) => answer !== undefined && answer.status !== 503;

/** Orders go on between two faults. */
async function goOn(): Promise<void> {
  await allReady(200, ALL_BACK_MS);
  const counts = bursts.map((burst) => burst.answered + BETWEEN);
  for (const [i, burst] of bursts.entries()) await burst.reached(counts[i] ?? 0);
}

/** The time until each node has answered an order that was sent after `since`. */
async function servedAfter(since: number, withinMs: number): Promise<number> {
  const first = (burst: Burst) =>
    burst.attempts(since).find((attempt) => attempt.sentAt >= since && isDecided(attempt))?.endedAt;
  assert.ok(await until(() => bursts.every((burst) => first(burst) !== undefined), withinMs), lastWords());
  return Math.round(Math.max(...bursts.map((burst) => first(burst) ?? 0)) - since);
}

async function allReady(status: number, withinMs: number): Promise<number> {
  const since = performance.now();
  const isSo = async (system: RealSystem) => (await system.ask('/readyz'))?.status === status;
  const all = async () => (await Promise.all(systems.map(isSo))).every(Boolean);
  assert.ok(await until(all, withinMs), `not ${status} within ${withinMs} ms\n${lastWords()}`);
  return Math.round(performance.now() - since);
}

// ---------------------------------------------------------------- laws

test('two nodes serve on three brokers; every stream has three copies, none of them compressed', async () => {
  for (const name of ['one', 'two']) await (await build(name)).start();
  await systems[0]?.stock(PRODUCTS, STOCK);
  for (const system of systems) {
    bursts.push(new Burst(system.url, purchases(system.env.NODE_NAME ?? ''), CONNECTIONS, PACE_MS));
  }
  const nats = await connectNats(brokers.url, { name: 'fault test', log: quiet });
  for (const stream of ['JOURNAL', 'EVENTS', 'KV_holdfast_nodes']) {
    const config = (await streamInfo(nats, stream))?.config;
    assert.equal([config?.num_replicas, config?.compression], [3, 'none'], stream);
  }
  await nats.close();
  const health = await systems[0]?.ask('/health');
  assert.match(health?.text ?? '', /3 replicas: survives the loss of 1 of 3 boxes; every broker asked syncs/);
  const url = await systems[0]?.command('url', 'nats');
  assert.equal([url?.code, url?.output.trim()], [0, brokers.url]);
  await goOn();
});

test("the streams' leader is killed: service again within ten seconds", async () => {
  const killed = await leader();
  const since = performance.now();
  await brokers.kill(killed);
  console.log(`  the leader killed: orders are answered again after ${await servedAfter(since, SERVICE_AGAIN_MS)} ms`);
  await goOn();
  brokers.run(killed);
  assert.ok(await brokers.isTogether(ALL_BACK_MS), brokers.lastWords());
});

test('the leader freezes: service again in time; when it goes on, nothing that it held back counts', async () => {
  const frozen = await leader();
  const goOnWith = brokers.freeze(frozen);
  const since = performance.now();
  try {
    console.log(`  the leader frozen: orders are answered again after ${await servedAfter(since, FROZEN_MS)} ms`);
    await goOn();
  } finally {
    goOnWith();
  }
  await goOn();
  assert.ok(await brokers.isTogether(ALL_BACK_MS), brokers.lastWords());
});

test('two brokers are killed: nothing is acknowledged, and the nodes say so; both back: service again', async () => {
  const first = await leader();
  const gone = [first, brokers.names.find((name) => name !== first) as Broker];
  await Promise.all(gone.map((name) => brokers.kill(name)));
  const since = performance.now();
  console.log(`  two killed: /readyz is 503 after ${await allReady(503, NOT_READY_MS)} ms`);
  const refused = () => bursts.map((burst) => burst.attempts(since).filter(({ answer }) => answer?.status === 503));
  assert.ok(await until(() => refused().every(({ length }) => length > CONNECTIONS), 20_000), lastWords());
  const backAt = performance.now();
  for (const name of gone) brokers.run(name);
  const answered = bursts.flatMap((burst) => burst.attempts(since, backAt)).filter(({ sentAt }) => sentAt > since);
  assert.equal(answered.filter(isDecided), [], 'there was no majority');
  console.log(`  both back: orders are answered again after ${await servedAfter(backAt, ALL_BACK_MS)} ms`);
  await goOn();
  assert.ok(await brokers.isTogether(ALL_BACK_MS), brokers.lastWords());
});

test('all brokers are killed at once and come back: service again', async () => {
  await Promise.all(brokers.names.map((name) => brokers.kill(name)));
  await allReady(503, NOT_READY_MS);
  const since = performance.now();
  for (const name of brokers.names) brokers.run(name);
  console.log(`  all killed and back: orders are answered again after ${await servedAfter(since, ALL_BACK_MS)} ms`);
  await goOn();
});

test('nothing acknowledged is lost or done twice, and `holdfast verify` is clean', async () => {
  for (const burst of bursts) await burst.stop();
  for (const system of systems) await settled(system);
  const entries = bursts.flatMap((burst) => burst.entries);
  const counts = await checkLedger(systems[0] as RealSystem, entries);
  console.log(`  ${entries.length} orders: ${JSON.stringify(counts)}`);
  assert.ok((counts[201] ?? 0) > 4 * BETWEEN, JSON.stringify(counts));
  for (const system of systems) assert.is((await system.end('SIGTERM', patientMs(15_000))).code, 0, lastWords());
});

if (missing.length === 0) test.run();
