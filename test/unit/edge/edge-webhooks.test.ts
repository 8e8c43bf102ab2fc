/** Webhooks over HTTP: what is made, shown and refused, and where secrets are. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../../actors/limits.js';
import { Unavailable } from '../../../actors/unavailable.js';
import { memoryWebhooks } from '../../../storage/memory/memory-webhooks.js';
import { type Fixture, type Shown, startFixture } from './edge-fixture.js';

const { webhooks: store, queue } = memoryWebhooks(Date.now);
const test = suite<{ f: Fixture }>('the edge: webhooks');
test.before(async (context) => {
  const whyNot = (url: string) => (url.startsWith('https://') ? undefined : 'is not for us');
  context.f = await startFixture({ webhooks: { store, whyNot } });
});
test.before.each(async () => {
  for (const { id } of await store.list()) await store.remove(id);
});
test.after(({ f }) => f.stop());

const GOOD = { url: 'https://a.example/in', types: ['order.*'] };
const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const send = async (
  f: Fixture,
  method: string,
  path: string,
  body?: object,
): Promise<Shown & { json: Record<string, unknown> }> => {
  const reply = await fetch(f.base + path, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const text = await reply.text();
  const json = JSON.parse(text) as Record<string, unknown>;
  return { status: reply.status, text, headers: reply.headers, at: () => undefined, json };
};
const made = async (f: Fixture, more: object = {}) => {
  const reply = await f.post('/api/webhooks', { ...GOOD, ...more });
  assert.is(reply.status, 201, reply.text);
  return { reply, id: String(reply.at('data.id')), secret: String(reply.at('data.secret')) };
};
const fieldOf = (reply: Shown) => reply.at('errors.0.field');

test('the secret is drawn, or the one that was sent, and is shown at creation and rotation alone', async ({ f }) => {
  const { reply, id, secret } = await made(f, { description: 'é', types: ['order.*', 'order.*', '*'] });
  assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  assert.is(reply.headers.get('location'), `/api/webhooks/${id}`);
  assert.equal(reply.at('data.types'), ['order.*', '*']);
  assert.is((await made(f, { secret: SECRET })).secret, SECRET);
  for (const path of [
    '/api/webhooks',
    `/api/webhooks/${id}`,
    `/api/v1/webhooks/${id}`,
    `/api/webhooks/${id}/deliveries`,
  ]) {
    const shown = await f.get(path);
    assert.is(shown.status, 200);
    assert.not.ok(shown.text.includes('whsec_'), path);
  }
  const rotated = await f.post(`/api/webhooks/${id}/secret/rotate`, {});
  const until = Date.parse(String(rotated.at('data.old_secret_until')));
  assert.ok(Math.abs(until - Date.now() - limits.webhookOldSecretMs) < 60_000);
  assert.is.not(rotated.at('data.secret'), secret);
  const signs = (await queue.subscriptions()).find((one) => one.id === id)?.secrets;
  assert.equal(signs, [rotated.at('data.secret'), secret]);
  assert.is((await send(f, 'POST', `/api/webhooks/${id}/secret/rotate`)).status, 200);
});

test('wrong input is refused, and the field is named', async ({ f }) => {
  const wrong: readonly (readonly [object, string])[] = [
    [{ types: ['*'] }, 'url'],
    [{ ...GOOD, url: 'http://10.0.0.1/' }, 'url'],
    [{ ...GOOD, url: 7 }, 'url'],
    [{ ...GOOD, url: `https://a.example/${'x'.repeat(limits.webhookUrlChars)}` }, 'url'],
    [{ url: GOOD.url }, 'types'],
    [{ ...GOOD, types: [] }, 'types'],
    [{ ...GOOD, types: Array.from({ length: limits.webhookTypes + 1 }, () => '*') }, 'types'],
    ...[
      '',
      'order.',
      '*.order',
      'order.*.v1',
      'or*',
      'ORDER.*',
      'order.placed.v1.*',
      'order.placed.v2',
      'x'.repeat(101),
    ].map((type): readonly [object, string] => [{ ...GOOD, types: ['order.*', type] }, 'types[1]']),
    [{ ...GOOD, types: [7] }, 'types[0]'],
    [{ ...GOOD, description: 'x'.repeat(limits.textChars + 1) }, 'description'],
    ...[
      '',
      'whsec_',
      'secret',
      `whsec_${Buffer.alloc(23).toString('base64')}`,
      `whsec_${Buffer.alloc(65).toString('base64')}`,
      `${SECRET}=`,
      SECRET.replace('B', '!'),
      SECRET.slice(6),
    ].map((secret): readonly [object, string] => [{ ...GOOD, secret }, 'secret']),
    [{ ...GOOD, enabled: true }, 'enabled'],
  ];
  for (const [body, field] of wrong) {
    const reply = await f.post('/api/webhooks', body);
    assert.equal([reply.status, fieldOf(reply)], [400, field], JSON.stringify(body).slice(0, 200));
  }
  const { id } = await made(f);
  for (const [body, field] of [
    [{}, 'body'],
    [{ url: 'ftp://x/' }, 'url'],
    [{ enabled: 'no' }, 'enabled'],
    [{ secret: SECRET }, 'secret'],
  ] as const) {
    const { status, json } = await send(f, 'PATCH', `/api/webhooks/${id}`, body);
    assert.equal([status, (json.errors as { field: string }[])[0]?.field], [400, field]);
  }
  for (const [query, field] of [
    ['state=lost', 'state'],
    ['limit=0', 'limit'],
    ['cursor=x', 'cursor'],
    ['page=1', 'page'],
  ] as const) {
    const reply = await f.get(`/api/webhooks/${id}/deliveries?${query}`);
    assert.equal([reply.status, fieldOf(reply)], [400, field]);
  }
});

test('a type that no event has is refused with the nearest one; every type and every beginning is taken', async ({
  f,
}) => {
  const nearest = {
    'order.confirmed': 'order.confirmed.v1',
    'orders.*': 'order.*',
    'inventry.held.v1': 'inventory.held.v1',
  };
  for (const [type, near] of Object.entries(nearest)) {
    const reply = await f.post('/api/webhooks', { ...GOOD, types: [type] });
    const message = `types[0] must name an event type: "${type}" is none, the nearest is ${near}, and /schemas/events.json lists all.`;
    assert.equal([reply.status, reply.at('errors.0')], [400, { field: 'types[0]', message }]);
  }
  const { json } = await send(f, 'GET', '/schemas/events.json');
  const known = (json as { properties: { type: { enum: string[] } } }).properties.type.enum;
  assert.ok(known.includes('inventory.held.v1'));
  await made(f, { types: known });
  await made(f, { types: ['*', 'order.*', 'inventory.*', ...known.map((type) => type.replace(/v1$/, '*'))] });
});

test('what does not exist is 404', async ({ f }) => {
  const { id } = await made(f);
  for (const [method, path, body] of [
    ['GET', '/api/webhooks/x'],
    ['PATCH', '/api/webhooks/x', { enabled: false }],
    ['DELETE', '/api/webhooks/x'],
    ['POST', '/api/webhooks/x/secret/rotate', {}],
    ['GET', '/api/webhooks/x/deliveries'],
    ['POST', '/api/webhooks/x/deliveries/1/redeliver'],
    ...['0', '-1', '1.5', '999999999999999999999', 'x', '1;drop'].map(
      (n) => ['POST', `/api/webhooks/${id}/deliveries/${n}/redeliver`] as const,
    ),
  ] as const) {
    const { status, json } = await send(f, method, path, body);
    assert.equal([status, json.code], [404, 'not_found'], path);
  }
});

test('it is disabled, enabled and removed', async ({ f }) => {
  const { id } = await made(f);
  const off = await send(f, 'PATCH', `/api/webhooks/${id}`, { enabled: false });
  assert.equal([off.status, (off.json.data as { disabled_reason: string }).disabled_reason], [200, 'request']);
  const on = await send(f, 'PATCH', `/api/webhooks/${id}`, { enabled: true, types: ['*'] });
  assert.equal(on.json.data, { ...(on.json.data as object), enabled: true, types: ['*'] });
  assert.is((await send(f, 'DELETE', `/api/webhooks/${id}`)).status, 200);
  assert.is((await f.get(`/api/webhooks/${id}`)).status, 404);
});

test('the log is paged, and a failed delivery is sent once more', async ({ f }) => {
  const { id } = await made(f);
  const deliveries = Array.from({ length: 5 }, (_, i) => ({
    webhook: id,
    event: `order/o/${i}`,
    type: 'order.held.v1',
    actor: 'order/o',
    body: '{}',
  }));
  await queue.take((await queue.place()).version, deliveries, 'c');
  const [claim] = await queue.claim([{ webhook: id, room: 1 }], 60_000);
  if (claim === undefined) throw new Error('nothing was claimed');
  await queue.settle([
    { ...claim, outcome: 'failed', status: 500, error: 'the answer was 500', tookMs: 2, againInMs: 0 },
  ]);
  const seen: string[] = [];
  for (let path: string | null = `/api/webhooks/${id}/deliveries?limit=2`; path !== null; ) {
    const page = await f.get(path);
    seen.push(...(page.at('data') as { event_id: string }[]).map(({ event_id }) => event_id));
    const next = page.at('pagination.next_cursor');
    path = next === null ? null : `/api/webhooks/${id}/deliveries?limit=2&cursor=${next}`;
  }
  assert.equal(seen, deliveries.map(({ event }) => event).reverse());
  const failed = await f.get(`/api/webhooks/${id}/deliveries?state=failed`);
  assert.equal(
    [failed.at('data.0.error'), failed.at('data.0.status'), failed.at('data.1')],
    ['the answer was 500', 500, undefined],
  );
  const again = `/api/webhooks/${id}/deliveries/${failed.at('data.0.id')}/redeliver`;
  const first = await send(f, 'POST', again);
  assert.equal([first.status, first.json.message], [200, 'The delivery is sent once more']);
  assert.match(String((await send(f, 'POST', again)).json.message), /waits for its next attempt already/);
});

test('there are never more than so many', async ({ f }) => {
  for (let i = 0; i < limits.webhooks; i++) await made(f);
  const reply = await f.post('/api/webhooks', GOOD);
  assert.equal([reply.status, reply.at('code')], [409, 'too_many_webhooks']);
});

test('503 while the store does not answer', async () => {
  const silent = { ...store, list: () => Promise.reject(new Unavailable('no answer')) };
  const f = await startFixture({ webhooks: { store: silent, whyNot: () => undefined } });
  assert.is((await f.get('/api/webhooks')).status, 503);
  await f.stop();
});

test.run();
