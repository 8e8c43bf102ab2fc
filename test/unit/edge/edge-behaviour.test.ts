/** HTTP itself: methods, types, versions, compression, other origins, security headers, the reference page. */

import { request } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ApiRequest } from '../../../http/api/api-request.js';
import { ERRORS } from '../../../http/api/errors.js';
import { operations } from '../../../http/api/operations/all.js';
import { type Answer, conditional, write } from '../../../http/api/reply.js';
import { Reference } from '../../../http/docs/reference.js';
import { pays } from '../../../http/wire/compression.js';
import { Wire } from '../../faults/rig/raw-http.js';
import { type Fixture, startFixture } from './edge-fixture.js';

const SHOP = 'https://shop.example';
const test = suite<{ f: Fixture }>('the edge: HTTP');

test.before.each(async (context) => {
  context.f = await startFixture({ corsOrigins: [SHOP] });
  for (let i = 0; i < 30; i++) context.f.owners.stockUp(`p${i}`, 100);
});
test.after.each(({ f }) => f.stop());

const good = { user_id: 'u', product_id: 'p1', quantity: 1 };

test('every reply has the common headers', async ({ f }) => {
  for (const path of ['/api/orders', '/api/nope', '/livez', '/docs']) {
    const { headers } = await f.get(path);
    assert.is(headers.get('x-content-type-options'), 'nosniff', path);
    assert.is(headers.get('referrer-policy'), 'no-referrer', path);
    assert.is(headers.get('cache-control'), 'no-store', path);
    assert.is(headers.get('x-powered-by'), null, path);
    assert.is(headers.get('vary')?.includes('Origin'), true, path);
  }
});

