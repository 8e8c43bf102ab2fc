/** Wrong input is refused by name; nothing is stored, nothing breaks, and other clients are served. */

import { connect, type Socket } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { patientMs } from '../../deadlines.js';
import { type Fixture, startFixture } from './edge-fixture.js';

const test = suite<{ f: Fixture }>('the edge: bad input');

test.before.each(async (context) => {
  context.f = await startFixture();
  context.f.owners.stockUp('p1', 1_000_000);
});
test.after.each(({ f }) => f.stop());

const line = { product_id: 'p1', quantity: 1 };
const good = { user_id: 'u', items: [line] };
const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

const bad: readonly (readonly [body: unknown, field: string])[] = [
  ['', 'body'],
  ['{', 'body'],
  ['nonsense', 'body'],
  ['[]', 'body'],
  ['null', 'body'],
  ['"text"', 'body'],
  ['{"user_id":"u","items":[],}', 'body'],
  ['{"user_id":"u","user_id":"v","product_id":"p1","quantity":1}', 'body'],
  ['{"user_id":"u","items":[{"product_id":"p1","quantity":1,"quantity":2}]}', 'body'],
  [`{"user_id":"u","shipping_address":${nested(40)},"product_id":"p1","quantity":1}`, 'body'],
  [`{"user_id":"u","shipping_address":${'['.repeat(200_000)}`, 'body'],
  ['{"__proto__":{"user_id":"u"},"product_id":"p1","quantity":1}', '__proto__'],
  ['{"user_id":"u","items":[{"product_id":"p1","quantity":1,"__proto__":{}}]}', 'items[0].__proto__'],
  ['{"user_id":"u","product_id":"p1","quantity":1,"notes":"\\u0000"}', 'notes'],
  ['{"user_id":"u","product_id":"p1","quantity":1,"notes":"\\ud800"}', 'notes'],
  ['{"user_id":"u\\udc00","product_id":"p1","quantity":1}', 'user_id'],
  ['{"user_id":"u","product_id":"p1","quantity":1,"shipping_address":{"a":{"b":"\\u0000"}}}', 'shipping_address.a.b'],
  ['{"user_id":"u","product_id":"p1","quantity":1,"shipping_address":{"\\ud800":1}}', 'shipping_address'],
  ['{"user_id":"u","product_id":"p1","quantity":1e400}', 'quantity'],
  ['{"user_id":9007199254740993,"product_id":"p1","quantity":1}', 'user_id'],
  ['{"user_id":"u","product_id":9007199254740992,"quantity":1}', 'product_id'],
  [{ items: [line] }, 'user_id'],
  [{ user_id: 'u' }, 'items'],
  [{ user_id: 'u', items: [] }, 'items'],
  [{ user_id: 'u', items: {} }, 'items'],
  [{ user_id: 'u', items: [7] }, 'items[0]'],
  [{ user_id: 'u', items: [line], order_items: [line] }, 'order_items'],
  [{ user_id: 'u', items: [line], product_id: 'p1' }, 'product_id'],
  [{ user_id: 'u', product_id: 'p1' }, 'quantity'],
  [{ user_id: 'u', quantity: 1 }, 'product_id'],
  [{ user_id: 'u', items: Array.from({ length: 10_000 }, () => line) }, 'items'],
  [{ user_id: 'u', items: Array.from({ length: 101 }, (_, i) => ({ ...line, product_id: i })) }, 'items'],
  [{ user_id: 'u', items: [{ ...line, quantity: 1e6 }, line] }, 'items[1].quantity'],
  ...[0, -1, 1.5, 1e9, 1_000_001, '1', null, true, [1], {}].map(
    (quantity) => [{ user_id: 'u', items: [{ product_id: 'p1', quantity }] }, 'items[0].quantity'] as const,
  ),
  ...['', ' u', 'u ', 'u\n', '\u0085', 'x'.repeat(256), 1.5, null, true, [], {}].map(
    (user_id) => [{ ...good, user_id }, 'user_id'] as const,
  ),
  ...['', ' p', 'p\t1', 'x'.repeat(256), null].map(
    (product_id) => [{ user_id: 'u', items: [{ product_id, quantity: 1 }] }, 'items[0].product_id'] as const,
  ),
  ...['usd', 'US', 'EURO', 1, ''].map((currency) => [{ ...good, currency }, 'currency'] as const),
  [{ ...good, notes: 'x'.repeat(2_001) }, 'notes'],
  [{ ...good, notes: 1 }, 'notes'],
  [{ ...good, user_email: null }, 'user_email'],
  [{ ...good, shipping_address: 'x'.repeat(4_000) }, 'shipping_address'],
  [{ ...good, shipping_address: { a: 'x'.repeat(4_000) } }, 'shipping_address'],
  [{ ...good, billing_address: [] }, 'billing_address'],
  [{ ...good, idempotency_key: 'a b' }, 'idempotency_key'],
  [{ ...good, idempotency_key: 'x'.repeat(256) }, 'idempotency_key'],
  [{ ...good, idempotency_key: '' }, 'idempotency_key'],
  [{ ...good, total: 1 }, 'total'],
  [{ ...good, items: [{ ...line, price: 0 }] }, 'items[0].price'],
  [{ ...good, constructor: 1 }, 'constructor'],
];

