/** Numbers and the export over HTTP: their form, resuming, and bounded work whatever the client does. */
import { get, request } from 'node:http';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { orderId, userId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import { absentOrder, type OrderState } from '../../../actors/order/order.js';
import type { OrderKey, Queries } from '../../../actors/ports/queries.js';
import { operations } from '../../../http/api/operations/all.js';
import { until } from '../../deadlines.js';
import { replyFault } from './documented.js';
import { type Fixture, type Shown, startFixture } from './edge-fixture.js';

const test = suite<{ f: Fixture }>('numbers and exports at the edge');

test.before.each(async (context) => {
  context.f = await startFixture();
  for (const product of ['p', 'q']) context.f.owners.stockUp(product, 1_000);
  for (let i = 0; i < 5; i++) {
    const items = [{ product_id: 'p', quantity: i + 1 }, ...(i % 2 === 0 ? [{ product_id: 'q', quantity: 1 }] : [])];
    await context.f.post('/api/orders', { user_id: i < 4 ? 'ada' : 'bob', items });
  }
  await context.f.post('/api/orders', { user_id: 'bob', product_id: 'q', quantity: 5_000 });
});
test.after.each(({ f }) => f.stop());

const documented = (reply: Shown, id: string) => {
  const operation = operations.find((each) => each.id === id);
  if (operation === undefined) throw new Error(`there is no operation ${id}`);
  const contentType = reply.headers.get('content-type') ?? '';
  assert.is(replyFault(operation, { status: reply.status, contentType, text: reply.text }), undefined, reply.text);
};
const rowsOf = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { order_id: string; notes?: string });
const idsOf = (text: string) => rowsOf(text).map(({ order_id }) => order_id);

// ---------------------------------------------------------------- numbers

test('stats add up by day, by product and in total', async ({ f }) => {
  const total = await f.get('/api/stats?by=total&currency=USD');
  documented(total, 'getStats');
  assert.equal(total.at('data'), [
    {
      ...{ currency: 'USD', orders: 6, units: 18, revenue: 359.82 },
      statuses: { confirmed: 5, failed: 1 },
      rejections: { out_of_stock: 1 },
    },
  ]);
  const today = await f.get('/api/stats');
  documented(today, 'getStats');
  assert.match(String(today.at('data.0.day')), /^\d{4}-\d\d-\d\d$/);
  const best = await f.get('/api/stats?by=product&limit=1');
  assert.equal([best.at('data.0.product_id'), best.at('data.0.units'), best.at('more')], ['p', 15, true]);
  const one = await f.get('/api/stats?by=total&product_id=q');
  assert.equal([one.at('data.0.orders'), one.at('data.0.units'), one.at('data.0.revenue')], [4, 3, 59.97]);
  assert.equal((await f.get('/api/stats?to=2020-01-01')).at('data'), []);
});

test('a wrong day, or days that contradict each other, are refused by name', async ({ f }) => {
  for (const [query, field] of [
    ['from=2026-02-30', 'from'],
    ['from=0000-01-01', 'from'],
    ['to=2026-02-01T10:00:00Z', 'to'],
    ['from=2026-02-02&to=2026-02-01', 'from'],
    ['by=week', 'by'],
    ['limit=0', 'limit'],
    ['status=failed', 'status'],
  ] as const) {
    const reply = await f.get(`/api/stats?${query}`);
    assert.equal([reply.status, reply.at('errors.0.field')], [400, field], query);
    documented(reply, 'getStats');
  }
});

test("a user's summary, also of nobody, and what is bought together", async ({ f }) => {
  const ada = await f.get('/api/users/ada/summary');
  documented(ada, 'getUserSummary');
  assert.equal([ada.at('data.orders'), ada.at('data.statuses')], [4, { confirmed: 4 }]);
  assert.equal(ada.at('data.totals'), [{ currency: 'USD', orders: 4, total_amount: 239.88 }]);
  const nobody = await f.get('/api/users/nobody/summary');
  documented(nobody, 'getUserSummary');
  assert.is(nobody.at('data.orders'), 0);
  const also = await f.get('/api/products/p/also-bought');
  documented(also, 'getAlsoBought');
  assert.equal(also.at('data'), [{ product_id: 'q', name: 'q', orders: 3 }]);
});

// ---------------------------------------------------------------- the export

test('NDJSON has the orders of the list in its form and order, with its filters', async ({ f }) => {
  const list = await f.get('/api/orders?user_id=ada');
  const all = await f.get('/api/orders/export?user_id=ada');
  documented(all, 'exportOrders');
  assert.is(all.headers.get('content-type'), 'application/x-ndjson');
  assert.equal(rowsOf(all.text), list.at('data') as ReturnType<typeof rowsOf>);
  assert.is(rowsOf((await f.get('/api/orders/export?status=failed')).text).length, 1);
  for (const bad of ['page=1', 'limit=5', 'format=xml', 'after=nobody', 'from=yesterday'])
    assert.is((await f.get(`/api/orders/export?${bad}`)).status, 400, bad);
});

