// The long proof of the feed, by hand: `ORDERS=20000 SEED=1 PACE_MS=80 npm run proof:kafka`. While orders come in, the feed, its node, NATS and
// Kafka are killed in turn at random, the feed sleeps past its transaction, and a feed without a lease runs beside. At the end a
// consumer of committed records must agree with the histories and with order_stats. Exit 0: it does.

import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { patientMs } from '../deadlines.js';
import { Burst } from '../faults/rig/burst.js';
import { KafkaRig } from '../faults/rig/kafka-rig.js';
import type { RealSystem } from '../faults/rig/real-system.js';

const ORDERS = Number(process.env.ORDERS ?? 20_000);
const PRODUCTS = ['K1', 'K2', 'K3', 'K4'];
/** Of each of 16 buyers, between two orders: the longer, the more faults. */
const PACE_MS = Number(process.env.PACE_MS ?? 80);
/** Longer than a transaction may be open. */
const SLEEP_MS = 18_000;
let seed = Number(process.env.SEED ?? Date.now() % 100_000);

const built = await KafkaRig.build({ ROLES: 'edge,actors,feed' });
if ('skipped' in built) {
  console.log(`SKIP ${built.skipped}`);
  process.exit(1);
}
const rig = built;
const { system, kafka } = rig;
console.log(`SEED=${seed} ORDERS=${ORDERS}`);
await system.stock(PRODUCTS, ORDERS / 5);
const purchases = Array.from({ length: ORDERS }, (_, i) => ({
  ...{ user: `u${i % 500}`, key: `proof-${i}` },
  items: [{ product_id: PRODUCTS[i % PRODUCTS.length] ?? '', quantity: 1 + (i % 2) }],
}));
const burst = new Burst(system.url, purchases, 16, PACE_MS);
const counts: Record<string, number> = {};
let isOver = false;
const done = burst.done.then(() => {
  isOver = true;
});
let left: string[] = [];
while (!isOver) {
  await pause(500 + random() * 4_000);
  if (left.length === 0) left = Object.keys(faults()); // Each comes before one comes again.
  const [name = ''] = left.splice(Math.floor(random() * left.length), 1);
  counts[name] = (counts[name] ?? 0) + 1;
  await faults()[name]?.();
}
await done;
const events = await rig.check();
console.log(
  `each of ${events} events once and in order, the facts of each order, and the numbers that these add up to; faults: ${JSON.stringify(counts)}`,
);
await rig.stop();
process.exit(0);

// ---------------------------------------------------------------- machinery

function faults(): Readonly<Record<string, () => Promise<void>>> {
  return {
    feed: async () => signalFeed('SIGKILL'),
    node: async () => {
      await system.end('SIGKILL');
      await system.start();
    },
    nats: async () => system.signalChild('nats', 'SIGKILL'),
    kafka: async () => {
      await kafka.kill();
      await pause(random() * 3_000);
      await kafka.start();
    },
    sleep: async () => {
      signalFeed('SIGSTOP');
      await pause(SLEEP_MS);
      signalFeed('SIGCONT');
    },
    second: async () => {
      const second: RealSystem = await rig.feed();
      await rig.runUnleased(second).catch(() => {}); // NATS or Kafka may just be away.
      await pause(patientMs(2_000));
      await second.end('SIGKILL');
    },
  };
}

/** The node's child that feeds, if there is one now. */
function signalFeed(signal: NodeJS.Signals): void {
  try {
    const children = readFileSync(`/proc/${system.pid}/task/${system.pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .map(Number);
    for (const pid of children) {
      if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('main.js')) continue;
      process.kill(pid, signal);
    }
  } catch {
    // It has just ended.
  }
}

function random(): number {
  seed = (seed * 48_271 + 11) % 2_147_483_647;
  return seed / 2_147_483_647;
}
