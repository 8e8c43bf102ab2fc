/** What the edge tells of requests: one span each, the trace for the owners, and nothing for clients to see. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { withTrace } from '../../../actors/correlation.js';
import type { PlaceRequest } from '../../../actors/ports/owners.js';
import type { RequestHeaders, Tracing } from '../../../actors/ports/tracing.js';
import { type Fixture, startFixture } from './edge-fixture.js';

const test = suite('edge: traces');

const TRACE = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
const PASSED = TRACE.replace(/01$/, '00');
const good = { user_id: 'u', product_id: 'p1', quantity: 1 };

interface Told {
  readonly traceparent: unknown;
  readonly notes: Record<string, string>;
  outcome: unknown;
}

/** Traces every request that says so. */
function tracingWith(told: Told[]): Tracing {
  return {
    tell: () => {},
    request(headers: RequestHeaders) {
      if (headers['x-pass-me'] !== undefined) return { traceparent: PASSED, span: undefined };
      if (headers['x-trace-me'] === undefined) return undefined;
      const one: Told = { traceparent: headers.traceparent, notes: {}, outcome: undefined };
      told.push(one);
      const span = {
        note(name: string, value: string) {
          one.notes[name] = value;
        },
        end(outcome: unknown) {
          one.outcome = outcome;
        },
      };
      return { traceparent: TRACE, span };
    },
  };
}

/** The correlation of each order that was placed. */
function watchPlaced({ owners }: Fixture): string[] {
  const correlations: string[] = [];
  const place = owners.place.bind(owners);
  owners.place = (request: PlaceRequest, ...rest: [number]) => {
    correlations.push(request.correlation);
    return place(request, ...rest);
  };
  return correlations;
}

test('an order goes to its owner with the trace; the client hears the name of its request alone', async () => {
  const told: Told[] = [];
  const f = await startFixture({ tracing: tracingWith(told) });
  try {
    f.owners.stockUp('p1', 10);
    const correlations = watchPlaced(f);
    const mine = { 'x-correlation-id': 'mine', 'x-request-id': 'r-1' };
    const traced = await f.post('/api/orders', good, { ...mine, 'x-trace-me': '1', traceparent: 'up' });
    await f.post('/api/orders', good, mine);
    await f.post('/api/orders', good, { ...mine, 'x-pass-me': '1' });
    assert.equal(correlations, [withTrace('mine', TRACE), 'mine', withTrace('mine', PASSED)]);
    assert.is(traced.headers.get('x-correlation-id'), 'mine');
    assert.equal(told, [
      {
        traceparent: 'up',
        notes: {
          ...{ 'holdfast.correlation_id': 'mine', 'holdfast.request_id': 'r-1' },
          'holdfast.order_id': traced.at('data.order_id'),
        },
        outcome: { method: 'POST', route: '/api/orders', status: 201 },
      },
    ]);
  } finally {
    await f.stop();
  }
});

test('a request that is refused or unknown ends its span too, by its route; probes and metrics have none', async () => {
  const told: Told[] = [];
  const f = await startFixture({ tracing: tracingWith(told) });
  try {
    const me = { 'x-trace-me': '1' };
    for (const path of ['/livez', '/readyz', '/health', '/metrics', '/docs', '/internal/placement'])
      await f.get(path, me);
    assert.equal(told, []);
    await f.post('/api/orders', {}, me);
    await f.get('/api/orders/ORD-1', me);
    await f.get('/api/nothing', me);
    assert.equal(
      told.map(({ outcome }) => outcome),
      [
        { method: 'POST', route: '/api/orders', status: 400 },
        { method: 'GET', route: '/api/orders/:order_id', status: 404 },
        { method: 'GET', route: 'none', status: 404 },
      ],
    );
  } finally {
    await f.stop();
  }
});

test.run();
