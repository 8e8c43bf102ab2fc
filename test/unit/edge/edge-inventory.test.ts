/** Stock, health and metrics over real HTTP, on both ports; and how the edge stops. */
import { request } from 'node:http';
import { connect } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { productId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import { unknownProduct } from '../../../actors/product/inventory.js';
import { Unavailable } from '../../../actors/unavailable.js';
import { memoryReceiptKeys } from '../../../storage/memory/memory-stores.js';
import { patientMs } from '../../deadlines.js';
import { type Fixture, startFixture } from './edge-fixture.js';

const test = suite<{ f: Fixture }>('the edge: inventory and health');

test.before.each(async (context) => {
  context.f = await startFixture();
});
test.after.each(({ f }) => f.stop());

const product = { product_id: 'p1', name: 'Pen', unit_price: 1.5, currency: 'USD', stock: 10 };

test('products are created, updated and added to; a repeat adds nothing', async ({ f }) => {
  const made = await f.post('/api/inventory', { products: [product, { ...product, product_id: 2, stock: 0 }] });
  assert.is(made.status, 201);
  assert.equal(Object.keys(made.at('data.0') as object), [
    ...['product_id', 'name', 'unit_price', 'currency', 'on_hand', 'held', 'available'],
    ...['backordered', 'allow_backorder', 'updated_at'],
  ]);
  assert.is(made.at('data.1.product_id'), '2');
  const body = { products: [{ ...product, name: 'Better pen', unit_price: 2, stock: 5 }] };
  for (const attempt of [1, 2]) {
    const more = await f.post('/api/v1/inventory', body, { 'idempotency-key': 'k' });
    assert.is(more.at('data.0.on_hand'), 15, `attempt ${attempt}`);
    assert.is(more.at('data.0.name'), 'Better pen');
  }
  const other = await f.post('/api/inventory', { products: [{ ...product, stock: 6 }] }, { 'idempotency-key': 'k' });
  assert.is(other.status, 422);
  const third = { ...product, product_id: 'p3' };
  const others = await f.post('/api/inventory', { products: [third] }, { 'idempotency-key': 'k' });
  assert.is(others.status, 422);
  assert.is((await f.get('/api/inventory/p3')).status, 404);
  const shown = await f.get('/api/inventory/p1');
  assert.is(shown.at('data.available'), 15);
  assert.is(shown.at('data.unit_price'), 2);
  assert.is((await f.get('/api/inventory?page_size=1')).at('pagination.total'), 2);
  assert.is((await f.get('/api/inventory/nope')).status, 404);
});

test('of two receipts under one key at edges whose owners know nothing of each other, one is received', async () => {
  const receiptKeys = memoryReceiptKeys();
  const [one, two] = await Promise.all([startFixture({ receiptKeys }), startFixture({ receiptKeys })]);
  const under = { 'idempotency-key': 'k' };
  const replies = await Promise.all([
    one.post('/api/inventory', { products: [product] }, under),
    two.post('/api/inventory', { products: [{ ...product, product_id: 'p2' }] }, under),
  ]);
  assert.equal(replies.map(({ status }) => status).sort(), [201, 422]);
  const found = await Promise.all([one.get('/api/inventory/p1'), two.get('/api/inventory/p2')]);
  assert.equal(found.map(({ status }) => status).sort(), [200, 404]);
  const down = { take: () => Promise.reject(new Unavailable('read', false)) };
  const away = await startFixture({ receiptKeys: down });
  const no = await away.post('/api/inventory', { products: [product] }, under);
  assert.equal([no.status, no.at('code'), no.at('idempotency_key')], [503, 'unavailable', 'k']);
  assert.match(String(no.at('message')), /^Postgres does not answer.*Nothing was done/);
  assert.is((await away.get('/api/inventory/p1')).status, 404);
  assert.is((await away.post('/api/inventory', { products: [product] })).status, 201); // Nobody can repeat it.
  await Promise.all([one, two, away].map(({ stop }) => stop()));
});

test('a receipt is checked as a whole before any of it is applied', async ({ f }) => {
  f.owners.stockUp('eur', 1, 'EUR');
  f.owners.stockUp('full', 1e12);
  const fine = { ...product, product_id: 'fine' };
  for (const [bad, status, field] of [
    [{ ...product, product_id: 'fine' }, 400, 'products[1].product_id'],
    [{ ...product, unit_price: 1.555 }, 400, 'products[1].unit_price'],
    [{ ...product, currency: 'JPY' }, 400, 'products[1].unit_price'],
    [{ ...product, unit_price: -1 }, 400, 'products[1].unit_price'],
    [{ ...product, unit_price: 1e9 + 1 }, 400, 'products[1].unit_price'],
    [{ ...product, stock: 1e12 + 1 }, 400, 'products[1].stock'],
    [{ ...product, stock: -1 }, 400, 'products[1].stock'],
    [{ ...product, name: ' ' }, 400, 'products[1].name'],
    [{ ...product, currency: 'usd' }, 400, 'products[1].currency'],
    [{ ...product, color: 'red' }, 400, 'products[1].color'],
    [{ ...product, product_id: 'eur' }, 409, 'products[1].currency'],
    [{ ...product, product_id: 'full' }, 409, 'products[1].stock'],
  ] as const) {
    const reply = await f.post('/api/inventory', { products: [fine, bad] });
    assert.is(reply.status, status, reply.text);
    assert.is(reply.at('errors.0.field'), field);
    assert.is((await f.get('/api/inventory/fine')).status, 404, 'nothing is applied');
  }
  const many = Array.from({ length: 1_001 }, (_, i) => ({ ...product, product_id: i }));
  assert.is((await f.post('/api/inventory', { products: many })).status, 400);
  assert.is((await f.post('/api/inventory', { products: many.slice(1) })).status, 201);
});

test('a large receipt is received a part at a time', async ({ f }) => {
  let now = 0;
  let most = 0;
  f.owners.interfereStock = async () => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setImmediate(resolve));
    now--;
    return undefined;
  };
  const products = Array.from({ length: 1_000 }, (_, i) => ({ ...product, product_id: i }));
  const reply = await f.post('/api/inventory', { products });
  assert.is(reply.status, 201);
  assert.is((reply.at('data') as unknown[]).length, 1_000);
  assert.is(reply.at('data.999.product_id'), '999');
  assert.is(most, limits.receiveAtOnce);
});

