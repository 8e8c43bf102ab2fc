/** The gremlin over HTTP: its switch on both ports, refusals with reasons, and faults of stock requests. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Clock } from '../../../actors/ports/runtime.js';
import { GremlinControl } from '../../../bus/gremlin/gremlin-control.js';
import { Gremlin } from '../../../bus/gremlin/gremlin-decisions.js';
import { memoryGremlinSwitch } from '../../../storage/memory/memory-stores.js';
import { type Fixture, startFixture } from './edge-fixture.js';
import { realClock } from './fake-owners.js';

const test = suite('edge: the gremlin');
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const fixtures: Fixture[] = [];
/** Delays of the gremlin are recorded, and end at once. */
const waited: number[] = [];
const clock: Clock = {
  ...realClock,
  after(delayMs, run) {
    if (delayMs !== 5_000) return realClock.after(delayMs, run);
    waited.push(delayMs);
    return realClock.after(0, run);
  },
};

async function start(): Promise<Fixture> {
  const gremlin = new GremlinControl(new Gremlin(clock, () => {}), memoryGremlinSwitch(clock), clock, silent);
  const fixture = await startFixture({ gremlin, clock });
  fixtures.push(fixture);
  await stock(fixture, 'A', 10);
  waited.length = 0;
  return fixture;
}

const stock = ({ post }: Fixture, product: string, count: number, key?: string) =>
  post(
    '/api/inventory',
    { products: [{ product_id: product, name: product, unit_price: 5, currency: 'USD', stock: count }] },
    key === undefined ? {} : { 'idempotency-key': key },
  );

const onHand = async ({ owners }: Fixture, product: string) =>
  (await owners.products({ page: 1, pageSize: 100 })).products.find(({ id }) => id === product)?.onHand;

const ON = '/internal/gremlin/enable';
const OFF = '/internal/gremlin/disable';
const STATUS = '/internal/gremlin/status';

test.after(async () => {
  for (const fixture of fixtures) await fixture.stop();
});

test('by default every third inventory request is 5 s late; health, internal and order requests never', async () => {
  const f = await start();
  assert.is((await f.get(STATUS)).at('data.enabled'), false);
  const on = await fetch(f.base + ON, { method: 'POST' });
  assert.is(on.status, 200);
  const said = (await on.json()) as { status: string; message: string; data: { enabled: boolean } };
  assert.equal([said.status, said.message, said.data.enabled], ['success', 'The gremlin is on', true]);
  const paths = ['/api/inventory', '/api/v1/inventory/A', '/api/inventory/nobody'];
  for (let i = 0; i < 9; i++) {
    await f.get(paths[i % 3] ?? '');
    for (const spared of [
      '/health',
      '/livez',
      '/readyz',
      '/metrics',
      '/internal/inventory/audit',
      '/api/orders',
      STATUS,
    ])
      await f.get(spared);
    assert.is(waited.length, Math.floor((i + 1) / 3), `after ${i + 1} requests`);
  }
  await f.post('/api/inventory/check', { items: [{ product_id: 'A', quantity: 1 }] });
  await f.post('/api/inventory/A/adjust', { delta: -1, reason: 'test' });
  assert.equal(waited, [5_000, 5_000, 5_000]);
  assert.is((await f.get(`${f.inventoryBase}/api/inventory/A`)).status, 200);
  assert.equal(waited, [5_000, 5_000, 5_000, 5_000]);
  const status = await f.get(STATUS);
  assert.equal(status.at('data.rules'), [
    { target: 'inventory', kind: 'latency', every: 3, delay_ms: 5_000, jitter_ms: 0 },
  ]);
  assert.equal([status.at('data.asked'), status.at('data.hits')], [{ inventory: 12 }, { inventory: { latency: 4 } }]);
  const lastsMs = Date.parse(String(status.at('data.until'))) - Date.parse(String(status.at('data.since')));
  assert.is(lastsMs, 600_000);
  const form = { 'content-type': 'application/x-www-form-urlencoded' }; // As `curl -d ''` sends it.
  assert.equal((await f.post(ON, '', form)).at('data.rules'), status.at('data.rules'));
  const off = await f.post(OFF, '');
  assert.equal([off.status, off.at('data.enabled'), off.at('message')], [200, false, 'The gremlin is off']);
  for (let i = 0; i < 6; i++) await f.get('/api/inventory/A');
  assert.is(waited.length, 4);
});

