/** Header fields as in RFC 9110 and RFC 9112: types with parameters, hosts, weights, conditions. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { operations } from '../../../http/api/operations/all.js';
import { Wire, type WireReply } from '../../faults/rig/raw-http.js';
import { type Fixture, startFixture } from './edge-fixture.js';

const test = suite<{ f: Fixture }>('the edge: header fields');

test.before.each(async (context) => {
  context.f = await startFixture();
  for (let i = 0; i < 30; i++) context.f.owners.stockUp(`p${i}`, 100);
});
test.after.each(({ f }) => f.stop());

const good = { user_id: 'u', product_id: 'p1', quantity: 1 };

/** The lines of a raw head, without their line ends. */
async function ask(f: Fixture, lines: readonly string[], body = ''): Promise<WireReply> {
  const wire = new Wire(f.edge.ports.main);
  const head = [...lines, `Content-Length: ${Buffer.byteLength(body)}`, '', ''].join('\r\n');
  const reply = await wire.send(Buffer.from(head + body, 'latin1'), lines[0]?.startsWith('HEAD'));
  wire.close();
  if ('none' in reply) throw new Error(reply.none);
  return reply;
}

const order = async (f: Fixture): Promise<string> => String((await f.post('/api/orders', good)).at('data.id'));

test('a Content-Type is read with its parameters, quoted or not, in any case', async ({ f }) => {
  for (const type of [
    'application/json; charset="utf-8"',
    'application/json;charset="UTF-8"',
    'application/json ; Charset=utf8',
    'application/json; charset="utf\\-8"',
    'application/json;',
    'application/json; profile="a;charset=utf-16"',
    'APPLICATION/problem+JSON; charset=utf-8; x=y',
  ]) {
    assert.is((await f.post('/api/orders', good, { 'content-type': type })).status, 201, type);
  }
  for (const type of [
    'application/json; charset="utf-16"',
    'application/json; charset=iso-8859-1',
    "application/json; charset='utf-8'",
    'application/json, text/plain',
    'application/jsonp',
    'application/+json/x',
    'text/html; x="application/json"',
  ]) {
    assert.is((await f.post('/api/orders', good, { 'content-type': type })).status, 415, type);
  }
  const csv = 'product_id,name,unit_price,stock\nc1,C,1.00,1\n';
  for (const type of ['text/csv; charset="utf-8"', 'TEXT/CSV', 'text/csv; header=present;charset=utf-8']) {
    assert.is((await f.post('/api/inventory/import', csv, { 'content-type': type })).status, 200, type);
  }
  assert.is((await f.post('/api/inventory/import', csv, { 'content-type': 'text/csv;charset="latin1"' })).status, 415);
});

test('exactly one Host, which is a name or an address', async ({ f }) => {
  for (const host of ['x', 'shop.example:3000', '[::1]:3000', '127.0.0.1', '']) {
    assert.is((await ask(f, ['GET /livez HTTP/1.1', `Host: ${host}`])).status, 200, host);
  }
  const bad = [
    ['Host: a', 'Host: b'],
    ['Host: a', 'host: a'],
    ['HOST: a', 'X: y', 'Host:'],
    ['Host: a b'],
    ['Host: a/b'],
    ['Host: <script>'],
    ['Host: user@a'],
  ];
  for (const hosts of bad) {
    for (const line of ['GET /livez HTTP/1.1', 'POST /api/orders HTTP/1.1', 'GET /livez HTTP/1.0']) {
      const reply = await ask(f, [line, ...hosts], line.startsWith('POST') ? JSON.stringify(good) : '');
      assert.is(reply.status, 400, `${line} ${hosts}`);
      assert.is(JSON.parse(reply.text).errors[0].field, 'Host');
      assert.is(reply.headers.get('connection'), 'close');
    }
  }
  assert.is(f.owners.placed, 0);
});

