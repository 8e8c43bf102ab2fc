// Many orders on one Holdfast: memory and journal stay bounded, and the very first key still gives its answer.
// SOAK_ORDERS sends more than the default 20,000, such as 200000.

import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connectNats } from '../../bus/nats/nats.js';
import { streamInfo } from '../../bus/nats/streams.js';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { brokerUrl, databaseUrl } from './rig/addresses.js';
import { Burst, bodyOf, type Purchase } from './rig/burst.js';
import { checkVerify, settled, tally } from './rig/ledger-check.js';
import { RealSystem } from './rig/real-system.js';

const ORDERS = Number(process.env.SOAK_ORDERS ?? 20_000);
const CONNECTIONS = 60;
const SAMPLES = 10;
const LEAST_MS = 180_000;
/** Orders in memory: those under way, and those of the last flushes. */
const IN_MEMORY = 10_000;
/** limits.keepPublishedBytes, plus the bytes between two trims and each message's overhead. */
const JOURNAL_BYTES = 3 * 33_554_432;
const RSS_BYTES = 400 * 1_048_576;
/** Growth from the half to the end; most of it is garbage that the heap has not collected yet. */
const RSS_GROWTH_BYTES = 120 * 1_048_576;
const PRODUCTS = 1_000;

const test = suite('a soak');
const systems: RealSystem[] = [];
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

test.after(async () => {
  for (const system of systems) await system.demolish();
});

function purchase(i: number): Purchase {
  const user = `soak-${i}`;
  const items = [{ product_id: `SOAK-${i % PRODUCTS}`, quantity: 1 }];
  return i % 4 === 0 ? { user, items, key: user } : { user, items };
}

function* purchases(count: number): Generator<Purchase> {
  for (let i = 0; i < count; i++) yield purchase(i);
}

/** VmRSS of a process, from Linux; 0 on other systems. */
function rssBytes(pid: number): number {
  try {
    return 1_024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

async function journalBytes(system: RealSystem, journal: string): Promise<number> {
  if (journal === 'jetstream') {
    const nats = await connectNats(await brokerUrl(system), { name: 'fault test', log: quiet });
    try {
      return (await streamInfo(nats, 'JOURNAL'))?.state.bytes ?? 0;
    } finally {
      await nats.close();
    }
  }
  const client = connectPostgres(await databaseUrl(system), { max: 1 });
  try {
    const text = 'select coalesce(sum(octet_length(record)), 0)::bigint as bytes from log_records';
    const [row] = await client.query<{ bytes: number }>('measure the journal', text, [], 30_000);
    return row?.bytes ?? 0;
  } finally {
    await client.end();
  }
}

for (const [journal, orders] of [
  ['jetstream', ORDERS],
  // A default start does not have this journal: fewer orders, unless SOAK_ORDERS asks for more.
  ['postgres', process.env.SOAK_ORDERS === undefined ? ORDERS / 4 : ORDERS],
] as const) {
  test(`${orders} orders, journal in ${journal}`, async () => {
    const system = await RealSystem.build({ JOURNAL: journal });
    if ('skipped' in system) return console.log(`SKIP a soak: ${system.skipped}`);
    systems.push(system);
    await system.start();
    await system.stock(
      Array.from({ length: PRODUCTS }, (_, i) => `SOAK-${i}`),
      1_000_000,
    );
    const { key, ...first } = purchase(0);
    const answer = await system.post('/api/orders', bodyOf(first), key);
    assert.is(answer.status, 201);

    const burst = new Burst(system.url, purchases(orders), CONNECTIONS);
    const rss: number[] = [];
    const beside = burst.reached(orders / 4, LEAST_MS).then(() => checkVerify(system));
    for (let sample = 1; sample <= SAMPLES; sample++) {
      await burst.reached((orders * sample) / SAMPLES, LEAST_MS + orders);
      rss.push(rssBytes(system.pid));
      const inMemory = await system.metric('holdfast_orders_in_memory');
      assert.ok(inMemory <= IN_MEMORY, `${inMemory} orders in memory`);
      const bytes = await journalBytes(system, journal);
      assert.ok(bytes < JOURNAL_BYTES, `${bytes} bytes of journal`);
    }
    await burst.done;
    await beside; // The reader ran while the orders came.
    assert.equal(tally(burst.entries), { died: 0, 201: orders });
    await settled(system);
    assert.ok(Math.max(...rss) < RSS_BYTES, `resident: ${rss}`);
    const [half = 0, last = 0] = [rss[SAMPLES / 2 - 1], rss.at(-1)];
    assert.ok(last - half < RSS_GROWTH_BYTES, `resident, and growing: ${rss}`);
    const again = await system.post('/api/orders', bodyOf(first), key);
    assert.equal(again, answer);
    await checkVerify(system);
    const megabytes = (bytes: number) => Math.round(bytes / 1_048_576);
    console.log(
      `${journal}: resident ${rss.map(megabytes).join(' ')} MB, journal ${megabytes(await journalBytes(system, journal))} MB`,
    );
    await system.demolish();
  });
}

test.run();
