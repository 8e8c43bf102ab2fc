/**
 * A request refused under a key never takes effect later, and a repeat gets the first answer again: over the real
 * edge and the real node, with a first request that arrives late, also after a crash.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../../deadlines.js';
import type { Shown } from './edge-fixture.js';
import { LATE_MS, type MemorySystem, startMemorySystem } from './memory-system.js';

const SOON_MS = 10_000;
const test = suite('edge: repeats');
const systems: MemorySystem[] = [];

async function start(): Promise<MemorySystem> {
  const system = await startMemorySystem();
  systems.push(system);
  assert.is((await receive(system, [['A', 10]])).status, 201);
  return system;
}

test.after(async () => {
  for (const system of systems) await system.stopAll();
});

const under = (key: string) => ({ 'idempotency-key': key });

const receive = ({ post }: MemorySystem, lines: [string, number][], key?: string) =>
  post(
    '/api/inventory',
    {
      products: lines.map(([id, stock]) => ({ product_id: id, name: id, unit_price: 5, currency: 'USD', stock })),
    },
    key === undefined ? {} : under(key),
  );
const adjust = ({ post }: MemorySystem, product: string, delta: number, key?: string) =>
  post(`/api/inventory/${product}/adjust`, { delta, reason: 'count' }, key === undefined ? {} : under(key));
const onHand = async ({ get }: MemorySystem, product = 'A') =>
  (await get(`/api/inventory/${product}`)).at('data.on_hand');
const place = async ({ post }: MemorySystem, quantity = 2): Promise<string> => {
  const reply = await post('/api/orders', { user_id: 'u', items: [{ product_id: 'A', quantity }] });
  assert.is(reply.status, 201, reply.text);
  return String(reply.at('data.order_id'));
};
const act = ({ post }: MemorySystem, order: string, what: string, body: object, key?: string) =>
  post(`/api/orders/${order}/${what}`, body, key === undefined ? {} : under(key));

/** The same refusal, byte for byte, marked as a repeat. */
function isSameNo(first: Shown, again: Shown): void {
  assert.equal([again.status, again.text], [first.status, first.text]);
  assert.equal([first.headers.get('idempotency-replayed'), again.headers.get('idempotency-replayed')], [null, 'true']);
}

const gremlin = async ({ post }: MemorySystem, target: 'inventory' | 'order' | 'off') => {
  if (target === 'off') return post('/internal/gremlin/disable', {});
  return post('/internal/gremlin/enable', { target, kind: 'latency', every: 1, delay_ms: LATE_MS, jitter_ms: 0 });
};

/** Sends the first request, which the gremlin delays until its client has given up. */
async function sentLate(system: MemorySystem, path: string, body: object, key: string): Promise<void> {
  const { base, get } = system;
  await gremlin(system, 'inventory');
  const client = new AbortController();
  const hits = async () =>
    ((await get('/internal/gremlin/status')).at('data.hits') as { inventory?: object }).inventory;
  const sent = fetch(base + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...under(key) },
    body: JSON.stringify(body),
    signal: client.signal,
  }).catch(() => {});
  assert.ok(await until(async () => (await hits()) !== undefined, SOON_MS, 5), 'the gremlin holds the request');
  client.abort();
  await sent;
  await gremlin(system, 'off');
}

for (const [when, between] of [
  ['', async () => {}],
  [', after a crash', (system: MemorySystem) => system.kill()],
  [
    ', after a crash once all of it was flushed',
    async (system: MemorySystem) => {
      await system.caughtUp();
      await system.kill();
    },
  ],
] as const) {
  test(`an adjustment was refused under its key: the late first request changes nothing${when}`, async () => {
    const system = await start();
    await sentLate(system, '/api/inventory/A/adjust', { delta: -30, reason: 'count' }, 'K');
    const no = await adjust(system, 'A', -30, 'K');
    assert.equal([no.status, no.at('code')], [409, 'below_held']);
    assert.is((await receive(system, [['A', 100]])).status, 201);
    await between(system);
    assert.is(system.letCome(), 1);
    isSameNo(no, await adjust(system, 'A', -30, 'K'));
    await adjust(system, 'A', 1, 'behind-the-late-one');
    isSameNo(no, await adjust(system, 'A', -30, 'K'));
    assert.is(await onHand(system), 111);
    assert.is((await adjust(system, 'A', -30, 'another-key')).status, 200);
    assert.is(await onHand(system), 81);
  });
}