test('a receipt cut short names the finished products, and the key that completes it', async ({ f }) => {
  const products = Array.from({ length: 120 }, (_, i) => ({ ...product, product_id: i }));
  for (const [given, headers] of [
    [undefined, {}],
    ['mine', { 'idempotency-key': 'mine' }],
  ] as const) {
    let asked = 0;
    f.owners.interfereStock = async () => (++asked === 70 ? { kind: 'unavailable', why: 'secret' } : undefined);
    const before = (await f.get('/api/inventory/0')).status === 200 ? 10 : 0;
    const cut = await f.post('/api/inventory', { products }, headers);
    assert.is(cut.status, 503);
    assert.ok(cut.headers.get('retry-after'));
    assert.not.match(cut.text, 'secret');
    const done = cut.at('done') as string[];
    assert.ok(done.length >= 69 && done.length < 120, `${done.length} are done`);
    assert.ok(asked < 120, 'nothing more is begun');
    for (const { product_id } of products) {
      const onHand = f.owners.productStates.get(productId(String(product_id)))?.onHand ?? 0;
      assert.is(onHand, before + (done.includes(String(product_id)) ? 10 : 0), `product ${product_id}`);
    }
    const key = String(cut.at('idempotency_key'));
    if (given !== undefined) assert.is(key, given);
    f.owners.interfereStock = undefined;
    const other = await f.post('/api/inventory', { products: products.slice(1) }, { 'idempotency-key': key });
    assert.is(other.status, 422, 'another request under its key');
    for (const attempt of [1, 2]) {
      const whole = await f.post('/api/inventory', { products, idempotency_key: key });
      assert.is(whole.status, 201, `attempt ${attempt}`);
      const shown = whole.at('data') as { on_hand: number }[];
      assert.is(shown.length, 120);
      assert.ok(shown.every((p) => p.on_hand === before + 10));
    }
  }
});

