// The gremlin at every target, with every kind of fault, in a burst of orders. No answer is revoked, a key has one
// order, stock is received once, and after the gremlin every order reaches its outcome.

import { setTimeout as pause } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { GREMLIN_TARGETS, type GremlinTarget } from '../../actors/ports/gremlin-setting.js';
import { until } from '../deadlines.js';
import { Burst, type Entry, lastAnswer, orderIdIn, type Purchase } from './rig/burst.js';
import { checkLedger, settled, tally } from './rig/ledger-check.js';
import { RealSystem } from './rig/real-system.js';

const ORDERS = 100;
const CONNECTIONS = 15;
const RECEIPTS = 15;
const LOOK_MS = 30;
const KILL_FOR_S = 3;
const PRODUCTS = Array.from({ length: 5 }, (_, i) => `GREMLIN-${i}`);
/** Short, so that clients stop waiting before their orders end. */
const WAIT_MS = 1_000;

const test = suite('the gremlin');
const entries: Entry[] = [];
let received = 0;
const built = await RealSystem.build({ ORDER_WAIT_MS: String(WAIT_MS) });
if ('skipped' in built) console.log(`SKIP the gremlin: ${built.skipped}`);
const system = built as RealSystem;

test.before(async () => {
  await system.start();
  await system.stock(PRODUCTS, 3_000);
  await system.stock(['RECEIVED'], 0);
});

test.after(() => system.demolish());

// ---------------------------------------------------------------- the load

/** Every second order has no key; every third one has two products. */
function* purchases(name: string, count = ORDERS): Generator<Purchase> {
  for (let i = 0; i < count; i++) {
    const [first = '', second = ''] = [PRODUCTS[i % PRODUCTS.length], PRODUCTS[(i + 2) % PRODUCTS.length]];
    const items = (i % 3 === 0 ? [first, second] : [first]).map((product_id) => ({ product_id, quantity: 1 }));
    const user = `${name}-${i}`;
    yield i % 2 === 0 ? { user, items, key: user } : { user, items };
  }
}

/** Receives one unit at a time, each repeated under its key until it is acknowledged. */
async function receive(name: string): Promise<void> {
  const products = [{ product_id: 'RECEIVED', name: 'RECEIVED', unit_price: 1, currency: 'USD', stock: 1 }];
  for (let i = 0; i < RECEIPTS; i++) {
    const isThere = async () => (await system.post('/api/inventory', { products }, `${name}-${i}`)).status === 201;
    assert.ok(await until(isThere, 20_000, LOOK_MS), `receipt ${name}-${i} was not taken`);
    received++;
  }
}

/** Reads lists, histories and stock all the time; a late or lost answer does not matter. */
async function look(isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const paths = [
      '/api/orders',
      `/api/users/${entries[0]?.purchase.user}/orders`,
      '/api/inventory',
      '/api/inventory/RECEIVED',
    ];
    await Promise.all(paths.map((path) => system.ask(path)));
    await pause(LOOK_MS);
  }
}

async function load(name: string): Promise<readonly Entry[]> {
  const burst = new Burst(system.url, purchases(name), CONNECTIONS);
  let isOver = false;
  const looking = look(() => isOver);
  await Promise.all([burst.done, receive(name)]);
  isOver = true;
  await looking;
  entries.push(...burst.entries);
  return burst.entries;
}

async function switchGremlin(word: 'enable' | 'disable', body: object = {}): Promise<void> {
  const reply = await system.post(`/internal/gremlin/${word}`, body);
  assert.is(reply.status, 200, reply.text);
}

interface Status {
  readonly enabled: boolean;
  readonly hits: Readonly<Partial<Record<GremlinTarget, Readonly<Record<string, number>>>>>;
}

async function status(): Promise<Status> {
  const reply = await system.ask('/internal/gremlin/status');
  return (JSON.parse(reply?.text ?? '{}') as { data: Status }).data;
}

const rulesFor = (target: GremlinTarget) => [
  { target, kind: 'latency', every: 5, delay_ms: 200, jitter_ms: 300 },
  { target, kind: 'error', probability: 0.1 },
  { target, kind: 'drop', probability: 0.1 },
  { target, kind: 'duplicate', every: 4 },
  { target, kind: 'reorder', every: 6, delay_ms: 100, jitter_ms: 100 },
];

// ---------------------------------------------------------------- laws

for (const target of GREMLIN_TARGETS) {
  test(`${target}: late, failing, lost, doubled, out of order`, async () => {
    await switchGremlin('enable', { rules: rulesFor(target), seed: 42, for_s: 60 });
    const done = await load(target);
    const { enabled, hits } = await status();
    assert.is(enabled, true);
    for (const kind of ['latency', 'error', 'drop', 'duplicate', 'reorder']) {
      assert.ok((hits[target]?.[kind] ?? 0) > 0, `${kind}: ${JSON.stringify(hits)}`);
    }
    assert.equal(Object.keys(hits), [target]);
    await switchGremlin('disable');
    await settled(system);
    const counts = tally(done);
    assert.is(counts.died, 0);
    assert.ok((counts[201] ?? 0) > 0, JSON.stringify(counts));
  });
}

