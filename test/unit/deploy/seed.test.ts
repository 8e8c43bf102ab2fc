/** The demo products of a first start: a ready node has them, whatever its owner answers meanwhile. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { StockReply, StockRequest } from '../../../actors/ports/owners.js';
import { unknownProduct } from '../../../actors/product/inventory.js';
import { DemoSeed } from '../../../deploy/seed.js';
import { FakeOwners } from '../edge/fake-owners.js';

const test = suite('demo products');
const IDS = ['PROD-001', 'PROD-002', 'PROD-003', 'PROD-004', 'PROD-005'];
const hasty = {
  after(_ms: number, run: () => void) {
    setImmediate(run);
    return () => {};
  },
};

function shop(interfere?: (request: StockRequest) => Promise<StockReply | undefined>) {
  const owners = new FakeOwners();
  owners.interfereStock = interfere;
  const logged: string[] = [];
  const note = (fields: object, line: string) => void logged.push(`${line} ${JSON.stringify(fields)}`);
  const logger = { debug: note, info: note, warn: note, error: note };
  return { owners, logged, seed: () => new DemoSeed(owners, hasty, logger) };
}

const onHand = (owners: FakeOwners) => [...owners.productStates.values()].map((state) => state.onHand);

test('a write without an answer is repeated; until it succeeds the node is not ready, and counts the missing ones', async () => {
  let asked = 0;
  const { owners, logged, seed } = shop(async ({ product }) => {
    const isMute = product === 'PROD-003' || product === 'PROD-005';
    return isMute && ++asked <= 6 ? { kind: 'unavailable', why: 'late' } : undefined;
  });
  const first = seed();
  assert.match(first.notReady ?? '', /5 of 5 are missing/);
  const done = first.run(new AbortController().signal);
  for (const endsAt = Date.now() + 5_000; asked < 3 && Date.now() < endsAt; ) await new Promise(setImmediate);
  assert.match(first.notReady ?? '', /2 of 5 are missing/);
  await done;
  assert.is(first.notReady, undefined);
  assert.equal([...owners.productStates.keys()].sort(), IDS);
  assert.match(logged.join('\n'), /the demo products are in stock.*"added":5/);
});

test('a start that was killed half-way is completed by the next, and nothing is added twice', async () => {
  const killed = new AbortController();
  const { owners, seed } = shop(async ({ product }) => {
    if (product < 'PROD-003') return undefined;
    killed.abort();
    return { kind: 'unavailable', why: 'killed' };
  });
  const half = seed();
  await half.run(killed.signal);
  assert.is(owners.productStates.size, 2);
  assert.match(half.notReady ?? '', /3 of 5 are missing/);
  owners.interfereStock = undefined;
  const next = seed();
  await next.run(new AbortController().signal);
  assert.is(next.notReady, undefined);
  assert.equal(onHand(owners), [100, 75, 50, 200, 150]);
  await seed().run(new AbortController().signal);
  assert.equal(onHand(owners), [100, 75, 50, 200, 150]);
});

test('a refused product is reported, and the node serves without it', async () => {
  const { owners, logged, seed } = shop();
  owners.stockUp('PROD-002', 1, 'EUR');
  owners.interfereStock = async ({ product }) =>
    product === 'PROD-002' ? { kind: 'refused', refusal: 'currency_fixed', state: unknownProduct(product) } : undefined;
  const one = seed();
  await one.run(new AbortController().signal);
  assert.is(one.notReady, undefined);
  assert.match(logged.join('\n'), /a demo product was refused.*PROD-002.*currency_fixed/);
});

test.run();
