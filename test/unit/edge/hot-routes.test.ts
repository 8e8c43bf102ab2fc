/** A hot route follows its row in the table of operations, like any other route. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { type Operation, operation } from '../../../http/api/operation.js';
import { operations } from '../../../http/api/operations/all.js';
import { success } from '../../../http/api/reply.js';
import { Credentials } from '../auth/credentials.js';
import { startFixture } from './edge-fixture.js';

const test = suite('hot routes');

/** The table with one row changed. */
const changed = (id: string, change: (row: Operation) => Operation): Operation[] =>
  operations.map((row) => (row.id === id ? change(row) : row));

const good = { user_id: 'u', product_id: 'p1', quantity: 1 };

test('placing an order is hot, and no hot operation has a parameter in its path', () => {
  const hot = operations.filter((row) => row.hot);
  assert.equal(
    hot.map(({ id }) => id),
    ['placeOrder'],
  );
  assert.not(hot.some(({ path }) => path.includes(':')));
});

test('the scope comes from the row', async () => {
  const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const admin = 'an admin key of more than 32 characters'.replaceAll(' ', '-');
  const credentials = await Credentials.start(quiet, admin);
  const { auth } = credentials;
  const key = await credentials.key(['orders:write']);
  const placed = async (table: readonly Operation[], bearer: string) => {
    const f = await startFixture({ auth, operations: table });
    f.owners.stockUp('p1', 10);
    const reply = await f.post('/api/orders', good, { authorization: `Bearer ${bearer}` });
    await f.stop();
    return [reply.status, f.owners.placed];
  };
  assert.equal(await placed(operations, key), [201, 1]);
  const forAdmins = changed('placeOrder', (row) => ({ ...row, scope: 'admin' }));
  assert.equal(await placed(forAdmins, key), [403, 0]);
  assert.equal(await placed(forAdmins, admin), [201, 1]);
  await credentials.stop();
});

test('path, method, schema and handler come from the row', async () => {
  const wish = operation({
    method: 'PUT',
    path: '/api/wishes',
    id: 'placeOrder',
    hot: true,
    tag: 'Orders',
    scope: 'none',
    ports: 'main',
    summary: 'Wish',
    body: z.strictObject({ wish: z.string('must be text') }),
    success: {},
    handle: async (_, { body }) => success(200, JSON.stringify(body.wish)),
  });
  const f = await startFixture({ operations: changed('placeOrder', () => wish) });
  const put = async (path: string, body: object) => {
    const headers = { 'content-type': 'application/json' };
    const reply = await fetch(f.base + path, { method: 'PUT', headers, body: JSON.stringify(body) });
    return [reply.status, await reply.text()] as const;
  };
  for (const path of ['/api/wishes', '/api/v1/wishes']) {
    assert.equal(await put(path, { wish: 'w' }), [200, '{"status":"success","data":"w"}'], path);
    assert.is((await put(path, { wish: 1 }))[0], 400, path);
    assert.is((await put(path, good))[0], 400, path);
  }
  assert.is((await put('/api/wishes?x=1', { wish: 'w' }))[0], 400);
  assert.is((await f.post('/api/orders', good)).status, 405, 'only the list is left there');
  assert.is(f.owners.placed, 0);
  await f.stop();
});

test.run();
