/** The log of requests: one line at most, with ids, and with the cause of what could not be served; every request on demand. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Logger } from '../../../actors/ports/runtime.js';
import { Unavailable } from '../../../actors/unavailable.js';
import { type Fixture, startFixture } from './edge-fixture.js';

const test = suite('log of requests');
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceparent = `00-${TRACE}-00f067aa0ba902b7-01`;

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

const absent = () => Promise.reject(new Unavailable('Nobody owns it yet.', true));

/** An edge whose access log is kept. */
async function withAccessLog(use: (fixture: Fixture, lines: Line[]) => Promise<void>): Promise<void> {
  const lines: Line[] = [];
  const note = (level: string) => (fields: object, msg: string) => void lines.push({ level, msg, ...fields });
  const accessLog: Logger = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
  const fixture = await startFixture({ accessLog });
  try {
    await use(fixture, lines);
  } finally {
    await fixture.stop();
  }
}

test('without an access log, what is served has no line', async () => {
  const fixture = await startFixture();
  try {
    assert.is((await fixture.get('/api/orders/transitions')).status, 200);
    assert.is((await fixture.get('/api/orders/none')).status, 404);
    assert.equal(fixture.logged, []);
  } finally {
    await fixture.stop();
  }
});

test('what could not be served has a line with its cause and its ids; a probe has none', async () => {
  const fixture = await startFixture({ ready: async () => 'The disk is full.' });
  try {
    fixture.owners.interfereProduct = absent;
    const reply = await fixture.get('/api/inventory/A', { 'x-request-id': 'mine', traceparent });
    assert.is(reply.status, 503);
    assert.is((await fixture.get('/readyz')).status, 503);
    assert.is(fixture.logged.length, 1);
    const [line = ''] = fixture.logged;
    assert.ok(line.startsWith('warn A request could not be served. '));
    const fields = JSON.parse(line.slice(line.indexOf('{'))) as Record<string, unknown>;
    assert.equal(
      [fields.requestId, fields.traceId, fields.status, fields.route, fields.method, fields.unlogged],
      ['mine', TRACE, 503, '/api/inventory/:product_id', 'GET', 0],
    );
    assert.match(String(fields.cause), /Nobody owns it yet/);
  } finally {
    await fixture.stop();
  }
});

test('the access log has one line a request: its ids, route, status and time, and no path', () =>
  withAccessLog(async ({ get, logged }, lines) => {
    await get('/api/orders/ORD-4711?x=1', { traceparent });
    await get('/api/users/ada/orders');
    await get('/livez');
    assert.equal(
      lines.map(({ level, msg, method, route }) => [level, msg, method, route]),
      [
        ['info', 'request', 'GET', '/api/orders/:order_id'],
        ['info', 'request', 'GET', '/api/users/:user_id/orders'],
        ['info', 'request', 'GET', '/livez'],
      ],
    );
    assert.is(lines[0]?.traceId, TRACE);
    assert.is(lines[1]?.traceId, undefined);
    for (const line of lines) {
      assert.type(line.requestId, 'string');
      assert.type(line.correlation, 'string');
      assert.type(line.ms, 'number');
    }
    assert.not.match(JSON.stringify(lines), /4711|ada/);
    assert.equal(logged, []);
  }));

test('the access log has every 503 with its cause, a probe too, and nothing is logged twice', () =>
  withAccessLog(async ({ get, owners, logged }, lines) => {
    owners.interfereProduct = absent;
    for (let i = 0; i < 3; i++) assert.is((await get('/api/inventory/A')).status, 503);
    assert.equal(
      lines.map(({ level, status }) => [level, status]),
      Array.from({ length: 3 }, () => ['warn', 503]),
    );
    for (const { cause } of lines) assert.match(String(cause), /Nobody owns it yet/);
    assert.equal(logged, []);
  }));

test('broken code has one line, with its stack, its method and its time', () =>
  withAccessLog(async ({ post, owners, logged }, lines) => {
    owners.interfere = () => Promise.reject(new TypeError('inner'));
    assert.is((await post('/api/orders', { user_id: 'u', product_id: 'p1', quantity: 1 })).status, 500);
    assert.equal(lines, []);
    assert.is(logged.length, 1);
    const [line = ''] = logged;
    assert.ok(line.startsWith('error A request failed with an unexpected error. '));
    const { method, route, status, ms } = JSON.parse(line.slice(line.indexOf('{'))) as Record<string, unknown>;
    assert.equal([method, route, status], ['POST', '/api/orders', 500]);
    assert.type(ms, 'number');
  }));

test('a trace id is taken from a well-formed traceparent alone', () =>
  withAccessLog(async ({ get }, lines) => {
    const given = [
      traceparent,
      `cc-${TRACE}-00f067aa0ba902b7-01-what-comes-later`,
      `ff-${TRACE}-00f067aa0ba902b7-01`,
      `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
      `00-${TRACE}-${'0'.repeat(16)}-01`,
      `00-${TRACE.toUpperCase()}-00f067aa0ba902b7-01`,
      `00-${TRACE}`,
      '',
    ];
    for (const each of given) assert.is((await get('/livez', { traceparent: each })).status, 200);
    assert.equal(
      lines.map(({ traceId }) => traceId),
      [TRACE, TRACE, ...Array.from({ length: 6 }, () => undefined)],
    );
  }));

test.run();