test('an export goes on behind any row, without a second header', async ({ f }) => {
  const whole = (await f.get('/api/orders/export')).text;
  const ids = idsOf(whole);
  assert.is(ids.length, 6);
  for (const [i, id] of ids.entries())
    assert.equal(idsOf((await f.get(`/api/orders/export?after=${id}`)).text), ids.slice(i + 1));
  const csv = (await f.get('/api/orders/export?format=csv')).text;
  const rest = (await f.get(`/api/orders/export?format=csv&after=${ids[2]}`)).text;
  assert.ok(csv.startsWith('order_id,user_id,'));
  assert.ok(rest.startsWith(ids[3] ?? '-') && csv.endsWith(rest));
});

test('CSV is chosen by Accept or format, and a spreadsheet runs nothing of it', async ({ f }) => {
  const nasty = ['=1+1', '+49', '-2', '@SUM(A1)', '\tx', '\r=x', '＝1', 'a "b", c\nd', ' blank', 'plain'];
  for (const [i, notes] of nasty.entries())
    await f.post('/api/orders', { user_id: `=u${i}`, product_id: 'p', quantity: 1, notes, shipping_address: notes });
  const reply = await f.get('/api/orders/export', { accept: 'text/csv' });
  documented(reply, 'exportOrders');
  assert.is(reply.headers.get('content-type'), 'text/csv; charset=utf-8');
  assert.match(reply.headers.get('content-disposition') ?? '', 'orders.csv');
  assert.is((await f.get('/api/orders/export?format=ndjson', { accept: 'text/csv' })).text[0], '{');
  const cells = cellsOf(reply.text);
  const [head = [], ...rows] = cells;
  assert.is(rows.length, 16);
  for (const row of rows) {
    assert.is(row.length, head.length);
    for (const cell of row) assert.not(/^[=+\-@\t\r]/.test(cell), cell);
    assert.ok(Array.isArray(JSON.parse(row.at(-1) ?? '')));
  }
  const shown = rows.slice(0, nasty.length).reverse();
  const column = (name: string) => shown.map((row) => row[head.indexOf(name)] ?? '');
  assert.equal(
    column('notes').map((text) => text.replace(/^'/, '')),
    nasty,
  );
  assert.equal(column('notes'), column('shipping_address'));
});

/** A reader of CSV. */
function cellsOf(text: string): string[][] {
  const rows: string[][] = [[]];
  for (const [, quoted, plain = '', end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r\n|$)/g)) {
    if (end === '' && quoted === undefined && plain === '') break;
    rows.at(-1)?.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === '\r\n') rows.push([]);
  }
  return rows.filter((row) => row.length > 0);
}

test('HEAD tells the form and reads no more', async ({ f }) => {
  const reply = await fetch(`${f.base}/api/orders/export`, { method: 'HEAD' });
  assert.equal(
    [reply.status, reply.headers.get('content-type'), await reply.text()],
    [200, 'application/x-ndjson', ''],
  );
});

// ---------------------------------------------------------------- bounded work

/** As many orders as asked for, made when they are read. */
function manyOrders(count: number) {
  const seen = { pages: 0, failAt: Number.POSITIVE_INFINITY };
  const at = (no: number): OrderState => ({
    ...absentOrder(orderId(`ORD-${no}`)),
    ...{ phase: 'confirmed', createdAt: no, updatedAt: no, correlation: 'c' },
    content: { user: userId('u'), userIsNumber: false, lines: [], notes: 'n'.repeat(200) },
  });
  const ordersAfter = async (_: unknown, after: OrderKey | undefined, limit: number) => {
    if (++seen.pages >= seen.failAt) throw new Error('Postgres is away');
    const next = (after?.at ?? count + 1) - 1;
    const orders = Array.from({ length: Math.min(limit, next) }, (__, i) => at(next - i));
    return { orders, more: next > limit };
  };
  return { seen, queries: { ordersAfter, order: async (id: string) => at(Number(id.slice(4))) } as unknown as Queries };
}

const MANY = 200_000;
const MB = 2 ** 20;

test('200,000 orders pass through in bounded memory, each once and in order', async () => {
  const { queries } = manyOrders(MANY);
  const f = await startFixture({ queries });
  let [next, most, bytes, rest] = [MANY, 0, 0, ''];
  const before = process.memoryUsage().rss;
  await new Promise<void>((resolve, reject) => {
    get(`${f.base}/api/orders/export`, (reply) => {
      reply.setEncoding('utf8').on('data', (chunk: string) => {
        bytes += chunk.length;
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          if (!line.startsWith(`{"id":"ORD-${next}",`)) reject(new Error(`not order ${next}: ${line}`));
          next--;
        }
        most = Math.max(most, process.memoryUsage.rss() - before);
      });
      reply.on('end', resolve).on('error', reject);
    }).on('error', reject);
  });
  await f.stop();
  assert.equal([next, rest], [0, '']);
  assert.ok(bytes > 80 * MB, `${bytes} bytes`);
  assert.ok(most < 80 * MB, `${Math.round(most / MB)} MB for ${Math.round(bytes / MB)} MB`);
});