test('a late receipt of one product, or a late adjustment, has a key for its repeat', async ({ f }) => {
  f.owners.stockUp('p1', 10);
  for (const [path, body] of [
    ['/api/inventory', { products: [{ ...product, name: 'Pen', stock: 5 }] }],
    ['/api/inventory/p1/adjust', { delta: 5, reason: 'count' }],
  ] as const) {
    const before = Number((await f.get('/api/inventory/p1')).at('data.on_hand'));
    // The write happens; only its answer is lost.
    f.owners.interfereStock = async (request) => {
      f.owners.interfereStock = undefined;
      await f.owners.stock(request);
      return { kind: 'unavailable', why: '' };
    };
    const late = await f.post(path, body);
    assert.is(late.status, 503);
    const again = await f.post(path, body, { 'idempotency-key': String(late.at('idempotency_key')) });
    assert.ok(again.status < 300, again.text);
    assert.is((await f.get('/api/inventory/p1')).at('data.on_hand'), before + 5);
  }
});

test('a refusal midway names the finished products before it', async ({ f }) => {
  f.owners.interfereStock = async ({ product: id }) =>
    id === 'p2' ? { kind: 'refused', refusal: 'currency_fixed', state: unknownProduct(productId('p2')) } : undefined;
  const reply = await f.post('/api/inventory', { products: [product, { ...product, product_id: 'p2' }] });
  assert.is(reply.status, 409);
  assert.is(reply.at('code'), 'currency_fixed');
  assert.equal(reply.at('done'), ['p1']);
});

test('adjust: down to the held stock and no further, once for each key', async ({ f }) => {
  f.owners.stockUp('p1', 10);
  const adjust = (delta: unknown, headers = {}) =>
    f.post('/api/inventory/p1/adjust', { delta, reason: 'count' }, headers);
  for (let i = 0; i < 2; i++) {
    const reply = await adjust(-4, { 'idempotency-key': 'a' });
    assert.is(reply.status, 200);
    assert.is(reply.at('data.on_hand'), 6);
  }
  const below = await adjust(-7);
  assert.is(below.status, 409);
  assert.is(below.at('code'), 'below_held');
  assert.is((await adjust(0)).status, 400);
  assert.is((await adjust('1')).status, 400);
  assert.is((await f.post('/api/inventory/nope/adjust', { delta: 1, reason: 'x' })).status, 404);
  assert.is((await f.post('/api/inventory/p1/adjust', { delta: 1 })).at('errors.0.field'), 'reason');
});

test('check names the products that suffice; an unknown one does not', async ({ f }) => {
  f.owners.stockUp('p1', 10);
  const items = [
    { product_id: 'p1', quantity: 10 },
    { product_id: 'nope', quantity: 1 },
  ];
  const reply = await f.post('/api/inventory/check', { items });
  assert.equal(reply.at('data'), {
    available: false,
    items: [
      { product_id: 'p1', requested: 10, available: 10, sufficient: true },
      { product_id: 'nope', requested: 1, available: 0, sufficient: false },
    ],
  });
  const both = await f.post('/api/inventory/check', { items: [items[0], items[0]] });
  assert.is(both.at('data.available'), false, 'two lines of one product are one wish');
});

test('check says what an order would get, with backorders and waiting orders', async ({ f }) => {
  const receive = (stock: number, more: object = {}) => ({
    ...{ product_id: 'b', name: 'B', unit_price: 1 },
    stock,
    ...more,
  });
  await f.post('/api/inventory', { products: [receive(4, { allow_backorder: true, backorder_limit: 5 })] });
  const check = async (quantity: number) => {
    const asked = await f.post('/api/inventory/check', { items: [{ product_id: 'b', quantity }] });
    const [{ product_id: _, requested: __, ...told }] = asked.at('data.items') as [Record<string, unknown>];
    assert.is(asked.at('data.available'), told.sufficient);
    return told;
  };
  const order = async (quantity: number) =>
    (await f.post('/api/orders', { user_id: 'u', product_id: 'b', quantity })).status;
  assert.equal(await check(4), { available: 4, sufficient: true });
  assert.equal(await check(9), { available: 4, sufficient: true, backorder: true });
  assert.equal(await check(10), { available: 4, sufficient: false });
  assert.equal([await order(10), await order(6)], [409, 201]);
  // Two units wait: three more may.
  assert.equal(await check(3), { available: 0, sufficient: true, backorder: true });
  assert.equal(await check(4), { available: 0, sufficient: false });
  assert.equal([await order(4), await order(3)], [409, 201]);
  assert.equal(await check(1), { available: 0, sufficient: false });
  await f.post('/api/inventory', { products: [receive(5, { allow_backorder: false })] });
  assert.equal(await check(1), { available: 0, sufficient: false });
});

