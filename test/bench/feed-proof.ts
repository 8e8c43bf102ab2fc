// The long proof of FEED on three brokers, by hand: `ROUNDS=10 SEED=1 npm run proof:feed`. Two nodes take orders with FEED=all. In each
// round brokers are killed or frozen, one or all, as the seed draws them. Then an order that is placed after the fault must reach a durable
// consumer, while one broker is away. At the end the consumer has each event of the histories once, and in the order of its actor.

import { setTimeout as pause } from 'node:timers/promises';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { until } from '../deadlines.js';
import { Burst, orderIdIn, type Purchase } from '../faults/rig/burst.js';
import { Colleague } from '../faults/rig/colleague.js';
import { compareEvents, storedEvents } from '../faults/rig/events-check.js';
import { settled } from '../faults/rig/ledger-check.js';
import { RealSystem } from '../faults/rig/real-system.js';
import { RealCluster } from '../servers/real-cluster.js';
import { realPostgres } from '../servers/real-servers.js';

const ROUNDS = Math.min(100, Number(process.env.ROUNDS ?? 10));
const NODES = ['one', 'two'];
const PRODUCTS = Array.from({ length: 12 }, (_, i) => `FED-${i}`);
/** A slow load: the consumer acknowledges one event after the other, each with two fsyncs. */
const CONNECTIONS = 2;
const PACE_MS = 400;
const FROZEN_MS = 1_000 * Number(process.env.FROZEN_S ?? 20);
const BETWEEN_MS = 3_000;
/** An election of the streams' leader, one of the consumer's, an acknowledgement that is lost, and a minute's rest of a busy filler. */
const SEEN_MS = 90_000;
const TOGETHER_MS = 40_000;
/** The consumer may be behind by some thousand events; so long none may come. */
const SILENT_MS = 60_000;
let seed = Number(process.env.SEED ?? Date.now() % 100_000);

const [postgres, cluster] = [await realPostgres(), await RealCluster.start()];
for (const each of [postgres, cluster]) if ('skipped' in each) leave(`SKIP ${each.skipped}`);
if ('skipped' in postgres || 'skipped' in cluster) throw new Error('skipped');
const systems: RealSystem[] = [];
const bursts: Burst[] = [];
console.log(`SEED=${seed} ROUNDS=${ROUNDS}, nats-server ${cluster.version}`);
for (let i = 0; i < 3; i++) random(); // The first ones of a small seed are small.

try {
  await prove(cluster, postgres.nodeUrl);
} catch (error) {
  console.log(`FAILED: ${error instanceof Error ? error.message : String(error)}`);
  console.log([...systems.map((system) => system.lastWords(25)), cluster.lastWords(25)].join('\n'));
  process.exitCode = 1;
}
for (const burst of bursts) await burst.stop();
for (const system of systems) await system.demolish();
await cluster.stop();
await postgres.stop();
process.exit();

// ---------------------------------------------------------------- the proof

async function prove(brokers: RealCluster, database: string): Promise<void> {
  for (const name of NODES) systems.push(await node(name, brokers));
  for (const system of systems) await system.start();
  await systems[0]?.stock(PRODUCTS, 100_000);
  for (const [i, { url }] of systems.entries()) bursts.push(new Burst(url, purchases(i), CONNECTIONS, PACE_MS));
  const colleague = new Colleague(brokers.urlAs('operator'), { filter: 'feed.>', ackMs: 3_000 });
  await newOrderIsSeen(colleague);
  console.log('the first order has reached the consumer');
  for (let round = 1; round <= ROUNDS; round++) {
    await pause(BETWEEN_MS);
    const fault = drawn(brokers);
    await fault.begin();
    const since = performance.now();
    const back = fault.isAll ? fault.end() : pause(fault.leastMs).then(() => {});
    const seenMs = await newOrderIsSeen(colleague, fault.name);
    await back;
    if (!fault.isAll) await fault.end();
    if (!(await brokers.isTogether(TOGETHER_MS)) || brokers.gone.length > 0)
      throw new Error(`after ${fault.name} not all brokers are well; gone: ${brokers.gone.join(', ') || 'none'}`);
    console.log(
      `round ${round}: ${fault.name}: an order that is placed then is seen after ${seconds(seenMs)}; ` +
        `all brokers are well after ${seconds(performance.now() - since)}; ${colleague.seen.length} events so far`,
    );
  }
  for (const burst of bursts) await burst.stop();
  for (const system of systems) await settled(system);
  const client = connectPostgres(database, { max: 2 });
  try {
    const stored = await storedEvents(client);
    for (let before = -1; colleague.seen.length < stored.size && colleague.seen.length > before; ) {
      before = colleague.seen.length;
      await until(() => colleague.seen.length >= Math.min(stored.size, before + 500), SILENT_MS, 100);
    }
    await colleague.stop();
    compareEvents(stored, colleague.seen, 'FEED');
    console.log(`${stored.size} events, each once and in order`);
  } finally {
    await client.end();
  }
}