test('bad bodies are 400 with the field, and no owner is asked', async ({ f }) => {
  for (const [body, field] of bad) {
    const reply = await f.post('/api/orders', body);
    const shown = `${(typeof body === 'string' ? body : JSON.stringify(body)).slice(0, 100)} -> ${reply.text.slice(0, 300)}`;
    assert.is(reply.status, 400, shown);
    assert.is(reply.at('errors.0.field'), field, shown);
    assert.is(reply.at('code'), 'invalid');
    assert.ok(reply.text.length < 10_000);
  }
  assert.is(f.owners.placed, 0);
  assert.is((await f.post('/api/orders', good)).status, 201);
});

test('values at the limits are accepted', async ({ f }) => {
  for (const body of [
    { ...good, user_id: '😀'.repeat(255) },
    { ...good, user_id: 'Zoë O’Neil; DROP TABLE orders' },
    { ...good, user_id: -5 },
    { ...good, notes: '😀'.repeat(2_000) },
    { ...good, shipping_address: 'x'.repeat(3_998) },
    { ...good, notes: '' },
    { ...good, idempotency_key: 'schlüssel' },
    { user_id: 'u', items: [{ ...line, quantity: 999_000 }] },
  ]) {
    const reply = await f.post('/api/orders', body);
    assert.ok(reply.status === 201 || reply.at('code') === 'out_of_stock', reply.text);
  }
  assert.is((await f.post('/api/orders', good, { 'content-type': 'application/json; charset=utf-8' })).status, 201);
});

test('bodies that are not JSON, and invalid idempotency keys', async ({ f }) => {
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=utf-16', 'x']) {
    assert.is((await f.post('/api/orders', good, { 'content-type': type })).status, 415, type);
  }
  assert.is((await f.post('/api/orders', good, { 'content-encoding': 'gzip' })).status, 415);
  for (const key of ['', 'a b', 'x'.repeat(256)]) {
    const reply = await f.post('/api/orders', good, { 'idempotency-key': key });
    assert.is(reply.status, 400, key);
    assert.is(reply.at('errors.0.field'), 'Idempotency-Key');
  }
  const broken = await fetch(`${f.base}/api/orders`, { method: 'POST', body: Buffer.from([0x7b, 0xff, 0x7d]) });
  assert.is(broken.status, 400);
  assert.is(f.owners.placed, 0);
});