test('the audit has every movement of a product', async ({ f }) => {
  f.owners.stockUp('p1', 10);
  const order = await f.post('/api/orders', { user_id: 'u', product_id: 'p1', quantity: 3 });
  const audit = await f.get('/internal/inventory/audit?product_id=p1');
  const rows = audit.at('data') as { operation_type: string; order_id: string | null; ref: string }[];
  assert.equal(
    rows.map((r) => r.operation_type),
    ['receive', 'hold', 'commit'],
  );
  assert.is(rows[0]?.order_id, null);
  assert.is(rows[1]?.order_id, order.at('data.id'));
  assert.is(rows[1]?.ref, order.at('data.id'));
});

test('the second port has no order routes', async ({ f }) => {
  f.owners.stockUp('p1', 10);
  const at = (path: string) => f.inventoryBase + path;
  for (const path of ['/api/inventory', '/api/v1/inventory/p1', '/health', '/livez', '/ready', '/metrics']) {
    assert.is((await f.get(at(path))).status, 200, path);
  }
  assert.is((await f.post(at('/api/orders'), { user_id: 'u', product_id: 'p1', quantity: 1 })).status, 404);
  assert.is((await f.get(at('/api/orders'))).status, 404);
});

test('health, readiness and metrics', async ({ f }) => {
  const health = await f.get('/health');
  assert.is(health.at('status'), 'ok');
  assert.is(health.at('journal.kind'), 'memory');
  assert.is((await f.get('/readyz')).status, 200);
  f.owners.notReady = async () => 'The node of box-1 owns it all.';
  const ready = await f.get('/ready');
  assert.is(ready.status, 503);
  assert.is(ready.at('message'), 'The node of box-1 owns it all.');
  f.owners.notReady = () => new Promise(() => {});
  const before = performance.now();
  assert.is((await f.get('/readyz')).status, 503);
  assert.ok(performance.now() - before < patientMs(2_000), 'within two seconds');
  await f.post('/api/v1/orders', { user_id: 'u', product_id: 'nope', quantity: 1 });
  const { text } = await f.get('/metrics');
  const [count, bucket] = ['count{', 'bucket{le="+Inf",'].map((of) => `holdfast_http_request_duration_seconds_${of}`);
  assert.match(text, `${count}route="/api/orders",method="POST",status="404"} 1`);
  assert.match(text, `${bucket}route="/readyz",method="GET",status="503"} 1`);
  assert.match(text, 'holdfast_http_requests_in_flight 1');
});

test('a node that owns nothing yet listens, and says that it cannot serve', async ({ f }) => {
  const { owners } = f;
  const no = () => Promise.reject(new Unavailable('box-1 owns it'));
  Object.assign(owners, { place: no, stock: no, order: no, product: no, flushed: no });
  owners.notReady = async () => 'The node of box-1 owns it all.';
  const replies = [
    await f.post('/api/orders', { user_id: 'u', product_id: 'p1', quantity: 1 }),
    await f.get('/api/orders/x'),
    await f.get('/api/orders/x/history'),
    await f.get('/api/inventory/p1'),
    await f.post('/api/inventory', { products: [product] }),
    await f.post('/api/inventory/p1/adjust', { delta: 1, reason: 'x' }),
    await f.get('/readyz'),
  ];
  for (const reply of replies) {
    assert.is(reply.status, 503, reply.text);
    assert.ok(reply.headers.get('retry-after'));
  }
  assert.is((await f.get('/livez')).status, 200);
  assert.is((await f.get('/health')).status, 200);
});