test('by default every third Hold alone is 5 s late: it gets 202, later orders pass it, and it is confirmed', async () => {
  await switchGremlin('enable');
  const answers: { readonly status: number; readonly text: string }[] = [];
  for (let i = 0; i < 4; i++) {
    answers.push(await system.post('/api/orders', { user_id: `third-${i}`, product_id: PRODUCTS[0], quantity: 1 }));
  }
  assert.equal(
    answers.map(({ status }) => status),
    [201, 201, 202, 201],
  );
  assert.equal((await status()).hits, { inventory: { latency: 1 } });
  const late = `/api/orders/${orderIdIn(answers[2]?.text ?? '')}`;
  assert.match((await system.ask(late))?.text ?? '', '"status":"pending"');
  const isConfirmed = async () => (await system.ask(late))?.text.includes('"status":"confirmed"') === true;
  assert.ok(await until(isConfirmed, 20_000, 100));
  await switchGremlin('disable');
  await settled(system);
});

test('a refund whose request is doubled, or whose answer is lost, moves money once', async () => {
  const placed = await system.post('/api/orders', { user_id: 'refunded', product_id: PRODUCTS[1], quantity: 3 });
  const refunds = `/api/orders/${orderIdIn(placed.text)}/refunds`;
  await switchGremlin('enable', { target: 'order', kind: 'duplicate', every: 1 });
  assert.is((await system.post(refunds, { amount: 1 })).status < 300, true);
  await switchGremlin('enable', { target: 'order', kind: 'drop', every: 1 });
  assert.is((await system.post(refunds, { amount: 2 }, 'refund-two')).status, 503);
  await switchGremlin('disable');
  assert.is((await system.post(refunds, { amount: 2 }, 'refund-two')).status < 300, true);
  await settled(system);
  const history = (await system.ask(`/api/orders/${orderIdIn(placed.text)}/history`))?.text ?? '';
  assert.is(history.match(/"refund_requested"/g)?.length, 2, history);
});

test('a provider slower than ORDER_WAIT_MS: 202 with a Location, and confirmed later', async () => {
  await switchGremlin('enable', { target: 'payment', every: 1, delay_ms: 2 * WAIT_MS });
  const burst = new Burst(system.url, purchases('patience', 20), CONNECTIONS);
  await burst.done;
  entries.push(...burst.entries);
  assert.equal(tally(burst.entries), { died: 0, 202: 20 });
  const id = orderIdIn(lastAnswer(burst.entries[0] as Entry)?.text ?? '');
  const isConfirmed = async () =>
    (await system.ask(`/api/orders/${id}`))?.text.includes('"status":"confirmed"') === true;
  assert.ok(await until(isConfirmed, 20_000, 100));
  await switchGremlin('disable');
  await settled(system);
});

for (const target of GREMLIN_TARGETS) {
  test(`${target}: the gremlin kills the node, the node starts again, and the gremlin ends by itself`, async () => {
    await switchGremlin('enable', { target, kind: 'kill', every: 15, for_s: KILL_FOR_S });
    // A busy node puts many messages into one: the load goes on until the gremlin has counted enough of them.
    let isKilled = false;
    const untilKilled = function* () {
      for (const purchase of purchases(`killed-${target}`, 1_000)) if (!isKilled) yield purchase;
    };
    const burst = new Burst(system.url, untilKilled(), CONNECTIONS);
    const looking = new AbortController();
    const looks = look(() => looking.signal.aborted);
    const { signal } = await system.over();
    isKilled = true;
    assert.is(signal, 'SIGKILL', system.lastWords());
    // If the node is back soon enough, the gremlin kills it once more, perhaps before it is ready.
    const isBack = () =>
      system.start().then(
        () => until(async () => (await status())?.enabled === false, KILL_FOR_S * 1_000, 50),
        () => false,
      );
    assert.ok(await until(isBack, 60_000, 50), system.lastWords());
    await burst.done;
    looking.abort();
    await looks;
    entries.push(...burst.entries);
  });
}

test('the promises hold', async () => {
  const counts = await checkLedger(system, entries, { paysLater: true });
  assert.ok((counts[201] ?? 0) > 0 && (counts[202] ?? 0) > 0, JSON.stringify(counts));
  const product = await system.ask('/api/inventory/RECEIVED');
  assert.match(product?.text ?? '', new RegExp(`"on_hand":${received},"held":0`));
});

if (!('skipped' in built)) test.run();
