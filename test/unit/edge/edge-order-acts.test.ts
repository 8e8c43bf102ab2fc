/** An order's life over real HTTP: shipping, cancelling, returns, refunds and repeats as a client sees them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Fixture, type Shown, startFixture } from './edge-fixture.js';

const test = suite<{ f: Fixture; id: string }>("the edge: an order's life");

const times = (text: string, part: string) => text.split(part).length - 1;
const placed = (f: Fixture, over: object = {}, headers: Record<string, string> = {}) =>
  f.post('/api/orders', { user_id: 'ann', items: [{ product_id: 'p1', quantity: 2 }], ...over }, headers);
const patch = async (f: Fixture, id: string, status: unknown): Promise<{ status: number; text: string }> => {
  const reply = await fetch(`${f.base}/api/orders/${id}/status`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ status }),
  });
  return { status: reply.status, text: await reply.text() };
};
const HEEDED: { readonly [prefer: string]: string | null } = { 'handling=lenient': null, 'wait=999999': 'wait=60' };
const isRefused = (reply: Shown, status: number, code: string, field: string) => {
  assert.equal([reply.status, reply.at('code'), reply.at('errors.0.field')], [status, code, field]);
};

test.before.each(async (context) => {
  context.f = await startFixture();
  context.f.owners.stockUp('p1', 100);
  context.id = String((await placed(context.f)).at('data.order_id'));
});
test.after.each(({ f }) => f.stop());

test('shipped in parts: shipments with their lines, the last tracking number, the id once', async ({ f, id }) => {
  const part = { lines: [{ product_id: 'p1', quantity: 1 }], tracking_id: 'T-1', carrier: 'UPS' };
  const first = await f.post(`/api/orders/${id}/ship`, part);
  assert.equal([first.status, first.at('data.status')], [200, 'confirmed']);
  assert.is(first.at('data.fulfillment_status'), 'partially_shipped');
  const rest = await f.post(`/api/v1/orders/${id}/ship`, '');
  assert.equal([rest.at('data.status'), rest.at('data.fulfillment_status')], ['shipped', 'shipped']);
  assert.equal(
    [rest.at('data.tracking_id'), rest.at('data.fulfillments.0.id'), rest.at('data.fulfillments.1.lines.0.quantity')],
    ['T-1', `${id}-F1`, 1],
  );
  assert.is(times(rest.text, '"order_id":"'), 1);
  assert.is((await f.get(`/api/orders/${id}`)).at('data.tracking_id'), 'T-1');
  isRefused(await f.post(`/api/orders/${id}/ship`, part), 409, 'more_than_ordered', 'lines');
  assert.is((await f.post(`/api/orders/${id}/ship`, {})).status, 200, 'a status it has already');
});

test('an amount that was counted before the currency was known refunds nothing', async ({ f }) => {
  f.owners.stockUp('flat', 10, 'JPY', 60_000);
  const reply = await placed(f, { items: [{ product_id: 'flat', quantity: 1 }] });
  const refunds = `/api/orders/${reply.at('data.order_id')}/refunds`;
  const { order, act } = f.owners;
  const fingerprints: string[] = [];
  f.owners.act = (ask, ...rest) => {
    fingerprints.push(ask.command.act.fingerprint);
    return act.call(f.owners, ask, ...rest);
  };
  f.owners.order = async (id) => {
    const known = await order.call(f.owners, id);
    return known && { ...known, currency: undefined };
  };
  isRefused(await f.post(refunds, { amount: 500 }), 409, 'more_than_paid', 'amount');
  f.owners.order = order;
  const done = await f.post(refunds, { amount: 500 });
  assert.equal([done.status, done.at('data.refunds.0.amount')], [201, 500]);
  assert.is(fingerprints[0], fingerprints[1], 'the same request, whatever is known of the order');
});

test('by status word: allowed ones are listed, an unknown one is 400, the current one is 200', async ({ f, id }) => {
  assert.is((await patch(f, id, 'confirmed')).status, 200);
  const illegal = await patch(f, id, 'delivered');
  assert.is(illegal.status, 409);
  assert.equal(JSON.parse(illegal.text).allowed, ['cancelled', 'shipped']);
  for (const word of ['lost', 7, null]) assert.is((await patch(f, id, word)).status, 400, String(word));
  assert.match((await patch(f, id, 'shipped')).text, /"message":"Order status updated successfully"/);
  assert.is((await patch(f, 'nobody', 'shipped')).status, 404);
});

test('returned by item, received, and refunded in part, never above the payment', async ({ f, id }) => {
  await patch(f, id, 'shipped');
  const wanted = { lines: [{ item_id: `${id}-1`, quantity: 1 }], reason: 'dented' };
  const asked = await f.post(`/api/orders/${id}/returns`, wanted);
  assert.equal([asked.status, asked.at('data.returns.0.status')], [201, 'requested']);
  isRefused(
    await f.post(`/api/orders/${id}/returns`, { lines: [{ item_id: 'x', quantity: 1 }] }),
    ...([400, 'invalid', 'lines[0].item_id'] as const),
  );
  const back = await f.post(`/api/orders/${id}/returns/${id}-R1/receive`, {});
  assert.equal([back.at('data.returns.0.restocked'), back.at('data.refunds.0.return_id')], [true, `${id}-R1`]);
  isRefused(await f.post(`/api/orders/${id}/refunds`, { amount: 99 }), 409, 'more_than_paid', 'amount');
  isRefused(await f.post(`/api/orders/${id}/refunds`, { amount: 0.001 }), 400, 'invalid', 'amount');
  assert.is((await f.post(`/api/orders/${id}/refunds`, { amount: 1 })).status, 201);
  assert.is((await f.post(`/api/orders/${id}/returns/nothing/receive`, {})).status, 404);
});

test('a refund may be as large as the payment, and is exact to the last digit', async ({ f }) => {
  f.owners.stockUp('flat', 10, 'VND', 1_200_000_000);
  f.owners.stockUp('tower', 1_000_000, 'USD', 70_000_000_001);
  const paid = async (product: string, quantity: number) => {
    const reply = await placed(f, { items: [{ product_id: product, quantity }] });
    assert.is(reply.status, 201);
    return { reply, refunds: `/api/orders/${reply.at('data.order_id')}/refunds` };
  };
  const flats = await paid('flat', 2);
  isRefused(await f.post(flats.refunds, { amount: 2_400_000_001 }), 409, 'more_than_paid', 'amount');
  assert.is((await f.post(flats.refunds, { amount: 2_399_999_999 })).status, 201);
  isRefused(await f.post(flats.refunds, { amount: 2 }), 409, 'more_than_paid', 'amount');

  const towers = await paid('tower', 100_001);
  assert.match(towers.reply.text, /"total_amount":70000700001000.01,/);
  assert.match(towers.reply.text, /"unit_price":700000000.01,"subtotal":70000700001000.01[,}]/);
  for (const amount of ['70000700001000.02', '"70000700001000.02"', '7.000070000100002e13', '9e15', '1e15']) {
    isRefused(await f.post(towers.refunds, `{"amount":${amount}}`), 409, 'more_than_paid', 'amount');
  }
  for (const amount of ['70000700000000.001', '"0"', '"1.23456"', '"-1"', '"1e3"', '-70000700000000.01']) {
    isRefused(await f.post(towers.refunds, `{"amount":${amount}}`), 400, 'invalid', 'amount');
  }
  const part = await f.post(towers.refunds, '{"reason":"70000000000000.02","amount":70000000000000.01}');
  assert.match(part.text, /"amount":70000000000000.01,"reason":"70000000000000.02"/);
  assert.match((await f.post(towers.refunds, { amount: '700001000.00' })).text, /"amount":700001000,/);
  isRefused(await f.post(towers.refunds, { amount: 1 }), 409, 'more_than_paid', 'amount');
  const left = await f.post(towers.refunds, { amount: 99 });
  assert.match(left.text, /more than can be refunded: 0 USD/);
  const history = await f.get(`/api/orders/${towers.reply.at('data.order_id')}/history`);
  assert.match(
    history.text,
    /"total_amount":70000700001000.01,"currency":"USD","items":\[{"product_id":"tower","answer":"held","unit_price":700000000.01}\]/,
  );
  assert.match(history.text, /"amount":70000000000000.01,"reason"/);
});

test('an order that costs nothing is never charged', async ({ f }) => {
  f.owners.stockUp('gift', 100, 'USD', 0);
  f.owners.payment = 'declined';
  const free = async () => {
    const reply = await placed(f, { items: [{ product_id: 'gift', quantity: 2 }] });
    assert.equal([reply.status, reply.at('data.status'), reply.at('data.total_amount')], [201, 'confirmed', 0]);
    assert.is(reply.at('data.payment_status'), 'not_charged');
    return `/api/orders/${reply.at('data.order_id')}`;
  };
  const [cancelled, shipped] = [await free(), await free()];
  const ended = await f.post(`${cancelled}/cancel`, {});
  assert.equal([ended.at('data.status'), ended.at('data.payment_status')], ['cancelled', 'not_charged']);
  for (const lines of [[{ product_id: 'gift', quantity: 1 }], undefined]) {
    const sent = await f.post(`${shipped}/ship`, { ...(lines && { lines }) });
    assert.equal([sent.status, sent.at('data.payment_status')], [200, 'not_charged']);
  }
  const id = shipped.slice('/api/orders/'.length);
  assert.is((await f.post(`${shipped}/returns`, {})).status, 201);
  const back = await f.post(`${shipped}/returns/${id}-R1/receive`, {});
  assert.equal([back.at('data.returns.0.status'), back.at('data.refunds')], ['received', undefined]);
  isRefused(await f.post(`${shipped}/refunds`, {}), 409, 'more_than_paid', 'amount');
  const history = await f.get(`${shipped}/history`);
  assert.not.match(history.text, /"event":"(paid|captured|voided|refund)/);
});

test('a key has one effect; its repeat is marked; other content under it is refused', async ({ f, id }) => {
  const key = { 'idempotency-key': 'k1' };
  const first = await f.post(`/api/orders/${id}/refunds`, { amount: 1 }, key);
  const again = await f.post(`/api/orders/${id}/refunds`, { amount: 1 }, key);
  assert.equal([first.status, again.status, again.text], [201, 201, first.text]);
  assert.equal([first.headers.get('idempotency-replayed'), again.headers.get('idempotency-replayed')], [null, 'true']);
  assert.is((await f.post(`/api/orders/${id}/refunds`, { amount: 2 }, key)).status, 422);
});

test('If-Match: only at the version that the client saw', async ({ f, id }) => {
  const tag = String((await f.get(`/api/orders/${id}`)).headers.get('etag'));
  const changed = await f.post(`/api/orders/${id}/refunds`, { amount: 1 }, { 'if-match': tag });
  assert.is(changed.status, 201);
  assert.is.not(changed.headers.get('etag'), tag);
  const late = await f.post(`/api/orders/${id}/cancel`, {}, { 'if-match': tag });
  isRefused(late, 412, 'precondition_failed', 'If-Match');
  assert.is(late.at('order_id'), id);
  isRefused(await f.post(`/api/orders/${id}/cancel`, {}, { 'if-match': 'x' }), 400, 'invalid', 'If-Match');
});

test('a repeat of a placed order gets the order as it was decided, whatever came after', async ({ f }) => {
  const key = { 'idempotency-key': 'first' };
  const first = await placed(f, {}, key);
  const id = String(first.at('data.order_id'));
  assert.is((await f.post(`/api/orders/${id}/cancel`, { reason: 'mistake' })).at('data.cancel_reason'), 'mistake');
  const again = await placed(f, {}, key);
  assert.equal([again.status, again.text], [201, first.text]);
  assert.is(again.headers.get('idempotency-replayed'), 'true');
  assert.is((await f.get(`/api/orders/${id}`)).at('data.status'), 'cancelled');
});

test('an address with its own order_id keeps it, and the order id occurs once', async ({ f }) => {
  const address = { order_id: 'evil', street: 'Main 1' };
  const reply = await placed(f, { shipping_address: address });
  assert.is(times(reply.text, '"order_id":"'), 1);
  assert.equal(reply.at('data.shipping_address'), address);
});

test('Prefer: the requested wait, or none', async ({ f }) => {
  const waits: [number, boolean | undefined][] = [];
  f.owners.interfere = async ({ impatient }, waitMs) => {
    waits.push([waitMs, impatient]);
    return undefined;
  };
  for (const prefer of ['wait=1', 'respond-async', 'wait=0', 'handling=lenient', 'wait=999999']) {
    const reply = await placed(f, {}, { prefer });
    const heeded = reply.headers.get('preference-applied');
    assert.is(heeded, HEEDED[prefer] === undefined ? prefer : HEEDED[prefer], prefer);
  }
  assert.equal(
    waits.map(([waitMs, impatient]) => [Math.round(waitMs / 1_000), impatient ?? false]),
    [
      [1, false],
      [3, true],
      [3, true],
      [3, false],
      [60, false],
    ],
  );
});

test.run();