test('a client that does not read is not read for; once it is gone, the work ends and its place is free', async () => {
  const { queries, seen } = manyOrders(MANY);
  const f = await startFixture({ queries });
  const open = () =>
    new Promise<{ destroy(): void }>((resolve, reject) => {
      const asked = request(`${f.base}/api/orders/export`, (reply) => {
        reply.pause();
        resolve({ destroy: () => asked.destroy() });
      });
      asked.on('error', () => {});
      asked.on('error', reject).end();
    });
  const clients = await Promise.all(Array.from({ length: limits.exports }, open));
  let before = -1;
  const isStill = () => {
    const last = before;
    before = seen.pages;
    return before === last;
  };
  assert.ok(await until(isStill, 10_000, 300), 'it goes on reading');
  assert.ok(seen.pages < (limits.exports * MANY) / limits.exportPage / 4, `${seen.pages} pages`);
  const refused = await f.get('/api/orders/export');
  assert.equal([refused.status, refused.at('code')], [503, 'busy']);
  assert.ok(refused.headers.has('retry-after'));
  documented(refused, 'exportOrders');
  for (const client of clients) client.destroy();
  const isFree = async () => {
    const reply = await fetch(`${f.base}/api/orders/export?after=ORD-5`);
    return reply.status === 200 && idsOf(await reply.text()).length === 4;
  };
  assert.ok(await until(isFree, 10_000, 50), 'the places are not free');
  await f.stop();
});

test('fifty clients at once get no more than the places, and whatever ends a request gives its place back', async () => {
  const { queries, seen } = manyOrders(5);
  let hold: Promise<void> | undefined;
  let reads = 0;
  const ordersAfter: Queries['ordersAfter'] = async (...asked) => {
    reads++;
    await hold;
    return queries.ordersAfter(...asked);
  };
  const f = await startFixture({ queries: { ...queries, ordersAfter } });
  const path = '/api/orders/export';
  const isWhole = async () => (await f.get(path)).status === 200;
  const allFree = async (why: string) => {
    let go = () => {};
    hold = new Promise((resolve) => {
      go = resolve;
    });
    const asked = Array.from({ length: 50 }, () => f.get(path));
    let refused = 0;
    for (const one of asked)
      void one.then(({ status }) => {
        if (status === 503) refused++;
      });
    assert.ok(await until(() => refused === 50 - limits.exports, 10_000, 5), `${why}: ${refused} are refused`);
    go();
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    assert.is(statuses.filter((status) => status === 200).length, limits.exports, why);
    assert.ok(await until(isWhole, 10_000, 5), why);
  };
  await allFree('at the beginning');
  for (let i = 0; i <= limits.exports; i++)
    assert.is((await fetch(f.base + path, { method: 'HEAD' })).status, 200, `HEAD ${i}`);
  await allFree('after HEAD');
  seen.failAt = 0;
  for (let i = 0; i <= limits.exports; i++) assert.is((await f.get(path)).at('code'), 'unavailable', `failure ${i}`);
  seen.failAt = Number.POSITIVE_INFINITY;
  await allFree('after failures');
  let go = () => {};
  hold = new Promise((resolve) => {
    go = resolve;
  });
  const readsBefore = reads;
  const before = seen.pages;
  const control = new AbortController();
  const leaving = Array.from({ length: limits.exports }, () =>
    fetch(f.base + path, { signal: control.signal }).catch(() => 'gone'),
  );
  assert.ok(await until(() => reads === readsBefore + limits.exports, 10_000, 5), 'the places are not taken');
  control.abort();
  assert.equal(await Promise.all(leaving), Array(limits.exports).fill('gone'));
  go();
  assert.ok(await until(() => seen.pages >= before + limits.exports, 10_000, 5));
  await allFree('after clients that left before the head');
  await f.stop();
});

test('an export that fails midway breaks off; one that fails at once is a 503', async () => {
  const { queries, seen } = manyOrders(5_000);
  const f = await startFixture({ queries });
  seen.failAt = 3;
  const reply = await fetch(`${f.base}/api/orders/export`);
  assert.is(reply.status, 200);
  const failed = await reply.text().then(
    () => 'whole',
    () => 'broken off',
  );
  assert.is(failed, 'broken off');
  assert.ok(f.logged.some((line) => line.includes('Postgres is away')));
  seen.failAt = 0;
  const at = await f.get('/api/orders/export');
  assert.equal([at.status, at.at('code')], [503, 'unavailable']);
  await f.stop();
});

test.run();