test('a refused write is no movement of stock: neither the ledger nor the version shows it', async () => {
  const system = await start();
  for (const key of ['K1', 'K2']) assert.is((await adjust(system, 'A', -11, key)).status, 409);
  await adjust(system, 'A', -1, 'K3');
  await system.caughtUp();
  const rows = (await system.get('/api/inventory/A/ledger')).at('data') as { version: number; quantity: number }[];
  assert.equal(
    rows.map(({ version, quantity }) => [version, quantity]),
    [
      [2, -1],
      [1, 10],
    ],
  );
});

test("other content under a refused request's key is a new request; without a key it is decided anew", async () => {
  const system = await start();
  assert.is((await adjust(system, 'A', -30, 'K')).status, 409);
  assert.equal((await adjust(system, 'A', -3, 'K')).at('code'), 'idempotency_mismatch');
  assert.is((await adjust(system, 'A', -30)).status, 409);
  await receive(system, [['A', 100]]);
  assert.is((await adjust(system, 'A', -30)).status, 200);
});

test('an unknown product stays unknown under that key; a mistake that the edge found may be corrected', async () => {
  const system = await start();
  const no = await adjust(system, 'NEW', -1, 'K');
  assert.equal([no.status, no.at('code')], [404, 'unknown_product']);
  const wrong = await adjust(system, 'A', 0.5, 'K2');
  assert.equal([wrong.status, wrong.at('errors.0.field')], [400, 'delta']);
  await receive(system, [['NEW', 5]]);
  isSameNo(no, await adjust(system, 'NEW', -1, 'K'));
  assert.is((await adjust(system, 'A', 5, 'K2')).status, 200);
});

const MOST = 1_000_000_000_000;

test('a receipt refused for one product is received for none of them later, also after a crash', async () => {
  const system = await start();
  const lines: [string, number][] = [
    ['B', 1],
    ['A', MOST],
    ['C', 1],
  ];
  const no = await receive(system, lines, 'K');
  assert.equal([no.status, no.at('code'), no.at('errors.0.field')], [409, 'too_much_stock', 'products[1].stock']);
  await adjust(system, 'A', -10);
  isSameNo(no, await receive(system, lines, 'K'));
  await system.kill();
  isSameNo(no, await receive(system, lines, 'K'));
  assert.is((await system.get('/api/inventory/B')).status, 404);
  assert.is((await receive(system, lines, 'another-key')).status, 201);
});

for (const [when, between] of [
  ['', async () => {}],
  [', once it is flushed', (system: MemorySystem) => system.caughtUp()],
  [', after a crash', (system: MemorySystem) => system.kill()],
] as const) {
  test(`another receipt under a used key receives nothing, whichever products it names${when}`, async () => {
    const system = await start();
    const lines: [string, number][] = [
      ['B', 1],
      ['C', 2],
    ];
    assert.is((await receive(system, lines, 'K')).status, 201);
    await between(system);
    const others: [string, number][][] = [[['B', 1]], [['D', 1]], [['A', 1], ...lines], [['D', 1], ...lines.slice(1)]];
    for (const other of others) {
      const no = await receive(system, other, 'K');
      assert.equal([no.status, no.at('code')], [422, 'idempotency_mismatch'], JSON.stringify(other));
    }
    assert.is((await system.get('/api/inventory/D')).status, 404);
    assert.equal(await Promise.all(['A', 'B', 'C'].map((product) => onHand(system, product))), [10, 1, 2]);
    assert.is((await receive(system, lines, 'K')).headers.get('idempotency-replayed'), 'true');
  });
}

test('of two receipts under one key at once one is received, and the other not at all', async () => {
  const system = await start();
  const replies = await Promise.all(
    ['B', 'D'].map((first) =>
      receive(
        system,
        [
          [first, 1],
          [`${first}2`, 1],
        ],
        'K',
      ),
    ),
  );
  assert.equal(replies.map(({ status }) => status).sort(), [201, 422]);
  const found = await Promise.all(['B', 'B2', 'D', 'D2'].map((id) => system.get(`/api/inventory/${id}`)));
  const there = found.map(({ status }) => status === 200);
  assert.equal([there[0], there[2]], [there[1], there[3]]);
  assert.is.not(there[0], there[2]);
});

