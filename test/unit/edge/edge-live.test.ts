/** Live events over HTTP: the stream's form, resumption, who sees what, limits, and stops. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId, productId, userId } from '../../../actors/ids.js';
import { LiveHub } from '../../../bus/live/live-hub.js';
import { type MemorySource, memorySource } from '../../../bus/live/memory-source.js';
import { Failure } from '../../../http/api/failure.js';
import type { Auth } from '../../../http/auth/auth.js';
import type { EdgeOptions } from '../../../http/edge.js';
import { orderEvent } from '../../contract/live-events.suite.js';
import { until } from '../../deadlines.js';
import { type Fixture, startFixture } from './edge-fixture.js';
import { realClock } from './fake-owners.js';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const TOLD_MS = 10_000;
const JOURNAL = journalId('LIVE');

interface Context {
  f: Fixture;
  source: MemorySource;
  hub: LiveHub;
  streams: Stream[];
  turns: number;
}

const test = suite<Context>('live events over HTTP');

async function begin(context: Context, more: Partial<EdgeOptions> = {}): Promise<void> {
  context.source = memorySource(() => Date.now());
  context.hub = new LiveHub({ source: context.source, clock: realClock, logger: silent });
  context.f = await startFixture({ live: context.hub, ...more });
  context.streams = [];
  context.turns = 0;
}
test.before.each((context) => begin(context));
test.after.each(end);

async function end({ f, hub, streams }: Context): Promise<void> {
  for (const stream of streams) stream.hangUp();
  await f.stop();
  hub.stop();
}

/** A client that reads frames as EventSource does. */
class Stream {
  text = '';
  isOver = false;
  private readonly control = new AbortController();
  reply: Response | undefined;

  static async open({ f, streams }: Context, path: string, headers: Record<string, string> = {}): Promise<Stream> {
    const stream = new Stream();
    stream.reply = await fetch(f.base + path, { headers, signal: stream.control.signal });
    if (stream.reply.status === 200) void stream.read();
    streams.push(stream);
    return stream;
  }

