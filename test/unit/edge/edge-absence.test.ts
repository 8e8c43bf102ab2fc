/** No owner is reachable: every kind of request gets a 503 with the reason of the node, and the log has the cause. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Unavailable } from '../../../actors/unavailable.js';
import { type Fixture, type Shown, startFixture } from './edge-fixture.js';

const WAITS = 'This node waits for node shop-one, which serves now; it takes over when that one stops.';
const order = { user_id: 'u', product_id: 'p1', quantity: 1 };
const receipt = { product_id: 'p1', name: 'Pen', unit_price: 1, currency: 'USD', stock: 5 };

const requests: Readonly<Record<string, (f: Fixture) => Promise<Shown>>> = {
  'an order': (f) => f.post('/api/orders', order),
  'an order whose products are looked at before': (f) => f.post('/api/orders', { ...order, currency: 'USD' }),
  'an order by id': (f) => f.get('/api/orders/ORD-1'),
  'an act': (f) => f.post('/api/orders/ORD-1/cancel', {}),
  'a receipt': (f) => f.post('/api/inventory', { products: [receipt] }),
  'a receipt of two': (f) => f.post('/api/inventory', { products: [receipt, { ...receipt, product_id: 'p2' }] }),
  'an adjustment': (f) => f.post('/api/inventory/p1/adjust', { delta: 1, reason: 'count' }),
  'a file': (f) =>
    f.post('/api/inventory/import', 'product_id,name,unit_price,currency,stock\np1,Pen,1,USD,1\n', {
      'content-type': 'text/csv',
      'idempotency-key': 'a-file',
    }),
};

const test = suite('absence');

for (const [what, ask] of Object.entries(requests)) {
  test(`${what}: 503 names the owner, and the log line has the cause`, async () => {
    const f = await startFixture();
    try {
      const nobody = () => Promise.reject(new Unavailable(WAITS, true));
      const noReply = async () => ({ kind: 'unavailable', why: WAITS, absent: true }) as const;
      Object.assign(f.owners, { place: noReply, act: noReply, stock: noReply, order: nobody, product: nobody });
      const reply = await ask(f);
      assert.is(reply.status, 503, reply.text);
      assert.ok(String(reply.at('message')).startsWith(WAITS), reply.text);
      assert.not.match(reply.text, /durable/);
      if (what.startsWith('an order')) {
        assert.match(String(reply.at('message')), /Nothing was done/);
        assert.is(reply.at('order_id'), undefined, 'there is no order');
      }
      assert.match(f.logged.join('\n'), new RegExp(`"status":503.*"cause":".*${WAITS}`));
    } finally {
      await f.stop();
    }
  });
}

test('where an owner was asked, the client gets no more details than before, and the log has the cause', async () => {
  const f = await startFixture();
  try {
    f.owners.interfere = async () => ({ kind: 'unavailable', why: 'the journal is full' });
    const late = await f.post('/api/orders', order);
    assert.match(late.text, /could not be made durable in time/);
    assert.not.match(late.text, /journal/);
    assert.match(String(late.at('order_id')), /^ORD-/);
    assert.match(f.logged.join('\n'), /"cause":"the journal is full"/);
  } finally {
    await f.stop();
  }
});

test.run();