test('a request with its lists or fields in another order is the same request', async () => {
  const system = await start();
  const first = await receive(
    system,
    [
      ['A', 1],
      ['B', 2],
    ],
    'K',
  );
  const again = await receive(
    system,
    [
      ['B', 2],
      ['A', 1],
    ],
    'K',
  );
  assert.equal([first.status, again.status, again.headers.get('idempotency-replayed')], [201, 201, 'true']);
  assert.is(await onHand(system), 11);
  assert.is((await system.post('/api/inventory/A/adjust', '{"delta":2,"reason":"r"}', under('J'))).status, 200);
  assert.is((await system.post('/api/inventory/A/adjust', '{"reason":"r","delta":2}', under('J'))).status, 200);
  assert.is(await onHand(system), 13);
  const placed = await system.post('/api/orders', {
    user_id: 'u',
    items: [
      { product_id: 'A', quantity: 2 },
      { product_id: 'B', quantity: 2 },
    ],
  });
  const order = String(placed.at('data.order_id'));
  const lines = [
    { product_id: 'B', quantity: 1 },
    { product_id: 'A', quantity: 1 },
  ];
  for (const what of ['ship', 'returns']) {
    const one = await act(system, order, what, { lines }, `${what}-K`);
    const two = await act(system, order, what, { lines: lines.toReversed() }, `${what}-K`);
    assert.equal([two.status, two.text], [one.status, one.text], what);
    assert.is(two.headers.get('idempotency-replayed'), 'true');
    const other = await act(system, order, what, { lines: lines.slice(1) }, `${what}-K`);
    assert.is(other.at('code'), 'idempotency_mismatch');
  }
});

test('an act refused under its key stays refused, for a late request and after a crash', async () => {
  const system = await start();
  const order = await place(system);
  await gremlin(system, 'order');
  const late = await act(system, order, 'deliver', {}, 'K');
  assert.is(late.status, 503, 'held back: not a no');
  await gremlin(system, 'off');
  const no = await act(system, order, 'deliver', {}, 'K');
  assert.equal([no.status, no.at('code'), no.at('allowed')], [409, 'illegal_transition', ['cancelled', 'shipped']]);
  assert.is((await act(system, order, 'ship', {})).status, 200);
  await system.kill();
  assert.is(system.letCome(), 1);
  isSameNo(no, await act(system, order, 'deliver', {}, 'K'));
  await system.caughtUp();
  await system.kill();
  isSameNo(no, await act(system, order, 'deliver', {}, 'K'));
  assert.is((await system.get(`/api/orders/${order}`)).at('data.status'), 'shipped');
  assert.is((await act(system, order, 'deliver', {}, 'another-key')).at('data.status'), 'delivered');
});

test('the numbers in a refusal stay those of the first one', async () => {
  const system = await start();
  const order = await place(system, 3);
  const one = { product_id: 'A', quantity: 1 };
  const no = await act(system, order, 'returns', { lines: [one] }, 'K');
  assert.equal([no.status, no.at('code')], [409, 'more_than_shipped']);
  assert.match(String(no.at('message')), 'nothing');
  await act(system, order, 'ship', { lines: [one] });
  isSameNo(no, await act(system, order, 'returns', { lines: [one] }, 'K'));
});

test('a refusal, and an act with nothing to do, leave the ETag and the times of the order unchanged', async () => {
  const system = await start();
  const order = await place(system);
  const before = await system.get(`/api/orders/${order}`);
  assert.is((await act(system, order, 'deliver', {}, 'K')).status, 409);
  const after = await system.get(`/api/orders/${order}`);
  assert.equal([after.text, after.headers.get('etag')], [before.text, before.headers.get('etag')]);
  const etag = String(before.headers.get('etag'));
  const shipped = await system.post(`/api/orders/${order}/ship`, {}, { 'if-match': etag });
  assert.is(shipped.status, 200);
  const nothing = await act(system, order, 'ship', {}, 'K2');
  assert.equal([nothing.status, nothing.headers.get('etag')], [200, shipped.headers.get('etag')]);
});