test('an announced stop: not ready, everything else is served, and each reply ends its connection', async ({ f }) => {
  f.edge.announceStop();
  for (const [base, path] of [
    [f.base, '/readyz'],
    [f.base, '/ready'],
    [f.inventoryBase, '/readyz'],
  ] as const) {
    const wire = new Wire(Number(new URL(base).port)); // A new connection for each.
    const reply = await wire.send(Buffer.from(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`));
    assert.ok('status' in reply);
    assert.equal([reply.status, reply.headers.get('connection')], [503, 'close']);
    assert.is(JSON.parse(reply.text).message, 'This node is stopping.');
    wire.close();
  }
  assert.is((await f.get('/health')).status, 200);
  const placed = await f.post('/api/orders', good);
  assert.equal([placed.status, placed.headers.get('connection')], [201, 'close']);
});

test('HEAD is GET without a body, on every GET', async ({ f }) => {
  for (const path of ['/api/orders', '/api/inventory/p1', '/livez', '/openapi.json', '/docs']) {
    const get = await fetch(f.base + path, { headers: { 'accept-encoding': 'identity' } });
    const head = await fetch(f.base + path, { method: 'HEAD', headers: { 'accept-encoding': 'identity' } });
    assert.is(head.status, get.status, path);
    assert.is(await head.text(), '');
    assert.is(head.headers.get('content-length'), String((await get.arrayBuffer()).byteLength), path);
  }
  assert.is((await fetch(`${f.base}/api/inventory/check`, { method: 'HEAD' })).status, 404, 'a product of that name');
});

test('a reply with one text has the headers that Node would write', async ({ f }) => {
  const headers = (method: string, path: string) =>
    new Promise<string[]>((resolve, reject) => {
      const asked = request(f.base + path, { method, headers: { 'x-request-id': 'r', origin: 'https://x' } }, (res) => {
        res.resume();
        const { rawHeaders: raw } = res;
        resolve(raw.flatMap((name, i) => (i % 2 === 0 ? [name === 'Date' ? name : `${name}: ${raw[i + 1]}`] : [])));
      });
      asked.on('error', reject).end();
    });
  for (const path of ['/api/orders', '/api/inventory/p1', '/api/nope', '/livez', '/docs']) {
    const atOnce = await headers('GET', path);
    assert.equal(atOnce.sort(), (await headers('HEAD', path)).sort(), path);
    for (const one of ['Connection: keep-alive', 'Keep-Alive: timeout=75', 'Date', 'X-Request-ID: r'])
      assert.ok(atOnce.includes(one), one);
  }
});

test('only JSON types are read as JSON', async ({ f }) => {
  const status = async (type: string | undefined) => {
    const body = Buffer.from(JSON.stringify(good));
    const headers = type === undefined ? {} : { 'content-type': type };
    return (await fetch(`${f.base}/api/orders`, { method: 'POST', body, headers })).status;
  };
  for (const type of ['application/json', 'APPLICATION/JSON; charset=UTF-8', 'application/vnd.shop+json', undefined]) {
    assert.is(await status(type), 201, type);
  }
  for (const type of [
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'text/plain',
    'application/xml',
    '',
  ]) {
    assert.is(await status(type), 415, type);
  }
});

test('problem details link to their explanation in the reference', async ({ f }) => {
  const accept = 'application/problem+json';
  const page = (await f.get('/docs')).text;
  for (const [code, kind] of Object.entries(ERRORS)) assert.match(page, `id="error-${code}"`, kind.title);
  const other = await f.get('/api/orders/nope%20', { accept });
  assert.is(other.at('status'), 400);
  const reply = await f.get('/api/nope?secret=1', { accept });
  assert.is(reply.headers.get('content-type'), 'application/problem+json; charset=utf-8');
  assert.equal(JSON.parse(reply.text), {
    type: '/docs#error-not_found',
    title: 'Not found',
    status: 404,
    detail: 'There is nothing at /api/nope. The reference is at /docs.',
    instance: '/api/nope',
    code: 'not_found',
    errors: [],
  });
});

test('the health of a node that is down is not a problem document', async ({ f }) => {
  const report = { status: 'down', version: '1', journal: { kind: 'x', guarantee: 'y' }, dependencies: {} } as const;
  const down = await startFixture({ health: async () => report });
  const reply = await down.get('/health', { accept: 'application/problem+json' });
  assert.is(reply.status, 503);
  assert.equal(JSON.parse(reply.text), report);
  await down.stop();
  assert.is((await f.get('/health')).status, 200);
});

test('large replies are compressed for clients that accept it, small ones never', async ({ f }) => {
  const plain = await raw(f, '/api/inventory?page_size=100', {});
  assert.is(plain.headers['content-encoding'], undefined);
  assert.match(String(plain.headers.vary), 'Accept-Encoding');
  for (const accepted of ['gzip', 'br, gzip;q=0.5', '*']) {
    const small = await raw(f, '/api/inventory?page_size=100', { 'accept-encoding': accepted });
    assert.is(small.headers['content-encoding'], 'gzip', accepted);
    assert.is(small.headers['content-length'], String(small.body.length));
    assert.ok(small.body.length < plain.body.length / 4, `${small.body.length} of ${plain.body.length} bytes`);
    assert.is(gunzipSync(small.body).toString(), plain.body.toString());
  }
  for (const refused of ['br', 'gzip;q=0', 'identity', 'gzip;q=0.0, identity']) {
    const whole = await raw(f, '/api/inventory?page_size=100', { 'accept-encoding': refused });
    assert.is(whole.headers['content-encoding'], undefined, refused);
  }
  assert.is((await raw(f, '/livez', { 'accept-encoding': 'gzip' })).headers['content-encoding'], undefined);
});

test('document and page are compressed once, and each encoding has its own etag', async ({ f }) => {
  const reference = new Reference(operations, 'test');
  const { host } = new URL(f.base);
  const request = { req: { headers: { host } } } as ApiRequest;
  for (const [path, made] of [
    ['/openapi.json', reference.document],
    ['/schemas/events.json', reference.eventSchemas],
    ['/docs', () => reference.page(request)],
  ] as const) {
    const answer = await made();
    assert.is((await made()).packed?.gzipped, answer.packed?.gzipped, 'made once');
    const [plain, small] = [await raw(f, path, {}), await raw(f, path, { 'accept-encoding': 'gzip' })];
    assert.is(plain.body.toString(), answer.body);
    assert.equal(small.body, answer.packed?.gzipped, 'as it was made');
    assert.is(gunzipSync(small.body).toString(), answer.body);
    assert.equal([plain.headers['content-encoding'], small.headers['content-encoding']], [undefined, 'gzip']);
    assert.is(small.headers['content-type'], plain.headers['content-type']);
    assert.is(small.headers['content-security-policy'], plain.headers['content-security-policy']);
    const etags = [plain, small].map(({ headers }) => String(headers.etag));
    assert.is(new Set(etags).size, 2);
    for (const etag of etags) assert.match(etag, /^"[\w-]{22}"$/);
    for (const [i, accepted] of ['identity', 'gzip'].entries()) {
      const headers = (known?: string) => ({ 'accept-encoding': accepted, 'if-none-match': known ?? '' });
      const known = await raw(f, path, headers(etags[i]));
      assert.equal([known.status, known.body.length, known.headers.etag], [304, 0, etags[i]]);
      assert.is((await raw(f, path, headers(etags[1 - i]))).status, 200, 'the other form is another one');
      for (const { vary } of [known.headers, plain.headers, small.headers]) {
        assert.match(String(vary), 'Accept-Encoding');
      }
    }
  }
});

test('a client that has the current version gets 304', async ({ f }) => {
  const first = await f.get('/openapi.json');
  const etag = String(first.headers.get('etag'));
  for (const known of [etag, `"other", ${etag}`, '*', `W/${etag}`]) {
    const again = await f.get('/openapi.json', { 'if-none-match': known });
    assert.is(again.status, 304, known);
    assert.is(again.text, '');
    assert.is(again.headers.get('etag'), etag);
  }
  assert.is((await f.get('/openapi.json', { 'if-none-match': '"other"' })).status, 200);
});

test('an answer has an etag of its version only with 200', async () => {
  const shown = (answer: Answer, headers: Record<string, string>) => {
    const wrote: { status?: number; raw?: readonly string[]; body?: unknown } = {};
    const res = {
      headersSent: false,
      destroyed: false,
      writeHead: (status: number, raw: readonly string[]) => Object.assign(wrote, { status, raw }),
      end: (body: unknown) => Object.assign(wrote, { body }),
    };
    const req = { method: 'GET', url: '/', headers };
    const frame = { headers: [], close: false, keepAliveMs: 1_000 };
    write(req as never, res as never, conditional(req as never, answer), { requestId: 'r', correlation: 'c' }, frame);
    return wrote;
  };
  const order = { status: 200, body: '{}', etag: '"7"' };
  assert.is(shown(order, {}).status, 200);
  assert.ok(shown(order, {}).raw?.includes('"7"'));
  assert.is(shown(order, { 'if-none-match': '"7"' }).status, 304);
  assert.is(shown(order, { 'if-none-match': '"8"' }).status, 200);
  assert.is(shown({ ...order, status: 412 }, { 'if-none-match': '"7"' }).status, 412);
  const takes = { headers: { 'accept-encoding': 'gzip' } } as never;
  const large = { ...order, body: 'x'.repeat(5_000) };
  assert.not(pays(takes, large), 'a strong one is of these very bytes');
  assert.ok(pays(takes, { ...large, etag: 'W/"7"' }));
});

test('an order has the same bytes and the same etag after any change, at any size', async ({ f }) => {
  const notes = 'n'.repeat(1_500);
  const id = (await f.post('/api/orders', { ...good, notes })).at('data.id');
  const gzip = { 'accept-encoding': 'gzip' };
  const changed = await f.post(`/api/orders/${id}/ship`, {}, gzip);
  assert.equal([changed.status, changed.headers.get('content-encoding')], [200, null]);
  assert.is(changed.headers.get('etag'), (await f.get(`/api/orders/${id}`, gzip)).headers.get('etag'));
});

test('CORS: the named origins and no others', async ({ f }) => {
  const preflight = (origin: string) =>
    fetch(`${f.base}/api/orders`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type, idempotency-key',
      },
    });
  const yes = await preflight(SHOP);
  assert.is(yes.status, 204);
  assert.is(yes.headers.get('access-control-allow-origin'), SHOP);
  assert.match(String(yes.headers.get('access-control-allow-methods')), /POST.*PATCH/);
  for (const name of ['Authorization', 'Content-Type', 'Idempotency-Key', 'If-Match', 'Prefer']) {
    assert.match(String(yes.headers.get('access-control-allow-headers')), name);
  }
  assert.is(yes.headers.get('access-control-max-age'), '86400');
  const no = await preflight('https://evil.example');
  assert.is(no.headers.get('access-control-allow-origin'), null);
  assert.is(no.headers.get('access-control-allow-methods'), null);

  const order = await f.post('/api/orders', good, { origin: SHOP });
  assert.is(order.status, 201);
  assert.is(order.headers.get('access-control-allow-origin'), SHOP);
  for (const name of ['Location', 'ETag', 'Link', 'RateLimit', 'Retry-After', 'Idempotency-Replayed', 'X-Request-ID']) {
    assert.match(String(order.headers.get('access-control-expose-headers')), name);
  }
  assert.is(
    (await f.get('/api/nope', { origin: SHOP })).headers.get('access-control-allow-origin'),
    SHOP,
    'errors too',
  );
  assert.is((await f.get('/livez', { origin: 'null' })).headers.get('access-control-allow-origin'), null);
});

test('CORS for all origins, and for none', async ({ f }) => {
  const all = await startFixture({ corsOrigins: ['*'] });
  assert.is(
    (await all.get('/livez', { origin: 'https://any.example' })).headers.get('access-control-allow-origin'),
    '*',
  );
  await all.stop();
  const none = await startFixture();
  const { headers } = await none.get('/livez', { origin: SHOP });
  assert.is(headers.get('access-control-allow-origin'), null);
  assert.is(headers.get('vary'), null);
  await none.stop();
  assert.is((await f.get('/livez')).status, 200);
});

test('the page loads nothing, runs nothing, and has no dead link', async ({ f }) => {
  const { text, headers } = await f.get('/docs');
  assert.match(String(headers.get('content-type')), /^text\/html/);
  const policy = String(headers.get('content-security-policy'));
  assert.match(policy, "default-src 'none'");
  assert.match(policy, /style-src 'sha256-[\w+/=]+'/);
  assert.not.match(policy, 'unsafe');
  assert.not.match(text, /<(script|link|img|iframe|object|embed|video|audio|source|base|form)\b/i);
  assert.not.match(text, /\s(src|srcset|style|on\w+|action|background)=/i);
  assert.not.match(text, /@import|url\(|@font-face/i);
  const ids = new Set([...text.matchAll(/ id="([^"]+)"/g)].map((found) => found[1]));
  const links = [...text.matchAll(/ href="([^"]+)"/g)].map((found) => found[1] ?? '');
  assert.ok(links.length > 30);
  for (const link of links) {
    assert.ok(link === '/openapi.json' || (link.startsWith('#') && ids.has(link.slice(1))), link);
  }
});

test('the page shows requests with its own address', async ({ f }) => {
  const shown = async (headers: Record<string, string>, base = f.base) => {
    const page = (await raw(f, '/docs', headers, base)).body.toString();
    const origins = [...page.matchAll(/https?:\/\/[^/\s'<]+(?=\/api)/g)].map(([origin]) => origin);
    assert.ok(origins.length >= 5);
    return [...new Set(origins)];
  };
  assert.equal(await shown({}), [f.base]);
  assert.equal(await shown({ host: 'shop.example:8080' }), ['http://shop.example:8080']);
  assert.equal(await shown({ host: 'shop.example', 'x-forwarded-proto': 'https' }), ['https://shop.example']);
  assert.equal(await shown({ host: '[::1]:3000' }), ['http://[::1]:3000']);
  for (const host of ['a"><script>', "a';id'", undefined]) {
    const { body } = await new Reference(operations, 'test').page({ req: { headers: { host } } } as ApiRequest);
    assert.match(body, '&#39;http://localhost/api/orders&#39;', 'and nothing that is no host');
  }
  assert.equal(await shown({}, f.inventoryBase), [f.inventoryBase], 'on the second port too');
  const { servers } = JSON.parse((await f.get('/openapi.json')).text) as { servers: { url: string }[] };
  assert.equal(
    servers.map(({ url }) => url),
    ['/'],
  );
});

test('each port documents the operations it serves', async ({ f }) => {
  const document = async (base: string) => (await (await fetch(`${base}/openapi.json`)).json()) as { paths: object };
  const [main, second] = [
    Object.keys((await document(f.base)).paths),
    Object.keys((await document(f.inventoryBase)).paths),
  ];
  assert.ok(main.includes('/api/orders') && main.includes('/api/inventory'));
  assert.ok(second.includes('/api/inventory') && !second.includes('/api/orders'));
});

test('the first port redirects a browser to the reference, and tells other clients its address', async ({ f }) => {
  const accept = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
  const browser = await fetch(`${f.base}/`, { headers: { accept }, redirect: 'manual' });
  assert.equal(
    [browser.status, browser.headers.get('location'), browser.headers.get('vary')],
    [302, '/docs', 'Accept, Origin'],
  );
  assert.match(await (await fetch(`${f.base}/`, { headers: { accept } })).text(), '<h1>Holdfast API</h1>');
  const program = await f.get('/');
  assert.is(program.status, 404);
  assert.is(program.at('message'), 'There is nothing at /. The reference is at /docs.');
  assert.is((await fetch(`${f.base}/`, { method: 'POST', headers: { accept }, redirect: 'manual' })).status, 404);
  assert.is((await fetch(`${f.inventoryBase}/`, { headers: { accept }, redirect: 'manual' })).status, 404);
});

test('an upgrade with a body that nobody reads does not block its connection', async ({ f }) => {
  const wire = new Wire(f.edge.ports.main);
  const unread = 'x'.repeat(1_100_000);
  const upgrade = 'Host: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n';
  for (let i = 0; i < 3; i++) {
    const first = await wire.send(
      Buffer.from(`GET /livez HTTP/1.1\r\n${upgrade}Content-Length: ${unread.length}\r\n\r\n${unread}`),
    );
    assert.is('status' in first && first.status, 200);
    const next = await wire.send(Buffer.from('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n'));
    assert.is('status' in next && next.status, 200);
  }
  wire.close();
});

interface Raw {
  readonly status: number | undefined;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: Buffer;
}

/** The raw reply: fetch would decode it. */
const raw = (f: Fixture, path: string, headers: Record<string, string>, base = f.base): Promise<Raw> =>
  new Promise((resolve, reject) => {
    request(base + path, { headers }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(chunks) }));
    })
      .on('error', reject)
      .end();
  });

test('without a first port only the second one listens, with its routes', async () => {
  const f = await startFixture({ port: undefined });
  try {
    assert.is(f.edge.ports.main, 0);
    assert.is((await f.get(`${f.inventoryBase}/livez`)).status, 200);
    assert.is((await f.get(`${f.inventoryBase}/api/orders`)).status, 404);
  } finally {
    await f.stop();
  }
});

test.run();