test('two Hosts, or an unknown transfer coding, get an answer all the same', async ({ f }) => {
  const wire = new Wire(f.edge.ports.main);
  const head = 'GET /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\nHost: b\r\n\r\n';
  const reply = await wire.send(Buffer.from(head));
  wire.close();
  assert.ok('status' in reply, JSON.stringify(reply));
  assert.equal([reply.status, reply.headers.get('connection')], [400, 'close']);
});

test('a single-valued field is not given twice', async ({ f }) => {
  for (const [field, other] of [
    ['Content-Type', 'content-type'],
    ['Authorization', 'AUTHORIZATION'],
  ] as const) {
    const lines = ['POST /api/orders HTTP/1.1', 'Host: x', `${field}: application/json`, `${other}: application/json`];
    const reply = await ask(f, lines, JSON.stringify(good));
    assert.equal([reply.status, JSON.parse(reply.text).errors?.[0]?.field], [400, field]);
  }
  assert.is(f.owners.placed, 0);
  const lines = [
    'POST /api/orders HTTP/1.1',
    'Host: x',
    'X-Host: y',
    'Content-Type: application/json',
    'Accept: a',
    'Accept: b',
  ];
  assert.is((await ask(f, lines, JSON.stringify(good))).status, 201);
});

test('a coding may be named in any case', async ({ f }) => {
  for (const [coding, status] of [
    ['identity', 201],
    ['Identity', 201],
    ['GZIP', 415],
  ] as const) {
    assert.is((await f.post('/api/orders', good, { 'content-encoding': coding })).status, status, coding);
  }
});

test('Prefer: text inside the quotes of another preference does not count', async ({ f }) => {
  for (const [prefer, applied] of [
    ['foo="x, wait=5"', null],
    ['foo="x, respond-async, y"', null],
    ['foo="\\", wait=5"', null],
    ['foo="a,b", wait=5', 'wait=5'],
    ['respond-async; foo="a,b"', 'respond-async'],
    ['Respond-Async=""', 'respond-async'],
    ['respond-async=yes', null],
    ['WAIT = "7"; x', 'wait=7'],
    ['wait=9999999999', 'wait=60'],
    ['wait=1, wait=2', 'wait=1'],
  ] as const) {
    const reply = await f.post('/api/orders', good, { prefer });
    assert.equal([reply.status, reply.headers.get('preference-applied')], [201, applied], prefer);
  }
});

test('OPTIONS * is about the server', async ({ f }) => {
  const reply = await ask(f, ['OPTIONS * HTTP/1.1', 'Host: x']);
  assert.equal([reply.status, reply.headers.get('allow')], [204, 'GET, HEAD, POST, PATCH, DELETE, OPTIONS']);
  const methods = new Set(operations.map(({ method }) => method));
  assert.equal([...methods].sort(), ['DELETE', 'GET', 'PATCH', 'POST']);
});

test('an error has the type with the highest weight', async ({ f }) => {
  const json = 'application/json; charset=utf-8';
  const problem = 'application/problem+json; charset=utf-8';
  for (const [accept, type] of [
    ['application/problem+json;q=0, */*', json],
    ['application/problem+json; q=0.000, application/*', json],
    ['application/problem+json;q=0.5, application/json', json],
    ['application/json;q=0.5, application/problem+json;q=0.4', json],
    ['application/json, application/problem+json', json],
    ['application/problem+json, application/json', json],
    ['application/problem+json;q=0', json],
    ['application/problem+json; x="a;q=1"; q=0.1, application/json;q=0.2', json],
    ['application/problem+json; profile="a,b"', problem],
    ['application/problem+json, */*', problem],
    ['text/html', json],
    ['*/*', json],
    ['application/*', json],
    ['application/problem+json', problem],
    ['application/problem+json; charset=utf-8', problem],
    ['Application/Problem+JSON', problem],
    ['application/problem+json, */*;q=0.1', problem],
    ['application/problem+json, application/json;q=0.9', problem],
    ['application/json;q=0.2, application/problem+json;q=0.3', problem],
    ['application/json;q=0, */*', problem],
    ['text/html;x=",application/json", application/problem+json', problem],
  ] as const) {
    const reply = await f.get('/api/orders/nope', { accept });
    assert.is(reply.status, 404);
    assert.is(reply.headers.get('content-type'), type, accept);
    assert.is(reply.at('code'), 'not_found');
  }
});

