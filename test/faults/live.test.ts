// Live events on two nodes: a listener that comes again fifty times, at either of them, while one is killed and starts
// again, and EVENTS is deleted and filled again, is told every event once.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connectNats } from '../../bus/nats/nats.js';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { until } from '../deadlines.js';
import { burst } from './rig/burst.js';
import { Cluster } from './rig/cluster.js';
import { EventClient } from './rig/event-client.js';
import { storedEvents } from './rig/events-check.js';
import { checkLedger } from './rig/ledger-check.js';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const CONNECTIONS = 50;
const ORDERS = 800;
const LONGEST_MS = 250;
/** Orders at one node, listed at the other. */
const FRESH = 12;
const COMPLETE_MS = 20_000;
const PRODUCTS = ['live-1', 'live-2', 'live-3'];

interface Listed {
  readonly data: readonly { readonly user_id: string }[];
  readonly pagination: { readonly fresh: boolean };
}

const cluster = await Cluster.build();
const test = suite('live events on two nodes');
test.after(async () => {
  if (!('skipped' in cluster)) await cluster.demolish();
});

test('a listener that comes again fifty times misses nothing and is told nothing twice', async () => {
  if ('skipped' in cluster) return;
  await cluster.start('one', 'two');
  const [one, two] = cluster.nodes;
  assert.ok(one && two);
  await one.stock(PRODUCTS, 100_000);
  const postgres = connectPostgres(cluster.postgres.url, { max: 2 });
  const nats = await connectNats(await cluster.nats.as('operator'), { name: 'live test', log: quiet });
  try {
    const counted = async () => (await storedEvents(postgres)).size >= PRODUCTS.length;
    assert.ok(await until(counted, COMPLETE_MS, 50));
    const before = await storedEvents(postgres);
    const client = new EventClient();
    await client.listen(`${two.url}/api/events`, 50);
    assert.is.not(client.lastId, '', 'the first connection got no place');

    const purchases = Array.from({ length: ORDERS }, (_, i) => ({
      user: `listener-${i}`,
      key: `listener-${i}`,
      items: [{ product_id: PRODUCTS[i % PRODUCTS.length] ?? '', quantity: 1 }],
    }));
    let isBought = false;
    const bought = burst(cluster.edges, purchases, 8).then((entries) => {
      isBought = true;
      return entries;
    });
    for (let round = 1; round < CONNECTIONS || !isBought; round++) {
      if (round === 15) await cluster.end(two, 'SIGKILL');
      if (round === 30) await cluster.begin(two);
      if (round === 40) await nats.api('STREAM.DELETE.EVENTS');
      const edge = cluster.edges[round % cluster.edges.length] ?? one.url;
      await client.listen(`${edge}/api/events`, 20 + Math.random() * LONGEST_MS);
    }
    const entries = await bought;
    const isComplete = async () => {
      await client.listen(`${two.url}/api/events`, LONGEST_MS);
      return isBought && client.told.length === (await storedEvents(postgres)).size - before.size;
    };
    await until(isComplete, COMPLETE_MS);
    const wanted = [...(await storedEvents(postgres)).keys()].filter((id) => !before.has(id));
    const told = new Set(client.told);
    assert.is(client.told.length, told.size, 'an event came twice');
    assert.equal(wanted.filter((id) => !told.has(id)).slice(0, 5), [], `${wanted.length - told.size} are missing`);
    assert.is(told.size, wanted.length, 'an event came that is not stored');
    assert.equal(unordered(client.told), []);
    assert.ok(client.connections > CONNECTIONS, `${client.connections} connections`);
    assert.equal(
      client.controls.filter(({ event }) => event === 'gap'),
      [],
    );
    await checkLedger(one, entries, { others: [two] });
  } finally {
    await nats.close();
    await postgres.end();
  }
});

test('a fresh list at one node shows what the other one has just answered', async () => {
  if ('skipped' in cluster) return;
  const [one, two] = cluster.nodes;
  assert.ok(one && two);
  for (let i = 0; i < FRESH; i++) {
    const [here, there] = i % 2 === 0 ? [one, two] : [two, one];
    const user = `fresh-${i}`;
    const order = await here.post('/api/orders', { user_id: user, product_id: PRODUCTS[i % 3], quantity: 1 });
    assert.is(order.status, 201, order.text);
    let users: readonly string[] = [];
    const isFresh = async () => {
      const listed = await there.ask(`/api/orders?user_id=${user}&fresh=true`);
      const { data, pagination } = JSON.parse(listed?.text ?? '{}') as Listed;
      users = data.map(({ user_id }) => user_id);
      return pagination.fresh; // On a busy machine a flush may take longer than the wait, and the reply says so.
    };
    assert.ok(await until(isFresh, COMPLETE_MS), 'no list is fresh');
    assert.equal(users, [user]);
  }
});

test('a node that stops sends its listeners on at once, and the other one goes on', async () => {
  if ('skipped' in cluster) return;
  const [one, two] = cluster.nodes;
  assert.ok(one && two);
  const client = new EventClient();
  const since = performance.now();
  const listening = client.listen(`${two.url}/api/events`, 60_000);
  assert.ok(await until(() => client.lastId !== '', COMPLETE_MS));
  const ended = cluster.end(two, 'SIGTERM');
  await listening;
  assert.equal(
    client.controls.map(({ data }) => JSON.parse(data ?? '{}').code),
    ['stopping'],
  );
  assert.ok(performance.now() - since < 50_000);
  const order = await one.post('/api/orders', { user_id: 'ada', product_id: PRODUCTS[0], quantity: 1 });
  assert.is(order.status, 201);
  await ended;
  const isTold = async () => {
    await client.listen(`${one.url}/api/events`, 500);
    return client.told.some((id) => id.startsWith('order/'));
  };
  assert.ok(await until(isTold, COMPLETE_MS));
});

/** Events of an actor that came before an earlier one of it. */
function unordered(told: readonly string[]): string[] {
  const last = new Map<string, number>();
  return told.filter((id) => {
    const [, actor = '', version = ''] = /^(.*)\/(\d+)$/.exec(id) ?? [];
    const isLate = Number(version) <= (last.get(actor) ?? 0);
    last.set(actor, Number(version));
    return isLate;
  });
}

if ('skipped' in cluster) console.log(`SKIP live events on two nodes: ${cluster.skipped}`);
else test.run();