test('addresses: broken escapes 400, unknown routes 404, other methods 405', async ({ f }) => {
  const ask = async (method: string, path: string) => {
    const raw = await exchange(f, `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    return { status: Number(raw.slice(9, 12)), raw };
  };
  for (const path of ['/api/orders/%', '/api/orders/%zz', '/api/orders/%ff', '/api/orders?user_id=%c3', '/%E0%A4%A']) {
    assert.is((await ask('GET', path)).status, 400, path);
  }
  assert.is((await ask('GET', '/api/orders/%00')).status, 400);
  for (const path of ['/', '/api', '/api/nope', '/api/v2/orders', '/api/orders/x/ship/y', '/../etc/passwd']) {
    assert.is((await ask('GET', path)).status, 404, path);
  }
  const other = await ask('DELETE', '/api/orders');
  assert.is(other.status, 405);
  assert.match(other.raw, /Allow: (?=.*GET)(?=.*POST)(?=.*HEAD)/);
  assert.is((await ask('OPTIONS', '/api/orders')).status, 204);
  const head = await ask('HEAD', '/api/inventory');
  assert.is(head.status, 200);
  assert.ok(head.raw.endsWith('\r\n\r\n'), 'no body');
  assert.is((await ask('PATCH', '/api/orders/x/nothing')).status, 404);
  assert.is((await ask('GET', '/api/orders/x/status')).status, 405);
});

test('an oversized body is refused early, announced or not', async ({ f }) => {
  const large = JSON.stringify({ ...good, notes: 'x'.repeat(2_000_000) });
  const whole = await f.post('/api/orders', large);
  assert.is(whole.status, 413);
  assert.is(whole.at('errors.0.field'), 'body');
  // Announced: the answer comes before any byte of the body.
  const announced = await exchange(
    f,
    'POST /api/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n',
    '"too_large"',
  );
  assert.match(announced, /^HTTP\/1\.1 413/);
  const expecting = await exchange(
    f,
    'POST /api/orders HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2000000\r\n\r\n',
    '"too_large"',
  );
  assert.match(expecting, /^HTTP\/1\.1 413/, 'it is not told to go on');
  const csv = await exchange(
    f,
    'POST /api/inventory/import HTTP/1.1\r\nHost: x\r\nContent-Type: Text/CSV\r\nExpect: 100-continue\r\nContent-Length: 2000000\r\n\r\n',
    '100 Continue',
  );
  assert.match(csv, /^HTTP\/1\.1 100/, 'a file may be longer, whatever case its type is written in');
  const chunk = `${(65_536).toString(16)}\r\n${' '.repeat(65_536)}\r\n`;
  const chunked = await exchange(
    f,
    `POST /api/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(20)}`,
    '"too_large"',
  );
  assert.match(chunked, /^HTTP\/1\.1 413/);
  assert.is(f.owners.placed, 0);
  assert.is((await f.post('/api/orders', good)).status, 201);
});

test('oversized headers are 431, bytes that are not HTTP are 400', async ({ f }) => {
  const large = await exchange(f, `GET /livez HTTP/1.1\r\nHost: x\r\nX-Large: ${'x'.repeat(20_000)}\r\n\r\n`);
  assert.match(large, /^HTTP\/1\.1 431/);
  assert.match(large, '"code":"headers_too_large"');
  const none = await exchange(f, '\u0001\u0002 nonsense\r\n\r\n');
  assert.match(none, /^HTTP\/1\.1 400/);
  assert.match(none, '"code":"invalid"');
  for (const reply of [large, none]) assert.match(reply, /\r\nX-Request-ID: [\w-]{10,40}\r\n/);
});

test('garbage after an order does not change the answer to the order', async ({ f }) => {
  let letGo = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  f.owners.interfere = async () => {
    await held;
    return undefined;
  };
  const body = JSON.stringify(good);
  const raw = exchange(
    f,
    `POST /api/orders HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}nonsense\r\n\r\n`,
  );
  assert.not.match(await raw, '400');
  letGo();
});

test('200 half-sent requests harm no other client', async ({ f }) => {
  const halves = [
    'POST /api/orders HT',
    'POST /api/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"user_id"',
  ];
  const sockets: Socket[] = [];
  await Promise.all(
    Array.from(
      { length: 200 },
      (_, i) =>
        new Promise<void>((resolve, reject) => {
          const socket = connect(f.edge.ports.main, '127.0.0.1', () => {
            socket.write(halves[i % 2] ?? '', () => resolve());
          });
          socket.once('error', reject);
          sockets.push(socket);
        }),
    ),
  );
  const replies = await Promise.all(Array.from({ length: 100 }, () => f.post('/api/orders', good)));
  assert.ok(replies.every((reply) => reply.status === 201));
  for (const socket of sockets) socket.on('error', () => {}).destroy();
  assert.is((await f.post('/api/orders', good)).status, 201);
  assert.is(f.owners.placed, 101);
});

/** Sends bytes, and returns the reply once the connection has ended or a text has come. */
function exchange(f: Fixture, bytes: string, until?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let came = '';
    const socket = connect(f.edge.ports.main, '127.0.0.1', () => socket.write(bytes));
    const deadline = setTimeout(() => {
      socket.destroy();
      reject(new Error(`nothing but "${came.slice(0, 200)}" came in time`));
    }, patientMs(5_000));
    socket.on('data', (chunk) => {
      came += chunk.toString();
      if (until !== undefined && came.includes(until)) socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(deadline);
      resolve(came);
    });
  });
}

test.run();
