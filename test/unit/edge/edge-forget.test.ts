/** Forgetting a user over HTTP: by parts, for admins alone, and what a repeat of the placing gets then. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { operations } from '../../../http/api/operations/all.js';
import { Credentials } from '../auth/credentials.js';
import { replyFault } from './documented.js';
import { type Fixture, type Shown, startFixture } from './edge-fixture.js';

const ADMIN_KEY = 'b1946ac92492d2347c6235b4d2611184';
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const SENTINEL = 'ada-of-the-sentinel';
const PATH = '/api/users/ada/forget';

const test = suite<{ f: Fixture }>('forgetting at the edge');

test.before.each(async (context) => {
  context.f = await startFixture();
  context.f.owners.stockUp('p', 1_000);
});
test.after.each(({ f }) => f.stop());

const order = (quantity: number, more: object = {}) => ({
  ...{ user_id: 'ada', product_id: 'p', quantity, user_email: `${SENTINEL}@example.org` },
  ...{ notes: SENTINEL, shipping_address: { name: SENTINEL }, billing_address: SENTINEL },
  ...more,
});

const documented = (reply: Shown) => {
  const operation = operations.find(({ id }) => id === 'forgetUser');
  if (operation === undefined) throw new Error('there is no operation forgetUser');
  const contentType = reply.headers.get('content-type') ?? '';
  assert.is(replyFault(operation, { status: reply.status, contentType, text: reply.text }), undefined, reply.text);
};

test('what is done is erased, what waits for its shipment is named, and a repeat changes nothing', async ({ f }) => {
  const confirmed = await f.post('/api/orders', order(1));
  const key = { 'Idempotency-Key': 'too-many' };
  await f.post('/api/orders', order(5_000), key);
  await f.post('/api/orders', { ...order(1), user_id: 'bob' });
  const first = await f.post(PATH, {});
  documented(first);
  assert.equal(
    [first.status, first.at('data')],
    [
      200,
      {
        ...{ user_id: 'ada', orders: 2, forgotten: 1 },
        ...{ under_way: [confirmed.at('data.id')], next_cursor: null },
      },
    ],
  );
  assert.is((await f.get('/api/users/ada/orders?status=failed')).text.includes(SENTINEL), false);
  const id = String(confirmed.at('data.id'));
  assert.ok((await f.get(`/api/orders/${id}`)).text.includes(SENTINEL), 'it may need its address');

  const repeated = await f.post('/api/orders', order(5_000), key);
  assert.equal([repeated.status, repeated.at('code')], [409, 'out_of_stock'], 'the same order');
  const other = await f.post('/api/orders', order(6_000), key);
  assert.is(other.at('code'), 'idempotency_mismatch');

  const rest = await f.post(PATH, { unshipped: true });
  assert.equal([rest.at('data.forgotten'), rest.at('data.under_way')], [1, []]);
  assert.not.ok((await f.get(`/api/orders/${id}`)).text.includes(SENTINEL));
  assert.is((await f.post(PATH, { unshipped: true })).at('data.forgotten'), 0, 'nothing is left');
  assert.ok((await f.get('/api/users/bob/orders')).text.includes(SENTINEL), "others' data stays");
  const shown = await f.get(`/api/orders/${id}/history`);
  assert.is(shown.at('data.4.event'), 'forgotten');
});

test('many orders go by parts, and a cursor belongs to its user', async ({ f }) => {
  for (let i = 0; i < 230; i++) await f.post('/api/orders', order(5_000 + i));
  const seen: number[] = [];
  let cursor: unknown;
  do {
    const reply = await f.post(PATH, cursor === undefined ? {} : { cursor });
    documented(reply);
    seen.push(Number(reply.at('data.forgotten')));
    cursor = reply.at('data.next_cursor');
    if (cursor !== null) assert.is((await f.post('/api/users/bob/forget', { cursor })).status, 400);
  } while (cursor !== null);
  assert.equal(seen, [100, 100, 30]);
  assert.not.ok((await f.get('/api/orders/export?user_id=ada')).text.includes(SENTINEL));
});

test('for admins alone, and never for a customer', async () => {
  const credentials = await Credentials.start(quiet, ADMIN_KEY);
  const guarded = await startFixture({ auth: credentials.auth });
  try {
    const status = async (key?: string) =>
      (await guarded.post(PATH, {}, key === undefined ? {} : { authorization: `Bearer ${key}` })).status;
    assert.is(await status(), 401);
    assert.is(await status(await credentials.key(['orders:read', 'orders:write'])), 403);
    assert.is(await status(ADMIN_KEY), 200);
  } finally {
    await guarded.stop();
    await credentials.stop();
  }
});

test.run();