test('a request id is taken from the client, or made', async ({ f }) => {
  const given = await f.get('/livez', { 'x-request-id': 'r-1', 'x-correlation-id': 'c-1' });
  assert.is(given.headers.get('x-request-id'), 'r-1');
  assert.is(given.headers.get('x-correlation-id'), 'c-1');
  const made = await f.get('/livez', { 'x-request-id': `${'x'.repeat(256)}` });
  assert.match(made.headers.get('x-request-id') ?? '', /^[\w-]{10,40}$/);
  assert.is(made.headers.get('x-correlation-id'), made.headers.get('x-request-id'));
});

test('a port in use is named', async ({ f }) => {
  let said = '';
  await startFixture({ port: f.edge.ports.main }).catch((error: Error) => {
    said = error.message;
  });
  assert.match(said, /another process listens there. Set PORT/);
});

test('a stop lets requests under way finish and accepts no new ones', async () => {
  const f = await startFixture();
  f.owners.stockUp('p1', 10);
  let letGo = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  let arrived = () => {};
  const isIn = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  f.owners.interfere = async () => {
    arrived();
    await held;
    return undefined;
  };
  const idle = connect(f.edge.ports.main, '127.0.0.1');
  const idleEnds = new Promise((resolve) => idle.once('close', resolve));
  const running = f.post('/api/orders', { user_id: 'u', product_id: 'p1', quantity: 1 });
  await isIn;
  const stopped = f.edge.stop(5_000);
  await idleEnds;
  const refused = await f.get('/livez').catch(() => 'refused');
  assert.is(refused, 'refused');
  letGo();
  const reply = await running;
  assert.is(reply.status, 201);
  assert.is(reply.headers.get('connection'), 'close');
  await stopped;
});

const CSV = { 'content-type': 'text/csv' };

test('a file of stock: each row by itself, once under its key', async ({ f }) => {
  const file = 'product_id,name,unit_price,stock\np1,One,1.50,5\np2,Two,dear,5\n"p3","Three, and more",2,7\n';
  for (const time of ['first', 'again']) {
    const reply = await f.post('/api/inventory/import', file, { ...CSV, 'idempotency-key': 'file-1' });
    assert.equal([reply.status, reply.at('data.imported'), reply.at('data.failed')], [200, 2, 1], time);
    assert.equal([reply.at('data.failed_rows.0.line'), reply.at('data.failed_rows.0.product_id')], [3, 'p2']);
    assert.is(reply.at('data.failed_rows.0.errors.0.field'), 'unit_price');
    assert.is((await f.get('/api/inventory/p3')).at('data.on_hand'), 7, time);
  }
});

test('the number of files received at once is bounded', async ({ f }) => {
  const begun = Array.from({ length: limits.importsAtOnce }, () => {
    const sent = request(`${f.base}/api/inventory/import`, { method: 'POST', headers: CSV });
    const answered = new Promise<number | undefined>((resolve, reject) => {
      sent.on('response', (reply) => resolve(reply.resume().statusCode)).on('error', reject);
    });
    sent.write('product_id,name,unit_price,stock\n');
    return { sent, answered };
  });
  const one = () => f.post('/api/inventory/import', 'product_id,name,unit_price,stock\np1,One,1,5\n', CSV);
  let reply = await one();
  for (const endsAt = Date.now() + 5_000; reply.status !== 503 && Date.now() < endsAt; ) reply = await one();
  assert.equal([reply.status, reply.at('code')], [503, 'busy']);
  for (const [i, { sent }] of begun.entries()) sent.end(`q${i},One,1,5\n`);
  for (const { answered } of begun) assert.is(await answered, 200);
  assert.is((await one()).status, 200);
});

test('a file with a wrong first line is not read to its end, and its connection ends', async ({ f }) => {
  for (const wrong of [Buffer.from('product_id,colour\n'), Buffer.from([0xff])]) {
    const body = Buffer.concat([wrong, Buffer.from('a,b\n'.repeat(1_000_000))]);
    const reply = await fetch(`${f.base}/api/inventory/import`, { method: 'POST', headers: CSV, body });
    assert.equal([reply.status, reply.headers.get('connection')], [400, 'close']);
    assert.match(await reply.text(), '"code":"invalid"');
  }
});

test.run();