test('both ports have one switch; rules are shown as given; a drawn seed is shown', async () => {
  const f = await start();
  const rule = { target: 'order', kind: 'error', probability: 0.5, delay_ms: 100, jitter_ms: 5 };
  const one = await f.post(f.inventoryBase + ON, { ...rule, for_s: 2, seed: 7 });
  assert.is(one.status, 200, one.text);
  const seen = await f.get(STATUS);
  assert.equal([seen.at('data.enabled'), seen.at('data.rules'), seen.at('data.seed')], [true, [rule], 7]);
  const several = await f.post(ON, {
    rules: [
      { target: 'bus', every: 1 },
      { kind: 'drop', every: 4 },
    ],
  });
  assert.equal(several.at('data.rules'), [
    { target: 'bus', kind: 'latency', every: 1, delay_ms: 5_000, jitter_ms: 0 },
    { target: 'inventory', kind: 'drop', every: 4, delay_ms: 500, jitter_ms: 0 },
  ]);
  assert.ok(Number.isInteger(several.at('data.seed')));
  assert.is((await f.post(f.inventoryBase + OFF, {})).status, 200);
  assert.is((await f.get(`${f.inventoryBase}${STATUS}`)).at('data.enabled'), false);
});

test('a wrong rule is refused by name', async () => {
  const f = await start();
  for (const [body, field] of [
    [{ target: 'moon' }, 'target'],
    [{ kind: 'flood' }, 'kind'],
    [{ every: 0 }, 'every'],
    [{ every: 1.5 }, 'every'],
    [{ probability: 1.1 }, 'probability'],
    [{ probability: '1' }, 'probability'],
    [{ every: 2, probability: 0.5 }, 'probability'],
    [{ delay_ms: -1 }, 'delay_ms'],
    [{ delay_ms: 20_001 }, 'delay_ms'],
    [{ jitter_ms: 10_001 }, 'jitter_ms'],
    [{ for_s: 0 }, 'for_s'],
    [{ for_s: 3_601 }, 'for_s'],
    [{ seed: -1 }, 'seed'],
    [{ wish: 1 }, 'wish'],
    [{ rules: [] }, 'rules'],
    [{ rules: [{ kind: 'kill' }, { kind: 'love' }] }, 'rules[1].kind'],
    [{ rules: [{ every: 1, probability: 1 }] }, 'rules[0].probability'],
    [{ rules: [{}], every: 2 }, 'every'],
    ['[]', 'body'],
    ['{', 'body'],
  ] as const) {
    const reply = await f.post(ON, body);
    assert.equal([reply.status, reply.at('code'), reply.at('errors.0.field')], [400, 'invalid', field], reply.text);
  }
  assert.is((await f.get(STATUS)).at('data.enabled'), false);
});

test('where the gremlin is not allowed it is refused with a sentence, and faults nothing', async () => {
  const f = await startFixture();
  fixtures.push(f);
  for (const path of [ON, OFF]) {
    const reply = await f.post(path, {});
    assert.equal([reply.status, reply.at('code')], [403, 'gremlin_off']);
    assert.match(String(reply.at('message')), 'GREMLIN=on');
  }
  assert.equal((await f.get(STATUS)).at('data'), { enabled: false, asked: {}, hits: {} });
});

test('a failed request was not handled; one without its answer was, and its key completes it once', async () => {
  const f = await start();
  await f.post(ON, { kind: 'error', every: 1 });
  const failed = await stock(f, 'A', 5);
  assert.equal([failed.status, failed.at('code'), failed.headers.get('retry-after')], [503, 'unavailable', '1']);
  assert.is((await f.get('/api/inventory/A')).status, 503);
  assert.is(await onHand(f, 'A'), 10);
  await f.post(ON, { kind: 'drop', every: 1 });
  assert.is((await f.get('/api/inventory/A')).status, 503);
  assert.is((await f.get('/api/inventory/nobody')).status, 404, 'a no is a no');
  const lost = await stock(f, 'A', 5);
  assert.is(lost.status, 503);
  assert.is(await onHand(f, 'A'), 15);
  await f.post(OFF, {});
  const again = await stock(f, 'A', 5, String(lost.at('idempotency_key')));
  assert.is(again.status, 201, again.text);
  assert.is(await onHand(f, 'A'), 15);
});

test('a doubled request has one effect and one answer', async () => {
  const f = await start();
  await f.post(ON, { kind: 'duplicate', every: 1 });
  const twice = await stock(f, 'A', 5);
  assert.equal([twice.status, twice.at('data.0.on_hand')], [201, 15]);
  assert.is((await f.post('/api/inventory/A/adjust', { delta: -2, reason: 'test' })).at('data.on_hand'), 13);
  assert.is((await f.get('/api/inventory/A')).at('data.on_hand'), 13);
  assert.equal((await f.get(STATUS)).at('data.hits'), { inventory: { duplicate: 3 } });
});

test.run();
