/** Which database answers a list: the replica while it is nearly up to date, the primary for all else. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { orderId, productId } from '../../../actors/ids.js';
import type { Queries } from '../../../actors/ports/queries.js';
import { ListSources } from '../../../bus/reads/list-sources.js';

const NOW = 1_000_000;
const page = { page: 1, pageSize: 1 };
const product = productId('P');

interface World {
  asked: string[];
  lagMs: number | undefined;
  sources: ListSources;
}

const test = suite<World>('list sources');
test.before.each((world) => {
  world.asked = [];
  world.lagMs = 5;
  const noting = (where: string): Queries =>
    new Proxy({} as Queries, {
      get: (_, method) => async () => void world.asked.push(`${where} ${String(method)}`),
      ownKeys: () => ['order', 'history', 'ledger', 'stockAt', 'hasWrite', 'mayHaveLineNames'],
      getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
    });
  const status = () => ({ isUsed: true, lagMs: 5 });
  const replica = { queries: noting('replica'), usableLagMs: () => world.lagMs, maxLagMs: 1_000, status };
  world.sources = new ListSources(noting('primary'), replica, { now: () => NOW });
});

async function lists({ queries }: ListSources): Promise<void> {
  await queries.orders({}, page);
  await queries.ordersAfter({}, undefined, 1);
  await queries.countOrders({});
  await queries.products(page);
  await queries.productsAfter(undefined, 1);
  await queries.countProducts();
  await queries.operations(undefined, page);
  await queries.stats({ by: 'total' }, 1);
  await queries.userSummary('u');
  await queries.alsoBought(product, 1);
}

test('lists and numbers come from the replica, and from the primary while it is left alone', async (world) => {
  await lists(world.sources);
  assert.is(world.asked.length, 10);
  assert.ok(
    world.asked.every((call) => call.startsWith('replica ')),
    world.asked.join(),
  );
  world.asked = [];
  world.lagMs = undefined;
  await lists(world.sources);
  assert.is(world.asked.length, 10);
  assert.ok(
    world.asked.every((call) => call.startsWith('primary ')),
    world.asked.join(),
  );
});

test('what is read by id and what decides comes from the primary', async ({ sources: { queries }, asked }) => {
  await queries.order(orderId('O'));
  await queries.history(orderId('O'));
  await queries.ledger(product, undefined, 1);
  await queries.stockAt(product, 1);
  await queries.hasWrite([]);
  await queries.mayHaveLineNames();
  await queries.operations(product, page);
  assert.is(asked.length, 7);
  assert.ok(
    asked.every((call) => call.startsWith('primary ')),
    asked.join(),
  );
});

test('a fresh list comes from the primary; another one has the lag of the replica', (world) => {
  assert.is(world.sources.choose({ isFresh: true }).lagMs, 0);
  assert.is(world.sources.choose({ isFresh: false }).lagMs, 5);
  world.lagMs = undefined;
  assert.is(world.sources.choose({ isFresh: false }).lagMs, 0);
});

test('a list goes on behind a young order on the primary, whose neighbours the replica may lack', async (world) => {
  const behind = (at: number) => world.sources.queries.ordersAfter({}, { at, id: orderId('O') }, 1);
  await behind(NOW - 2_000);
  await behind(NOW - 60_000);
  assert.equal(world.asked, ['primary ordersAfter', 'replica ordersAfter']);
});

test.run();
