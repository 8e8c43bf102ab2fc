// A burst on a Holdfast with its default settings: it never oversells, a key has one order, nothing deadlocks.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { burst, type Entry, type Purchase } from './rig/burst.js';
import { checkLedger, tally } from './rig/ledger-check.js';
import { RealSystem } from './rig/real-system.js';

const CONNECTIONS = 60;
const test = suite('a burst');
const entries: Entry[] = [];
const built = await RealSystem.build();
if ('skipped' in built) console.log(`SKIP a burst: ${built.skipped}`);
const system = built as RealSystem;

const purchases = (count: number, purchase: (i: number) => Purchase) =>
  Array.from({ length: count }, (_, i) => purchase(i));

test.before(async () => {
  await system.start();
});

test.after(() => system.demolish());

test('of 2,000 orders from 60 connections on 300 units exactly 300 are confirmed', async () => {
  await system.stock(['HOT'], 300);
  const all = purchases(2_000, (i) => ({
    user: `hot-${i}`,
    items: [{ product_id: 'HOT', quantity: 1 }],
    ...(i % 2 === 0 && { key: `hot-${i}` }),
  }));
  const sold = await burst(system.url, all, CONNECTIONS);
  entries.push(...sold);
  assert.equal(tally(sold), { died: 0, 201: 300, 409: 1_700 });
  const product = await system.ask('/api/inventory/HOT');
  assert.match(product?.text ?? '', /"on_hand":0,"held":0,"available":0/);
});

test('50 posts with one key at once make one order and 50 equal replies; another body is refused', async () => {
  await system.stock(['ONCE'], 100);
  const purchase: Purchase = { user: 'once', key: 'one-key', items: [{ product_id: 'ONCE', quantity: 2 }] };
  const same = await burst(
    system.url,
    purchases(50, () => purchase),
    50,
  );
  entries.push(...same);
  assert.equal(tally(same), { died: 0, 201: 50 });
  assert.is(new Set(same.map(({ attempts }) => attempts[0]?.answer?.text)).size, 1);
  const other = await system.post('/api/orders', { user_id: 'once', product_id: 'ONCE', quantity: 3 }, 'one-key');
  assert.is(other.status, 422);
  assert.match((await system.ask('/api/inventory/ONCE'))?.text ?? '', /"on_hand":98,/);
});

test('orders over two products named in both orders are all answered, and the stock adds up', async () => {
  await system.stock(['LEFT', 'RIGHT'], 700);
  const both = (i: number) => {
    const lines = ['LEFT', 'RIGHT'].map((product_id) => ({ product_id, quantity: 1 + (i % 3) }));
    return i % 2 === 0 ? lines : lines.reverse();
  };
  const crossed = await burst(
    system.url,
    purchases(1_000, (i) => ({ user: `crossed-${i}`, key: `crossed-${i}`, items: both(i) })),
    CONNECTIONS,
  );
  entries.push(...crossed);
  const counts = tally(crossed);
  assert.is((counts[201] ?? 0) + (counts[409] ?? 0), 1_000, JSON.stringify(counts));
  assert.ok((counts[409] ?? 0) > 0, 'the stock was to run out');
});

test('the promises hold', async () => {
  await checkLedger(system, entries);
});

test('the promises hold after a stop, and `holdfast verify` agrees', async () => {
  const { code } = await system.end('SIGTERM');
  assert.is(code, 0);
  assert.equal(system.left(), []);
  const verdict = await system.verify();
  assert.is(verdict.code, 0, verdict.output);
});

if (!('skipped' in built)) test.run();
