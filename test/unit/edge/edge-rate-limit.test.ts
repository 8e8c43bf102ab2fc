/** The edge with a rate limit: the caller that counts, the headers and refusals, and the routes that never count. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { RateLimits } from '../../../actors/ports/rate-limits.js';
import { clientAddress } from '../../../http/api/rate-limit.js';
import { Wire } from '../../faults/rig/raw-http.js';
import { startFixture } from './edge-fixture.js';

const test = suite('edge rate limit');
const ORDER = { user_id: 'ada', product_id: 'PROD-001', quantity: 1 };

/** A limit for each caller, without an end of the window. */
function counting(limit: number) {
  const taken = new Map<string, number>();
  const rateLimits: RateLimits = {
    async take(caller) {
      const count = (taken.get(caller) ?? 0) + 1;
      taken.set(caller, count);
      return { isAllowed: count <= limit, limit, remaining: Math.max(0, limit - count), resetMs: 6_200 };
    },
  };
  return { taken, rateLimits };
}

const told = (headers: Headers) =>
  ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset', 'retry-after'].map((name) => headers.get(name));

test('every reply of the API has the remaining requests, and each request counts once', async () => {
  const { taken, rateLimits } = counting(100);
  const at = await startFixture({ rateLimits });
  at.owners.stockUp('PROD-001', 10);
  const replies = [
    [201, await at.post('/api/orders', ORDER)],
    [400, await at.post('/api/v1/orders', '{')],
    [200, await at.get('/api/orders')],
    [404, await at.get('/api/orders/none')],
    [404, await at.get('/api/nothing')],
    [400, await at.get('/api/orders/%zz')],
    [405, await at.post('/api/users/ada/orders', {})],
    [200, await at.get(`${at.inventoryBase}/api/inventory`)],
  ] as const;
  for (const [i, [status, reply]] of replies.entries()) {
    assert.is(reply.status, status, reply.text);
    assert.equal(told(reply.headers), ['100', String(99 - i), '7', null], reply.text);
  }
  assert.equal([...taken], [['address:127.0.0.1', replies.length]]);
  await at.stop();
});

test('above the limit: 429 with Retry-After, and no effect', async () => {
  const { rateLimits } = counting(2);
  const at = await startFixture({ rateLimits });
  at.owners.stockUp('PROD-001', 10);
  await at.post('/api/orders', ORDER);
  await at.get('/api/orders');
  for (const refused of [await at.post('/api/orders', ORDER), await at.get('/api/inventory'), await at.get('/api/x')]) {
    assert.is(refused.status, 429, refused.text);
    assert.equal([refused.at('status'), refused.at('code')], ['error', 'rate_limited']);
    assert.equal(told(refused.headers), ['2', '0', '7', '7']);
  }
  assert.is(at.owners.placed, 1);
  const problem = await at.get('/api/orders', { accept: 'application/problem+json' });
  assert.equal([problem.at('status'), problem.at('code')], [429, 'rate_limited']);
  await at.stop();
});

test('an address counts as one in every notation', async () => {
  const { taken, rateLimits } = counting(100);
  const at = await startFixture({ rateLimits });
  const addresses = ['/api/orders', '/API/orders', `${at.base}/api/orders`, 'HTTP://x/Api/v1/orders', '/api/orders/'];
  for (const [i, address] of addresses.entries()) {
    const wire = new Wire(at.edge.ports.main);
    const reply = await wire.send(Buffer.from(`GET ${address} HTTP/1.1\r\nHost: x\r\n\r\n`));
    wire.close();
    assert.ok('status' in reply);
    assert.equal([reply.status, reply.headers.get('ratelimit-remaining')], [200, String(99 - i)], address);
  }
  assert.equal([...taken.values()], [addresses.length]);
  await at.stop();
});

test('health, readiness, metrics and internal routes are never counted', async () => {
  const { taken, rateLimits } = counting(0);
  const at = await startFixture({ rateLimits });
  const paths = ['/health', '/livez', '/readyz', '/ready', '/metrics', '/internal/inventory/audit', '/openapi.json'];
  for (const path of paths) {
    const reply = await at.get(path);
    assert.is(reply.status, 200, `${path}: ${reply.text}`);
    assert.equal(told(reply.headers), [null, null, null, null], path);
  }
  assert.is(taken.size, 0);
  await at.stop();
});

test('without a limit no reply mentions one', async () => {
  const at = await startFixture();
  assert.equal(told((await at.get('/api/orders')).headers), [null, null, null, null]);
  await at.stop();
});

test('the forwarded address counts only behind our own proxies', async () => {
  const { taken, rateLimits } = counting(100);
  const open = await startFixture({ rateLimits });
  const behind = await startFixture({ rateLimits, trustedProxies: 1 });
  const headers = { 'x-forwarded-for': '6.6.6.6, 203.0.113.9' };
  await open.get('/api/orders', headers);
  await behind.get('/api/orders', headers);
  assert.equal([...taken.keys()], ['address:127.0.0.1', 'address:203.0.113.9']);
  await open.stop();
  await behind.stop();
});

for (const [proxies, socket, forwarded, client] of [
  [0, '10.0.0.1', '203.0.113.9', '10.0.0.1'],
  [0, '::ffff:10.0.0.1', undefined, '10.0.0.1'],
  [1, '10.0.0.1', undefined, '10.0.0.1'],
  [1, '10.0.0.1', '203.0.113.9', '203.0.113.9'],
  [1, '10.0.0.1', '6.6.6.6, 203.0.113.9', '203.0.113.9'],
  [2, '10.0.0.1', '6.6.6.6, 203.0.113.9, 10.0.0.2', '203.0.113.9'],
  [2, '10.0.0.1', '203.0.113.9', '203.0.113.9'],
  [1, '10.0.0.1', 'unknown', '10.0.0.1'],
  [1, '10.0.0.1', '6.6.6.6,', '10.0.0.1'],
  [1, '10.0.0.1', '2001:DB8:0:7::1', '2001:db8:0:7::/64'],
  [1, '10.0.0.1', '2001:db8:0:7:ffff:1:2:3', '2001:db8:0:7::/64'],
  [0, '::1', undefined, '0:0:0:0::/64'],
  [0, 'fe80::1%eth0', undefined, 'fe80:0:0:0::/64'],
] as const) {
  test(`behind ${proxies} of ours, asked from ${socket} for ${forwarded}: ${client}`, () => {
    const req = { socket: { remoteAddress: socket }, headers: { 'x-forwarded-for': forwarded } };
    assert.is(clientAddress(req as unknown as Parameters<typeof clientAddress>[0], proxies), client);
  });
}

test.run();
