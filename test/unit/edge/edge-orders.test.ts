/** Orders over real HTTP: every form of a body, every answer, every way to read an order. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { orderId, partitionOf } from '../../../actors/ids.js';
import { absentOrder } from '../../../actors/order/order.js';
import { evolveOrder } from '../../../actors/order/order-fold.js';
import { Unavailable } from '../../../actors/unavailable.js';
import { patientMs } from '../../deadlines.js';
import { type Fixture, type Shown, startFixture } from './edge-fixture.js';

const test = suite<{ f: Fixture }>('the edge: orders');

test.before.each(async (context) => {
  context.f = await startFixture();
  context.f.owners.stockUp('p1', 100);
  context.f.owners.stockUp('p2', 100, 'USD', 500);
  context.f.owners.stockUp('eur', 100, 'EUR');
  context.f.owners.stockUp('7', 100);
});
test.after.each(({ f }) => f.stop());

interface Order {
  readonly currency?: string;
  readonly total_amount?: number;
  readonly order_items: readonly { readonly unit_price?: number; readonly subtotal?: number }[];
}

const times = (text: string, part: string) => text.split(part).length - 1;

test('an order is shown whole, with its id once', async ({ f }) => {
  const body = {
    user_id: 'ann',
    items: [{ product_id: 'p1', quantity: 2 }],
    user_email: 'ann@example.org',
    shipping_address: { street: 'Main "order_id":"x" 1' },
    billing_address: 'Main 2',
    notes: 'say "order_id":"fake"',
    payment_method: 'card',
    currency: 'USD',
  };
  const reply = await f.post('/api/orders', body);
  assert.is(reply.status, 201);
  assert.is(reply.at('status'), 'success');
  assert.is(reply.at('message'), 'Order created successfully');
  assert.is(times(reply.text, '"order_id":"'), 1);
  assert.match(String(reply.at('data.id')), /^ORD-[0-9A-HJKMNP-TV-Z]{26}$/);
  assert.is(reply.at('data.id'), reply.at('data.order_id'));
  assert.is(reply.at('data.total_amount'), 39.98);
  assert.is(reply.at('data.status'), 'confirmed');
  assert.is(reply.at('data.payment_status'), 'paid');
  assert.is(reply.at('data.user_email'), 'ann@example.org');
  assert.equal(reply.at('data.shipping_address'), body.shipping_address);
  assert.is(reply.at('data.notes'), body.notes);
  assert.is(reply.at('data.order_items.0.unit_price'), 19.99);
  assert.is(reply.at('data.order_items.0.subtotal'), 39.98);
  assert.equal(reply.text, JSON.stringify(JSON.parse(reply.text)), 'compact');

  const id = String(reply.at('data.id'));
  for (const path of [`/api/orders/${id}`, `/api/v1/orders/${id}`]) {
    assert.equal((await f.get(path)).at('data'), reply.at('data'));
  }
  assert.equal((await f.get('/api/orders?user_id=ann')).at('data.0'), reply.at('data'));
});

test('three forms of a body; lines of one product are merged', async ({ f }) => {
  const lines = [
    { product_id: 'p1', quantity: 1 },
    { product_id: 'p2', quantity: 2 },
    { product_id: 'p1', quantity: 3 },
  ];
  const merged = [
    ['p1', 4],
    ['p2', 2],
  ];
  for (const body of [
    { user_id: 'u', items: lines },
    { user_id: 'u', order_items: lines },
  ]) {
    const reply = await f.post('/api/v1/orders', body);
    assert.is(reply.status, 201);
    const items = reply.at('data.order_items') as { product_id: string; quantity: number }[];
    assert.equal(
      items.map((i) => [i.product_id, i.quantity]),
      merged,
    );
  }
  assert.is((await f.post('/api/orders?trace=1', { user_id: 'u', product_id: 'p1', quantity: 5 })).status, 400);
  const flat = await f.post('/api/orders?', { user_id: 'u', product_id: 'p1', quantity: 5 });
  assert.is(flat.status, 201);
  assert.is(flat.at('data.order_items.0.quantity'), 5);
});

test('ids may be numbers; the user is shown in the type it was sent in', async ({ f }) => {
  const number = await f.post('/api/orders', { user_id: 42, product_id: 7, quantity: 1 });
  assert.is(number.at('data.user_id'), 42);
  assert.is(number.at('data.order_items.0.product_id'), '7');
  assert.is((await f.get(`/api/orders/${number.at('data.id')}`)).at('data.user_id'), 42);
  const text = await f.post('/api/orders', { user_id: '42', product_id: '7', quantity: 1 });
  assert.is(text.at('data.user_id'), '42');
  assert.is((await f.get('/api/users/42/orders')).at('pagination.total'), 2);
});

test('out of stock: 409 with product, requested and available quantity, the same in a repeat', async ({ f }) => {
  const body = { user_id: 'u', product_id: 'p1', quantity: 101 };
  const first = await f.post('/api/orders', body, { 'idempotency-key': 'k' });
  assert.is(first.status, 409);
  assert.is(first.at('code'), 'out_of_stock');
  assert.match(String(first.at('message')), /p1: 101 asked, 100 available/);
  assert.equal(first.at('details'), [{ product_id: 'p1', asked: 101, available: 100 }]);
  assert.is(times(first.text, '"order_id":"'), 1);
  const again = await f.post('/api/orders', body, { 'idempotency-key': 'k' });
  assert.is(again.status, 409);
  assert.is(again.text, first.text);
  const stored = await f.get(`/api/orders/${first.at('order_id')}`);
  assert.is(stored.at('data.status'), 'failed');
  assert.is(stored.at('data.reason'), 'out_of_stock');
});

test('404 unknown product and 402 declined carry the order', async ({ f }) => {
  const unknown = await f.post('/api/orders', { user_id: 'u', product_id: 'nope', quantity: 1 });
  assert.is(unknown.status, 404);
  assert.is(unknown.at('code'), 'unknown_product');
  assert.match(String(unknown.at('order_id')), /^ORD-/);
  assert.is((await f.get(`/api/orders/${unknown.at('order_id')}`)).at('data.payment_status'), 'not_charged');
  f.owners.payment = 'declined';
  const declined = await f.post('/api/orders', { user_id: 'u', product_id: 'p1', quantity: 1 });
  assert.is(declined.status, 402);
  assert.is(declined.at('code'), 'payment_declined');
  assert.match(String(declined.at('order_id')), /^ORD-/);
});

test('unknown values are absent: amounts and currency of failed and pending orders', async ({ f }) => {
  f.owners.stockUp('euro', 1, 'EUR', 250);
  const shown = async (reply: Shown) => (await f.get(`/api/orders/${reply.at('order_id')}`)).at('data') as Order;
  const short = await shown(await f.post('/api/orders', { user_id: 'u', product_id: 'euro', quantity: 2 }));
  assert.equal([short.currency, short.total_amount], ['EUR', undefined]);
  assert.equal([short.order_items[0]?.unit_price, short.order_items[0]?.subtotal], [2.5, 5]);
  const unknown = await shown(await f.post('/api/orders', { user_id: 'u', product_id: 'nope', quantity: 2 }));
  const said = { user_id: 'u', product_id: 'nope', quantity: 2, currency: 'EUR' };
  assert.is((await shown(await f.post('/api/orders', said))).currency, 'EUR', 'as the client said');
  const [line] = unknown.order_items;
  for (const name of ['currency', 'total_amount']) assert.not(name in unknown, name);
  for (const name of ['unit_price', 'subtotal']) assert.not(name in (line ?? {}), name);

  f.owners.interfere = async ({ order, content, correlation }) => {
    const placed = { type: 'placed', content, correlation } as const;
    return { kind: 'pending', state: evolveOrder(absentOrder(order), placed, 1) };
  };
  const pending = await f.post('/api/orders', { user_id: 'u', product_id: 'p1', quantity: 1 });
  assert.is(pending.status, 202);
  assert.not.match(pending.text, /total_amount|currency|unit_price|subtotal|:0[,}]/);
});

test('202 with a Location when the outcome takes longer, 409 when the order timed out', async ({ f }) => {
  const done = await f.post('/api/orders', { user_id: 'u', product_id: 'p1', quantity: 1 });
  const state = f.owners.orderStates.get(orderId(String(done.at('data.id'))));
  assert.ok(state);
  f.owners.interfere = async () => ({ kind: 'pending', state: { ...state, phase: 'charging', payment: 'pending' } });
  const pending = await f.post('/api/orders', { user_id: 'u', product_id: 'p1', quantity: 1 });
  assert.is(pending.status, 202);
  assert.is(pending.headers.get('location'), `/api/orders/${state.id}`);
  assert.is(pending.at('data.status'), 'pending');
  assert.is(pending.at('status'), 'success');
  assert.is(times(pending.text, '"order_id":"'), 1);
  f.owners.interfere = async () => ({
    kind: 'outcome',
    state: { ...state, phase: 'failed', reason: 'timed_out' },
    repeat: false,
  });
  const late = await f.post('/api/orders', { user_id: 'u', product_id: 'p1', quantity: 1 });
  assert.is(late.status, 409);
  assert.is(late.at('code'), 'timed_out');
});

test("no caller can occupy another caller's key by naming the id it hashes to", async ({ f }) => {
  const body = (user: string) => ({ user_id: user, product_id: 'p1', quantity: 1 });
  const probe = await f.post('/api/orders', body('victim'), { 'idempotency-key': 'k' });
  const hashed = String(probe.at('data.order_id'));
  assert.match(hashed, /^ORD-[4-7]/);
  const other = await f.post('/api/orders', body('mallory'), { 'idempotency-key': hashed.replace(/.$/, 'X') });
  assert.is(other.status, 201);
  assert.is.not(other.at('data.order_id'), hashed.replace(/.$/, 'X'));
  const own = await f.post('/api/orders', body('victim'), { 'idempotency-key': hashed });
  assert.is(own.at('data.order_id'), hashed, "the id of one of the caller's own orders means that order");
});

test('an order without a key lives where its first product does', async ({ f }) => {
  for (const products of [
    ['p1', 'p2'],
    ['p2', 'p1'],
    [7, 'p1'],
  ]) {
    const items = products.map((product_id) => ({ product_id, quantity: 1 }));
    const id = String((await f.post('/api/orders', { user_id: 'u', items })).at('data.id'));
    assert.is(partitionOf('order', id, 16), partitionOf('product', String(products[0]), 16), id);
  }
});

test('errors are problem details for clients that accept them and not plain JSON', async ({ f }) => {
  const reply = await f.post('/api/orders', { user_id: 'u' }, { accept: 'application/problem+json' });
  assert.is(reply.status, 400);
  assert.match(String(reply.headers.get('content-type')), /^application\/problem\+json/);
  assert.is(reply.at('status'), 400);
  assert.is(reply.at('title'), 'Invalid request');
  assert.is(reply.at('code'), 'invalid');
  assert.is(reply.at('errors.0.field'), 'items');
  const both = await f.post('/api/orders', { user_id: 'u' }, { accept: 'application/json, application/problem+json' });
  assert.is(both.at('status'), 'error');
});

test('503 has the order id, which then works as a key that finds the order', async ({ f }) => {
  const body = { user_id: 'u', product_id: 'p1', quantity: 1 };
  for (const interfere of [
    async () => ({ kind: 'unavailable', why: 'secret' }) as const,
    () => Promise.reject(new Unavailable('secret')),
  ]) {
    f.owners.interfere = interfere;
    const lost = await f.post('/api/orders', body);
    assert.is(lost.status, 503);
    assert.is(lost.headers.get('retry-after'), '1');
    assert.not.match(lost.text, 'secret');
    const id = String(lost.at('order_id'));
    assert.match(id, /^ORD-/);
    f.owners.interfere = undefined;
    const again = await f.post('/api/orders', { ...body, idempotency_key: id });
    assert.is(again.status, 201);
    assert.is(again.at('data.id'), id);
    // Another caller's id is an ordinary key.
    const other = await f.post('/api/orders', { ...body, user_id: 'someone else', idempotency_key: id });
    assert.is(other.status, 201);
    assert.is.not(other.at('data.id'), id);
  }
});

test('the look-up of the products counts towards the one deadline', async () => {
  const f = await startFixture({ waitMs: 300 });
  try {
    f.owners.stockUp('p1', 100);
    const body = { user_id: 'u', product_id: 'p1', quantity: 1, currency: 'USD' };
    const product = f.owners.product.bind(f.owners);
    f.owners.product = () => new Promise(() => {});
    const before = performance.now();
    const late = await f.post('/api/orders', body);
    assert.ok(performance.now() - before < patientMs(2_000), 'it waits for its deadline and no longer');
    assert.is(late.status, 503);
    assert.is(late.at('code'), 'unavailable');
    assert.match(String(late.at('order_id')), /^ORD-/);
    assert.is(f.owners.placed, 0);

    let waited = 0;
    f.owners.product = async (id) => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      return product(id);
    };
    f.owners.interfere = async (_, waitMs) => {
      waited = waitMs;
      return undefined;
    };
    const again = await f.post('/api/orders', { ...body, idempotency_key: late.at('order_id') });
    assert.is(again.status, 201);
    assert.is(again.at('data.id'), late.at('order_id'));
    assert.ok(waited > 0 && waited < 250, `${waited} ms are left`);
    await f.post('/api/orders', { user_id: 'u', product_id: 'p1', quantity: 1 });
    assert.is(waited, 300, 'an order with nothing to look at has all of it');
  } finally {
    await f.stop();
  }
});

test("a late order under another caller's id is named by its own id", async ({ f }) => {
  const body = { product_id: 'p1', quantity: 1 };
  const theirs = String((await f.post('/api/orders', { ...body, user_id: 'them' })).at('data.id'));
  const mine = { ...body, user_id: 'me', idempotency_key: theirs };
  for (const [interfere, status] of [
    [() => Promise.reject(new Unavailable('secret')), 503],
    [() => Promise.reject(new TypeError('secret')), 500],
  ] as const) {
    f.owners.interfere = (request) => (request.order === theirs ? Promise.resolve(undefined) : interfere());
    const late = await f.post('/api/orders', mine);
    assert.is(late.status, status);
    assert.match(String(late.at('order_id')), /^ORD-/);
    assert.is.not(late.at('order_id'), theirs);
    f.owners.interfere = undefined;
    assert.is((await f.post('/api/orders', mine)).at('data.id'), late.at('order_id'));
  }
});

test('one key, one order; another body is refused; the header wins; keys are scoped to the user', async ({ f }) => {
  const body = { user_id: 'u', items: [{ product_id: 'p1', quantity: 1 }], idempotency_key: 'in-body' };
  const replies = await Promise.all(
    Array.from({ length: 50 }, () => f.post('/api/orders', body, { 'idempotency-key': 'key' })),
  );
  assert.is(new Set(replies.map((r) => r.text)).size, 1);
  assert.is(replies[0]?.status, 201);
  assert.is(f.owners.orderStates.size, 1);
  const flat = await f.post('/api/orders', { user_id: 'u', product_id: 'p1', quantity: 1, idempotency_key: 'key' });
  assert.is(flat.text, replies[0]?.text, 'another shape of the same order');
  const other = await f.post('/api/orders', { user_id: 'u', product_id: 'p1', quantity: 2, idempotency_key: 'key' });
  assert.is(other.status, 422);
  assert.is(other.at('code'), 'idempotency_mismatch');
  const elsewhere = await f.post('/api/orders', { ...body, user_id: 'v' }, { 'idempotency-key': 'key' });
  assert.is.not(elsewhere.at('data.id'), replies[0]?.at('data.id'));
});

test("a currency other than the products', and a mixture, are 400", async ({ f }) => {
  const wrong = await f.post('/api/orders', { user_id: 'u', product_id: 'p1', quantity: 1, currency: 'EUR' });
  assert.is(wrong.status, 400);
  assert.is(wrong.at('errors.0.field'), 'currency');
  const items = [
    { product_id: 'p1', quantity: 1 },
    { product_id: 'eur', quantity: 1 },
  ];
  const mixed = await f.post('/api/orders', { user_id: 'u', items });
  assert.is(mixed.status, 400);
  assert.is(mixed.at('errors.0.field'), 'items[1].product_id');
  f.owners.stockUp('gold', 1_000_000, 'USD', 100_000_000_000);
  const total = await f.post('/api/orders', { user_id: 'u', product_id: 'gold', quantity: 1_000_000 });
  assert.equal([total.status, total.at('code')], [409, 'total_too_large']);
  assert.is(f.owners.orderStates.size, 0);
});

test('a currency outside ISO 4217 is refused by name; a product that has one keeps it', async ({ f }) => {
  const order = (product: string, currency?: string) =>
    f.post('/api/orders', { user_id: 'u', product_id: product, quantity: 1, ...(currency && { currency }) });
  for (const reply of [await order('p1', 'ERU'), await order('nope', 'ERU'), await order('p1', 'XXX')]) {
    assert.equal([reply.status, reply.at('errors.0.field')], [400, 'currency']);
    assert.match(String(reply.at('message')), /not a currency of ISO 4217/);
  }
  assert.is(f.owners.orderStates.size, 0);
  const product = { product_id: 'new', name: 'New', unit_price: 1.5, currency: 'ERU', stock: 1 };
  const receipt = await f.post('/api/inventory', { products: [product] });
  assert.equal([receipt.status, receipt.at('errors.0.field')], [400, 'products[0].currency']);
  assert.is((await f.get('/api/inventory/new')).status, 404);

  f.owners.stockUp('old', 5, 'ERU');
  const more = { ...product, product_id: 'old' };
  assert.is((await f.post('/api/inventory', { products: [more, { ...more, product_id: 'p1' }] })).status, 400);
  for (const products of [[more], [{ ...more, currency: undefined }]]) {
    assert.is((await f.post('/api/inventory', { products })).status, 201);
  }
  for (const reply of [await order('old'), await order('old', 'ERU')]) {
    assert.equal([reply.status, reply.at('data.currency')], [201, 'ERU']);
  }
  assert.is((await f.get('/api/orders?currency=ERU')).status, 200);
});

test("today's refusal does not answer a repeat", async ({ f }) => {
  const body = { user_id: 'u', product_id: 'later', quantity: 1, currency: 'USD', idempotency_key: 'k' };
  const first = await f.post('/api/orders', body);
  assert.is(first.status, 404);
  f.owners.stockUp('later', 10, 'EUR');
  assert.is((await f.post('/api/orders', body)).text, first.text);
});

test('lists: newest first, pages, filters, and invalid queries', async ({ f }) => {
  for (let i = 0; i < 3; i++) await f.post('/api/orders', { user_id: 'u', product_id: 'p1', quantity: i + 1 });
  await f.post('/api/orders', { user_id: 'v', product_id: 'p1', quantity: 1000 });
  const page = await f.get('/api/orders?user_id=u&page=2&page_size=2');
  assert.equal(page.at('pagination'), { page: 2, page_size: 2, total: 3, total_pages: 2 });
  assert.is(page.at('data.0.order_items.0.quantity'), 1);
  assert.equal((await f.get('/api/orders')).at('pagination'), { page: 1, page_size: 20, total: 4, total_pages: 1 });
  assert.is((await f.get('/api/orders?status=failed')).at('pagination.total'), 1);
  for (const [query, field] of [
    ['page=0', 'page'],
    ['page=x', 'page'],
    ['page=1e9', 'page'],
    ['page_size=101', 'page_size'],
    ['page=1&page=2', 'page'],
    ['status=lost', 'status'],
    ['user_id=', 'user_id'],
    ['user_id=%00', 'user_id'],
  ] as const) {
    const refused = await f.get(`/api/orders?${query}`);
    assert.is(refused.status, 400, query);
    assert.is(refused.at('errors.0.field'), field);
  }
});

test('a history has its events with times; an unknown order is 404', async ({ f }) => {
  const placed = await f.post('/api/orders', { user_id: 'u', product_id: 'p1', quantity: 1 });
  const history = await f.get(`/api/orders/${placed.at('data.id')}/history`);
  const events = history.at('data') as { event: string; time: string; version: number }[];
  assert.equal(
    events.map((e) => e.event),
    ['placed', 'held', 'paid', 'confirmed'],
  );
  assert.ok(events.every((e) => !Number.isNaN(Date.parse(e.time))));
  assert.is(history.at('data.1.data.total_amount'), 19.99);
  for (const path of ['/api/orders/nope', '/api/orders/nope/history']) {
    const missing = await f.get(path);
    assert.is(missing.status, 404);
    assert.is(missing.at('code'), 'not_found');
  }
});

test('broken code is 500 without details, and is logged', async ({ f }) => {
  f.owners.interfere = () => Promise.reject(new TypeError('inner secret'));
  const reply = await f.post('/api/orders', { user_id: 'u', product_id: 'p1', quantity: 1 });
  assert.is(reply.status, 500);
  assert.is(reply.at('code'), 'internal');
  assert.not.match(reply.text, /secret|TypeError|\.js/);
  assert.ok(f.logged.some((line) => line.startsWith('error')));
  f.owners.interfere = async () => ({ kind: 'refused', refusal: 'broken' });
  assert.is((await f.post('/api/orders', { user_id: 'u', product_id: 'p1', quantity: 1 })).status, 500);
});

test.run();