test('a repeat of an act gets the first answer byte for byte, whatever happened to the order since', async () => {
  const system = await start();
  const order = await place(system);
  const firsts: [string, object, Shown][] = [];
  for (const [what, body] of [
    ['ship', { lines: [{ product_id: 'A', quantity: 1 }], tracking_id: 'T1' }],
    ['ship', { tracking_id: 'T2' }],
    ['deliver', {}],
    ['deliver', {}],
    ['returns', { lines: [{ product_id: 'A', quantity: 1 }] }],
    [`returns/${order}-R1/receive`, { restock: false }],
    ['refunds', { amount: 1 }],
  ] as const)
    firsts.push([what, body, await act(system, order, what, body, `K${firsts.length}`)]);
  const repeatAll = async () => {
    for (const [i, [what, body, first]] of firsts.entries()) {
      assert.ok(first.status < 300, first.text);
      const again = await act(system, order, what, body, `K${i}`);
      assert.equal([again.status, again.text], [first.status, first.text], what);
      assert.equal(
        [again.headers.get('etag'), again.headers.get('idempotency-replayed')],
        [first.headers.get('etag'), 'true'],
      );
    }
  };
  await repeatAll();
  await system.kill();
  await repeatAll();
});

test('two equal cancellations at once under one key get the same answer', async () => {
  const system = await start();
  const order = await place(system);
  const both = await Promise.all([1, 2].map(() => act(system, order, 'cancel', { reason: 'r' }, 'K')));
  assert.is(both[0]?.text, both[1]?.text);
  assert.equal(
    both.map(({ status }) => status),
    [200, 200],
  );
});

test('an act that contradicts an earlier one is 409 and names the field; a repeat is 200', async () => {
  const system = await start();
  const order = await place(system);
  await act(system, order, 'ship', { tracking_id: 'T1' });
  assert.is((await act(system, order, 'ship', { tracking_id: 'T1' })).status, 200);
  const other = await act(system, order, 'ship', { tracking_id: 'T2' });
  assert.equal([other.status, other.at('code'), other.at('errors.0.field')], [409, 'done_otherwise', 'tracking_id']);
  const carrier = await act(system, order, 'ship', { tracking_id: 'T1', carrier: 'C' });
  assert.equal([carrier.status, carrier.at('errors.0.field')], [409, 'carrier']);
  await act(system, order, 'returns', {});
  const path = `returns/${order}-R1/receive`;
  assert.is((await act(system, order, path, { restock: false })).status, 200);
  for (const same of [{}, { restock: false }]) assert.is((await act(system, order, path, same)).status, 200);
  const restock = await act(system, order, path, { restock: true });
  assert.equal([restock.status, restock.at('code'), restock.at('errors.0.field')], [409, 'done_otherwise', 'restock']);
  const delivered = await act(system, order, 'deliver', {});
  assert.is(delivered.status, 200);
  assert.is((await act(system, order, 'deliver', { fulfillment_id: 'no such' })).status, 404);
  const second = await place(system);
  await act(system, second, 'cancel', { reason: 'late' });
  for (const same of [{}, { reason: 'late' }]) assert.is((await act(system, second, 'cancel', same)).status, 200);
  const reason = await act(system, second, 'cancel', { reason: 'broken' });
  assert.equal([reason.status, reason.at('code'), reason.at('errors.0.field')], [409, 'done_otherwise', 'reason']);
});

test('a refused row of a file may be corrected under the same key; unchanged it stays refused', async () => {
  const system = await start();
  const send = (stock: number) =>
    system.post('/api/inventory/import', `product_id,name,unit_price,stock\nA,A,5,${stock}\n`, {
      ...under('K'),
      'content-type': 'text/csv',
    });
  assert.equal((await send(MOST)).at('data.failed_rows.0.code'), 'too_much_stock');
  await adjust(system, 'A', -10);
  assert.equal((await send(MOST)).at('data.failed_rows.0.code'), 'too_much_stock');
  assert.is((await send(7)).at('data.imported'), 1);
  assert.is((await send(7)).at('data.imported'), 1);
  assert.is(await onHand(system), 7);
});

test.run();