  private async read(): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const piece of this.reply?.body ?? [])
        this.text += decoder.decode(piece as Uint8Array, { stream: true });
    } catch {
      // It was hung up.
    }
    this.isOver = true;
  }

  get events(): string[] {
    return [...this.text.matchAll(/^data: (\{"id".*)$/gm)].map(
      ([, data]) => (JSON.parse(data ?? '') as { id: string }).id,
    );
  }

  get lastId(): string {
    return [...this.text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? '';
  }

  async has(events: readonly string[]): Promise<void> {
    await until(() => this.events.length >= events.length, TOLD_MS, 5);
    assert.equal(this.events, events, this.text);
  }

  hangUp(): void {
    this.control.abort();
  }
}

const publish = (context: Context, ...events: string[]) =>
  context.source.publish(JOURNAL, ++context.turns, `[${events.join(',')}]`);

const stockEvent = (product: string, version: number): string =>
  `{"id":"product/${product}/${version}","type":"inventory.received.v1","subject":"${product}","data":{}}`;

test('a stream begins now, says how to come again, and has each event with its id', async (context) => {
  publish(context, orderEvent('old', 1));
  const stream = await Stream.open(context, '/api/events');
  const { headers } = stream.reply as Response;
  assert.is(headers.get('content-type'), 'text/event-stream; charset=utf-8');
  assert.equal([headers.get('x-accel-buffering'), headers.get('cache-control')], ['no', 'no-store']);
  assert.is(headers.get('content-encoding'), null);
  await until(() => stream.text.includes('\n\n'), TOLD_MS, 5);
  assert.match(stream.text, /^: events\nretry: [123]\d{3}\nid: \S+\n\n$/);
  publish(context, orderEvent('new', 1), stockEvent('p', 1));
  await stream.has(['order/new/1', 'product/p/1']);
});

test('Last-Event-ID goes on after that event; the parameter does so too, and the header wins', async (context) => {
  const first = await Stream.open(context, '/api/events');
  publish(context, orderEvent('a', 1), orderEvent('a', 2));
  await first.has(['order/a/1', 'order/a/2']);
  const [, one = '', two = ''] = [...first.text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id ?? '');
  await (await Stream.open(context, '/api/events', { 'Last-Event-ID': one })).has(['order/a/2']);
  await (await Stream.open(context, `/api/events?after=${one}`)).has(['order/a/2']);
  const header = await Stream.open(context, `/api/v1/events?after=${one}`, { 'Last-Event-ID': two });
  publish(context, orderEvent('a', 3));
  await header.has(['order/a/3']);
});

test('bad input is refused with its field, and a HEAD has no body', async (context) => {
  const { f } = context;
  for (const [path, headers, field] of [
    ['/api/events', { 'Last-Event-ID': '17' }, 'Last-Event-ID'],
    ['/api/events?after=x', {}, 'after'],
    ['/api/events?type=nonsense', {}, 'type'],
    ['/api/events?type=', {}, 'type'],
    ['/api/events?type=order,order.placed.v2', {}, 'type'],
    ['/api/events?product_id=', {}, 'product_id'],
    ['/api/events?page=1', {}, 'page'],
  ] as const) {
    const reply = await f.get(path, headers);
    assert.equal([reply.status, reply.at('errors.0.field')], [400, field], path);
  }
  const misspelt = await f.get('/api/events?type=order.placed,order.confirmd');
  assert.match(
    String(misspelt.at('errors.0.message')),
    /^type .*"order.confirmd" is none, the nearest is order.confirmed,/,
  );
  assert.is((await f.get('/api/orders/none/events')).status, 404);
  const head = await fetch(`${f.base}/api/events`, { method: 'HEAD' });
  assert.equal([head.status, head.headers.get('content-type')], [200, 'text/event-stream; charset=utf-8']);
  assert.is(context.hub.listeners, 0);
});

test('an order has a stream of its own', async (context) => {
  context.f.owners.stockUp('PROD-001', 10);
  const placed = await context.f.post('/api/orders', { user_id: 'ada', product_id: 'PROD-001', quantity: 1 });
  const id = String(placed.at('data.id'));
  const stream = await Stream.open(context, `/api/orders/${id}/events`);
  publish(context, orderEvent('other', 1), orderEvent(id, 1), stockEvent('PROD-001', 1));
  publish(context, orderEvent(id, 2));
  await stream.has([`order/${id}/1`, `order/${id}/2`]);
});

test('beyond the limit a client hears 503, and there is room again when another has left', async (context) => {
  await end(context);
  await begin(context, { mostListeners: 1 });
  const first = await Stream.open(context, '/api/events');
  const refused = await context.f.get('/api/events');
  assert.equal([refused.status, refused.at('code'), refused.headers.get('retry-after')], [503, 'busy', '5']);
  first.hangUp();
  const isFree = async () => (await fetch(`${context.f.base}/api/events`, { method: 'HEAD' })).status === 200;
  assert.ok(await until(isFree, TOLD_MS));
});

test('an announced stop ends all streams at once and says so; who comes then is sent on', async (context) => {
  const stream = await Stream.open(context, '/api/events');
  publish(context, orderEvent('s', 1));
  await stream.has(['order/s/1']);
  const { lastId } = stream;
  context.f.edge.announceStop();
  assert.ok(await until(() => stream.isOver, TOLD_MS, 5));
  assert.match(stream.text, /\n\nretry: \d+\nevent: end\ndata: \{"code":"stopping","message":"[^"]+"\}\n\n$/);
  assert.is(stream.lastId, lastId);
  const late = await context.f.get('/api/events');
  assert.is(late.status, 200);
  assert.match(late.text, /^retry: \d+\nevent: end\ndata: \{"code":"stopping"/);
});

test('a client that reads nothing is ended, and no memory waits for it', async (context) => {
  await end(context);
  await begin(context);
  const small = new LiveHub({ source: context.source, clock: realClock, logger: silent, ringBytes: 300_000 });
  context.hub.stop();
  context.hub = small;
  await context.f.stop();
  context.f = await startFixture({ live: small });
  const control = new AbortController();
  const reply = await fetch(`${context.f.base}/api/events`, { signal: control.signal });
  assert.is(reply.status, 200); // Its body is not read.
  const padding = 'x'.repeat(50_000);
  const isEnded = async () => {
    publish(context, orderEvent(`big${context.turns}`, 1, { padding }));
    return small.listeners === 0;
  };
  assert.ok(await until(isEnded, TOLD_MS, 2), 'it still listens');
  const text = await reply.text();
  assert.match(text.slice(-300), /event: end\ndata: \{"code":"too_slow"/);
});

test('a listener far behind is ended with an id that has moved on, though nothing matched', async (context) => {
  for (let i = 0; i < 5; i++) publish(context, orderEvent(`past${i}`, 1, { notes: 'x'.repeat(500) }));
  const part = { bytes: 1_000, ms: TOLD_MS };
  const hub = new LiveHub({ source: context.source, clock: realClock, logger: silent, ringBytes: 1, part });
  context.hub.stop();
  context.hub = hub;
  await context.f.stop();
  context.f = await startFixture({ live: hub });
  const stream = await Stream.open(context, '/api/events?after=1.1.1&product_id=none');
  assert.ok(await until(() => stream.isOver, TOLD_MS, 5));
  assert.match(stream.text, /\n\nretry: \d+\nid: \S+\nevent: end\ndata: \{"code":"interrupted"[^\n]+\n\n$/);
  const next = await Stream.open(context, '/api/events', { 'Last-Event-ID': stream.lastId });
  assert.ok(await until(() => next.isOver, TOLD_MS, 5));
  assert.equal(next.events, ['order/past2/1', 'order/past3/1']);
});

test('without live events the reply says why', async (context) => {
  await context.f.stop();
  context.f = await startFixture();
  const reply = await context.f.get('/api/events');
  assert.equal([reply.status, reply.at('code')], [503, 'unavailable']);
});

test('a customer gets the events of its own orders alone, and none once its key is revoked', async (context) => {
  const known = new Set(['ada', 'stock', 'staff']);
  const auth = {
    async principal({ headers }: { headers: { authorization?: string } }) {
      const name = headers.authorization?.replace('Bearer ', '') ?? '';
      if (!known.has(name)) throw new Failure(401, 'unauthorized', 'unknown');
      const scopes = name === 'stock' ? (['orders:read', 'inventory:write'] as const) : (['orders:read'] as const);
      return { subject: name, userId: name === 'staff' ? undefined : userId('ada'), scopes: new Set(scopes) };
    },
  } as unknown as Auth;
  await context.f.stop();
  context.f = await startFixture({ live: context.hub, auth });
  const as = (name: string) => ({ Authorization: `Bearer ${name}` });
  const [ada, stock, staff] = await Promise.all(
    ['ada', 'stock', 'staff'].map((name) => Stream.open(context, '/api/events', as(name))),
  );
  assert.is((await context.f.get('/api/events?user_id=bob', as('ada'))).status, 403);
  assert.is((await context.f.get('/api/events', as('nobody'))).status, 401);
  publish(
    context,
    ...[orderEvent('1', 1, { user_id: 'ada' }), orderEvent('2', 1, { user_id: 'bob' }), orderEvent('3', 1)],
    stockEvent(productId('p'), 1),
  );
  await staff?.has(['order/1/1', 'order/2/1', 'order/3/1', 'product/p/1']);
  await stock?.has(['order/1/1', 'product/p/1']);
  await ada?.has(['order/1/1']);
  known.delete('ada');
  assert.ok(await until(() => ada?.isOver === true, TOLD_MS));
  assert.match(ada?.text ?? '', /"code":"not_allowed"/);
  assert.not.ok(staff?.isOver);
});

test.run();
