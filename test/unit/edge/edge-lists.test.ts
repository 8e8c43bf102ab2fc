/** Lists over HTTP: filters, pages by number and by cursor, and a product's ledger. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { productId } from '../../../actors/ids.js';
import { operations } from '../../../http/api/operations/all.js';
import { replyFault } from './documented.js';
import { type Fixture, type Shown, startFixture } from './edge-fixture.js';

const test = suite<{ f: Fixture }>('lists at the edge');

test.before.each(async (context) => {
  context.f = await startFixture();
  context.f.owners.stockUp('p', 1_000);
  for (let i = 0; i < 5; i++) {
    await context.f.post('/api/orders', { user_id: i < 4 ? 'ada' : 'bob', product_id: 'p', quantity: i + 1 });
  }
});
test.after.each(({ f }) => f.stop());

const ids = (reply: Shown): unknown[] => (reply.at('data') as { id: unknown }[]).map(({ id }) => id);
const documented = (reply: Shown, id: string) => {
  const operation = operations.find((each) => each.id === id);
  if (operation === undefined) throw new Error(`there is no operation ${id}`);
  const contentType = reply.headers.get('content-type') ?? '';
  assert.is(replyFault(operation, { status: reply.status, contentType, text: reply.text }), undefined, reply.text);
};
const linked = (reply: Shown, rel: string): string | undefined =>
  new RegExp(`<([^>]*)>; rel="${rel}"`).exec(reply.headers.get('link') ?? '')?.[1];

test('every filter reaches the queries with its meaning', async ({ f }) => {
  const query =
    'user_id=ada&status=confirmed&payment_status=paid&fulfillment_status=unfulfilled&product_id=p&currency=USD' +
    '&from=2026-01-01&to=2026-02-01T10:00:00.5%2B02:00&min_total=1.5&max_total=20&q=a%20b';
  const reply = await f.get(`/api/orders?${query}`);
  assert.is(reply.status, 200, reply.text);
  assert.equal(f.owners.asked.at(-1), {
    user: 'ada',
    status: 'confirmed',
    payment: 'paid',
    fulfillment: 'unfulfilled',
    product: 'p',
    currency: 'USD',
    from: Date.UTC(2026, 0, 1),
    to: Date.UTC(2026, 1, 1, 8, 0, 0, 500),
    minTotal: '1.5',
    maxTotal: '20',
    words: 'a b',
  });
  assert.is((await f.get('/api/users/bob/orders?q=x')).status, 200);
  assert.equal(f.owners.asked.at(-1), { user: 'bob', words: 'x' });
  assert.is((await f.get('/api/orders?from=2026-02-01T10:00:00+02:00')).status, 200, 'a plus that nobody escaped');
});

test('times finer than the stored ones are compared exactly, not truncated', async ({ f }) => {
  const at = Date.UTC(2026, 1, 1, 8);
  for (const [given, ms] of [
    ['08:00:00.001Z', at + 1],
    ['08:00:00.0010000Z', at + 1],
    ['08:00:00.0015Z', at + 2],
    ['08:00:00.001000001Z', at + 2],
    ['10:00:00.999999999%2B02:00', at + 1_000],
    ['08:00:00.1Z', at + 100],
  ] as const) {
    // `before` means before the next whole millisecond; `from` means from the next one on.
    await f.get(`/api/orders?from=2026-02-01T${given}&to=2026-02-01T${given}`);
    assert.equal(f.owners.asked.at(-1), { from: ms, to: ms }, given);
  }
  const [early, late] = ['2026-02-01T08:00:00.0012Z', '2026-02-01T08:00:00.0015Z'];
  assert.is((await f.get(`/api/orders?from=${early}&to=${late}`)).status, 200);
  const turned = await f.get(`/api/orders?from=${late}&to=${early}`);
  assert.equal([turned.status, turned.at('errors.0.field')], [400, 'from']);
});

test('an order placed within the millisecond is before the time after it', async ({ f }) => {
  const placed = String((await f.get('/api/orders')).at('data.0.created_at'));
  const end = (digits: string) => placed.replace('Z', `${digits}Z`);
  await f.get(`/api/orders?to=${end('5')}`);
  assert.is(f.owners.asked.at(-1)?.to, Date.parse(placed) + 1);
  const { at } = (await f.owners.ledger(productId('p'), undefined, 1)).operations[0] ?? { at: 0 };
  const moment = (digits: string, ms = at) => new Date(ms).toISOString().replace('Z', `${digits}Z`);
  const versionAt = async (time: string) =>
    (await f.get(`/api/inventory/p/ledger?at=${time}`)).at('data.last_operation.version');
  const newest = await versionAt(moment(''));
  assert.is(await versionAt(moment('000001')), newest);
  assert.not.equal(await versionAt(moment('999999', at - 1)), newest, 'a nanosecond before it');
});

test('an unknown or doubled parameter is refused by name on every operation of the API', async ({ f }) => {
  const placed = (await f.get('/api/orders')).at('data.0.id');
  for (const [path, field] of [
    ['/api/orders?stauts=failed', 'stauts'],
    ['/api/orders?status[]=failed', 'status[]'],
    ['/api/orders?status%5B%5D=failed', 'status[]'],
    ['/api/orders?Status=failed', 'Status'],
    ['/api/orders?status=failed&status=failed', 'status'],
    ['/api/orders?=failed', 'query'],
    ['/api/orders?__proto__=1', '__proto__'],
    ['/api/orders?constructor=1', 'constructor'],
    ['/api/orders?_=1700000000', '_'],
    ['/api/v1/orders?sort=asc', 'sort'],
    ['/api/users/bob/orders?user_id=ada', 'user_id'],
    ['/api/inventory?q=console', 'q'],
    ['/api/inventory/p/ledger?page=2', 'page'],
    ['/api/orders/transitions?x', 'x'],
    [`/api/orders/${placed}?expand=items`, 'expand'],
    [`/api/orders/${placed}/history?limit=5`, 'limit'],
    ['/internal/inventory/audit?cursor=x', 'cursor'],
    ['/internal/gremlin/status?a=1', 'a'],
    [`/api/orders?${'x'.repeat(5_000)}=1`, 'x'.repeat(100)],
  ]) {
    const reply = await f.get(String(path));
    assert.is(reply.status, 400, `${path}: ${reply.text}`);
    assert.is(reply.at('errors.0.field'), field);
  }
  const several = await f.get('/api/orders?stauts=failed&limit=0&from=now&to=now&to=then');
  const named = (several.at('errors') as { field: string }[]).map(({ field }) => field);
  assert.equal(named.sort(), ['from', 'limit', 'stauts', 'to']);
  for (const { method, path, ports, id } of operations.filter((each) => /^\/(api|internal)\//.test(each.path))) {
    const address = path.replace(/:\w+/g, 'p');
    const headers = { 'content-type': id === 'importStock' ? 'text/csv' : 'application/json' };
    for (const base of ports === 'both' ? [f.base, f.inventoryBase] : [f.base]) {
      const reply = await fetch(`${base}${address}?dry_run=true`, {
        method,
        headers,
        body: method === 'GET' ? null : '{}',
      });
      const text = await reply.text();
      assert.equal([reply.status, JSON.parse(text).errors[0].field], [400, 'dry_run'], `${method} ${path}: ${text}`);
    }
  }
});

test('probes and browsers may add any query', async ({ f }) => {
  for (const { path } of operations.filter(({ path }) => !/^\/(api|internal)\//.test(path))) {
    assert.is((await f.get(`${path}?_=1700000000&_=2&status[]=x`)).status, 200, path);
  }
});

test('an invalid filter is refused by name', async ({ f }) => {
  const wrong: readonly (readonly [string, string])[] = [
    ['status=lost', 'status'],
    ['payment_status=free', 'payment_status'],
    ['fulfillment_status=eaten', 'fulfillment_status'],
    ['currency=usd', 'currency'],
    ['from=yesterday', 'from'],
    ['from=2026-02-30', 'from'],
    ['from=2026-01-01T10:00:00', 'from'],
    ['to=1700000000', 'to'],
    ['to=2026-13-01', 'to'],
    ['from=2026-02-01&to=2026-01-01', 'from'],
    ['min_total=-1', 'min_total'],
    ['min_total=1e3', 'min_total'],
    ['max_total=x', 'max_total'],
    ['min_total=2&max_total=1', 'min_total'],
    ['q=', 'q'],
    [`q=${'x'.repeat(201)}`, 'q'],
    ['q=%00', 'q'],
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['cursor=', 'cursor'],
    ['cursor=abc', 'cursor'],
    ['cursor=W10', 'cursor'],
    ['page=2&limit=10', 'page'],
    ['page=1&limit=10', 'page'],
    ['page_size=5&limit=1', 'page_size'],
    ['page_size=20&limit=20', 'page_size'],
    ['page=502&page_size=20', 'page'],
    ['page=102&page_size=100', 'page'],
  ];
  for (const [query, field] of wrong) {
    const reply = await f.get(`/api/orders?${query}`);
    assert.is(reply.status, 400, query);
    assert.is(reply.at('errors.0.field'), field, `${query}: ${reply.text}`);
    documented(reply, 'listOrders');
  }
  for (const path of ['/api/orders', '/api/users/ada/orders', '/api/inventory']) {
    const reply = await f.get(`${path}?page_size=5&limit=1`);
    assert.equal([reply.status, reply.at('errors.0.field')], [400, 'page_size'], path);
  }
  assert.match((await f.get('/api/orders?page=502')).at('message') as string, 'next_cursor');
  assert.is((await f.get('/api/orders?page=501')).status, 200);
  assert.is((await f.get(`/api/orders?q=${encodeURIComponent('😀'.repeat(200))}`)).status, 200);
});

test('every list of orders says by how much it may be behind', async ({ f }) => {
  for (const path of ['/api/orders', '/api/orders?limit=1', '/api/users/u/orders']) {
    assert.is((await f.get(path)).headers.get('list-age-ms'), '42', path);
  }
});

test('a cursor leads through the whole list, and so does the Link header', async ({ f }) => {
  const all = ids(await f.get('/api/orders?user_id=ada'));
  const first = await f.get('/api/v1/orders?user_id=ada&limit=3');
  documented(first, 'listOrders');
  assert.equal(ids(first), all.slice(0, 3));
  assert.is(first.at('pagination.total'), 4);
  const cursor = first.at('pagination.next_cursor') as string;
  assert.match(cursor, /^[\w-]+$/);
  const second = await f.get(`/api/orders?user_id=ada&cursor=${cursor}`);
  documented(second, 'listOrders');
  assert.equal(ids(second), all.slice(3));
  assert.equal(second.at('pagination'), { limit: 20, next_cursor: null });
  const next = linked(first, 'next') ?? '';
  assert.ok(next.startsWith('/api/v1/orders?'));
  assert.equal(ids(await f.get(next)), all.slice(3));
  assert.is(linked(second, 'next'), undefined);
  assert.equal(ids(await f.get(linked(second, 'first') ?? '')), all);
});

test('a cursor is valid for its own list only', async ({ f }) => {
  const cursor = (await f.get('/api/orders?user_id=ada&limit=1')).at('pagination.next_cursor') as string;
  const [sum, at, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as [number, number, string];
  const made = (...parts: unknown[]) => Buffer.from(JSON.stringify(parts)).toString('base64url');
  const bad = [
    `user_id=bob&cursor=${cursor}`,
    `cursor=${cursor}`,
    `user_id=ada&status=failed&cursor=${cursor}`,
    `user_id=ada&cursor=${cursor}A`,
    `user_id=ada&cursor=${cursor.slice(0, -2)}`,
    `user_id=ada&cursor=${cursor}%3D`,
    `user_id=ada&cursor=${made(sum, at + 1, id)}`,
    `user_id=ada&cursor=${made(sum, String(at), id)}`,
    `user_id=ada&cursor=${made(sum, -1, id)}`,
    `user_id=ada&cursor=${made(sum, at, null)}`,
    `user_id=ada&cursor=${made()}`,
    `user_id=ada&cursor=${Buffer.from('{"a":1}').toString('base64url')}`,
    'user_id=ada&cursor=%F0%9F%98%80',
  ];
  for (const query of bad) {
    const reply = await f.get(`/api/orders?${query}`);
    assert.is(reply.status, 400, `${query}: ${reply.text}`);
    assert.is(reply.at('errors.0.field'), 'cursor', query);
  }
  assert.is(
    (await f.get(`/api/orders?user_id=ada&limit=7&cursor=${cursor}`)).status,
    200,
    'another limit is no other list',
  );
  assert.is((await f.get(`/api/users/ada/orders?cursor=${cursor}`)).status, 200);
});

test('products by cursor, beside page numbers', async ({ f }) => {
  for (const id of ['d', 'b', 'a', 'c', 'é ,']) f.owners.stockUp(id, 1);
  const products = (reply: Shown) => (reply.at('data') as { product_id: string }[]).map(({ product_id }) => product_id);
  const walked: string[] = [];
  for (let url: string | undefined = '/api/v1/inventory?limit=2'; url !== undefined; ) {
    const page: Shown = await f.get(url);
    documented(page, 'listProducts');
    assert.is(page.at('pagination.total'), walked.length === 0 ? 6 : undefined);
    walked.push(...products(page));
    url = linked(page, 'next');
    assert.ok(url?.startsWith('/api/v1/inventory?') ?? page.at('pagination.next_cursor') === null);
  }
  assert.equal(walked, ['a', 'b', 'c', 'd', 'p', 'é ,']);
  const first = await f.get('/api/inventory?limit=4');
  const cursor = first.at('pagination.next_cursor') as string;
  const rest = await f.get(`/api/inventory?cursor=${cursor}`);
  assert.equal([products(rest), rest.at('pagination')], [['p', 'é ,'], { limit: 20, next_cursor: null }]);
  assert.equal(products(await f.get(linked(rest, 'first') ?? '')), walked);
  documented(await f.get('/api/inventory?page=2&page_size=4'), 'listProducts');
  const others = (await f.get('/api/orders?limit=1')).at('pagination.next_cursor');
  for (const [query, field] of [
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['cursor=', 'cursor'],
    ['cursor=abc', 'cursor'],
    [`cursor=${others}`, 'cursor'],
    [`cursor=${cursor}A`, 'cursor'],
    ['page=2&limit=2', 'page'],
  ]) {
    const reply = await f.get(`/api/inventory?${query}`);
    assert.equal([reply.status, reply.at('errors.0.field')], [400, field], query);
  }
});

test('a ledger is read on by cursor, and has past balances', async ({ f }) => {
  const all = await f.get('/api/inventory/p/ledger?limit=100');
  documented(all, 'getLedger');
  const versions = (reply: Shown) => (reply.at('data') as { version: number }[]).map(({ version }) => version);
  assert.is(versions(all).length, 11);
  assert.equal(
    versions(all),
    [...versions(all)].sort((a, b) => b - a),
  );
  assert.equal(
    [all.at('data.0.operation_type'), all.at('data.0.on_hand_after'), all.at('data.0.held_after')],
    ['commit', 985, 0],
  );
  const walked: number[] = [];
  for (let url: string | undefined = '/api/inventory/p/ledger?limit=4'; url !== undefined; ) {
    const page: Shown = await f.get(url);
    documented(page, 'getLedger');
    walked.push(...versions(page));
    url = linked(page, 'next');
  }
  assert.equal(walked, versions(all));

  const now = await f.get(`/api/inventory/p/ledger?at=${new Date(Date.now() + 1_000).toISOString()}`);
  documented(now, 'getLedger');
  assert.equal([now.at('data.on_hand'), now.at('data.held'), now.at('data.available')], [985, 0, 985]);
  const before = await f.get('/api/inventory/p/ledger?at=2020-01-01');
  documented(before, 'getLedger');
  assert.equal(before.at('data'), {
    product_id: 'p',
    at: '2020-01-01T00:00:00.000Z',
    on_hand: 0,
    held: 0,
    available: 0,
    backordered: 0,
    last_operation: null,
  });
  assert.is((await f.get('/api/inventory/none/ledger')).at('code'), 'unknown_product');
  assert.is((await f.get('/api/inventory/p/ledger?cursor=x')).at('errors.0.field'), 'cursor');
  assert.is((await f.get('/api/inventory/p/ledger?at=x')).at('errors.0.field'), 'at');
});

test('a fresh list waits for what was answered, says whether it has it, and its age', async (context) => {
  await context.f.stop();
  let isFresh = true;
  context.f = await startFixture({ freshLists: async () => isFresh });
  for (const path of ['/api/orders?fresh=true', '/api/orders?fresh=true&limit=2', '/api/users/ada/orders?fresh=true']) {
    isFresh = true;
    const fresh = await context.f.get(path);
    assert.equal([fresh.at('pagination.fresh'), fresh.headers.get('list-age-ms')], [true, '0'], path);
    documented(fresh, path.startsWith('/api/users') ? 'listOrdersOfUser' : 'listOrders');
    isFresh = false;
    const late = await context.f.get(path);
    assert.equal([late.status, late.at('pagination.fresh'), late.headers.get('list-age-ms')], [200, false, '42'], path);
  }
  const plain = await context.f.get('/api/orders?fresh=false');
  assert.equal([plain.status, plain.at('pagination.fresh')], [200, undefined]);
  for (const query of ['fresh=yes', 'fresh=true&q=ada']) {
    const refused = await context.f.get(`/api/orders?${query}`);
    assert.equal([refused.status, refused.at('errors.0.field')], [400, 'fresh'], query);
  }
});

test.run();