/** @returns how long it took until an order that was sent from now on was seen whole. */
async function newOrderIsSeen(colleague: Colleague, during = 'the start'): Promise<number> {
  const since = performance.now();
  const isNew = ({ sentAt, answer }: { sentAt: number; answer?: { status: number } }) =>
    sentAt >= since && answer?.status === 201;
  const seen = (burst: Burst) =>
    burst.entries.some(({ attempts }) => {
      const id = orderIdIn(attempts.find(isNew)?.answer?.text ?? '');
      return id !== undefined && colleague.hasSeen(`order/${id}/1`);
    });
  if (await until(() => bursts.every(seen), SEEN_MS, 50)) return performance.now() - since;
  const orders = bursts.flatMap((burst) => burst.attempts(since).filter(isNew)).length;
  throw new Error(`during ${during} no new order was seen; ${orders} were placed`);
}

// ---------------------------------------------------------------- machinery

async function node(name: string, brokers: RealCluster): Promise<RealSystem> {
  if ('skipped' in postgres) throw new Error(postgres.skipped);
  const system = await RealSystem.build({
    ...{ NODE_NAME: name, ROLES: 'edge,actors,feed', FEED: 'all', JOURNAL: 'jetstream', NATS_REPLICAS: '3' },
    ...{ DATABASE_URL: postgres.nodeUrl, MIGRATIONS_DATABASE_URL: postgres.ownerUrl },
    ...{ NATS_URL: brokers.url, NATS_TRIM_URL: brokers.urlAs('trim'), NATS_MONITOR_URL: brokers.monitorUrl },
  });
  if ('skipped' in system) throw new Error(system.skipped);
  return system;
}

function* purchases(of: number): Generator<Purchase> {
  for (let i = 0; ; i++) {
    const product_id = PRODUCTS[(i * 5 + of) % PRODUCTS.length] ?? '';
    yield { user: `u${of}-${i}`, key: `fed-${of}-${i}`, items: [{ product_id, quantity: 1 }] };
  }
}

interface Fault {
  readonly name: string;
  readonly isAll: boolean;
  readonly leastMs: number;
  begin(): Promise<void>;
  end(): Promise<void>;
}

/** Mostly of one broker; of all in one round of five. */
function drawn(brokers: RealCluster): Fault {
  const isAll = random() < 0.2;
  const one = brokers.names[Math.floor(random() * brokers.names.length)] ?? 'nats-1';
  const names = isAll ? brokers.names : [one];
  const who = isAll ? 'all brokers' : one;
  if (isAll || random() < 0.5) {
    return {
      ...{ name: `${who} killed`, isAll, leastMs: 2_000 + random() * 8_000 },
      begin: async () => void (await Promise.all(names.map((name) => brokers.kill(name)))),
      end: async () => {
        for (const name of names) brokers.run(name);
      },
    };
  }
  let goOn = () => {};
  return {
    ...{ name: `${who} frozen`, isAll, leastMs: FROZEN_MS },
    begin: async () => {
      goOn = brokers.freeze(one);
    },
    end: async () => goOn(),
  };
}

function random(): number {
  seed = (seed * 48_271 + 11) % 2_147_483_647;
  return seed / 2_147_483_647;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function leave(why: string): never {
  console.log(why);
  process.exit(1);
}