test('a reply is compressed for a client that prefers it', async ({ f }) => {
  const path = '/api/inventory?page_size=100';
  for (const [accepted, coding] of [
    ['gzip', 'gzip'],
    ['x-gzip', 'gzip'],
    ['GZIP', 'gzip'],
    ['*;q=0, gzip', 'gzip'],
    ['identity;q=0.5, gzip', 'gzip'],
    ['deflate, gzip;q=0.8, *;q=0.1', 'gzip'],
    ['*', 'gzip'],
    ['gzip;q=0, *', undefined],
    ['gzip;q=0.2, identity', undefined],
    ['*;q=0', undefined],
    ['', undefined],
  ] as const) {
    const reply = await ask(f, [`HEAD ${path} HTTP/1.1`, 'Host: x', `Accept-Encoding: ${accepted}`]);
    assert.equal([reply.status, reply.headers.get('content-encoding')], [200, coding], accepted);
  }
});

test('If-Match: strong comparison, to the letter; any of several', async ({ f }) => {
  const failing = [
    'W/"4"',
    '"04"',
    '"4 "',
    '"+4"',
    '"40"',
    '"a,4"',
    'W/"4", "3"',
    '"0"',
    '""',
    '"99999999999999999999"',
  ];
  const id = await order(f);
  for (const [tags, status] of [
    ...failing.map((tags) => [tags, tags === '"4 "' ? 400 : 412] as const),
    ['4', 400],
    ['"4', 400],
    ['"4" "5"', 400],
    ['w/"4"', 400],
    ['*, "4"', 400],
    ['', 400],
  ] as const) {
    const reply = await f.post(`/api/orders/${id}/cancel`, {}, { 'if-match': tags });
    assert.is(reply.status, status, `${tags}: ${reply.text}`);
    assert.is(reply.at('errors.0.field'), 'If-Match');
    if (status === 412) assert.is(reply.at('code'), 'precondition_failed');
    const look = await f.get(`/api/orders/${id}`, { 'if-match': tags });
    assert.is(look.status, status, `${tags} of a GET`);
  }
  for (const tags of ['"4"', '"3", "4"', 'W/"4","4"', ' "4" ', ',, "9",\t"4",', '*']) {
    const fresh = await order(f);
    assert.is((await f.get(`/api/orders/${fresh}`)).headers.get('etag'), '"4"');
    assert.is((await f.get(`/api/orders/${fresh}`, { 'if-match': tags })).status, 200, `${tags} of a GET`);
    const reply = await f.post(`/api/orders/${fresh}/cancel`, {}, { 'if-match': tags });
    assert.is(reply.status, 200, `${tags}: ${reply.text}`);
  }
});

test('If-None-Match: 304 for a read, 412 for a change; weak or strong, any of several', async ({ f }) => {
  for (const [tags, isKnown] of [
    ['"4"', true],
    ['W/"4"', true],
    ['"a,b", "4"', true],
    ['*', true],
    ['"04"', false],
    ['"a,4"', false],
    ['"1,"4","', false],
    ['4', false],
    ['', false],
  ] as const) {
    const id = await order(f);
    const headers = { 'if-none-match': tags };
    const look = await f.get(`/api/orders/${id}`, headers);
    assert.equal([look.status, look.headers.get('etag')], [isKnown ? 304 : 200, '"4"'], tags);
    const reply = await f.post(`/api/orders/${id}/cancel`, {}, headers);
    assert.is(reply.status, isKnown ? 412 : 200, `${tags}: ${reply.text}`);
    if (isKnown) assert.is(reply.at('errors.0.field'), 'If-None-Match');
  }
});

test.run();
