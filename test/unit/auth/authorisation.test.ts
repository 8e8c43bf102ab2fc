// The authorisation matrix: every operation of the table, on every port and under both prefixes, with every kind of
// credential. The expectation follows from the operation's declaration, so a new operation is covered, or this test
// fails and asks for its owner.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Logger } from '../../../actors/ports/runtime.js';
import type { Scope } from '../../../actors/principal.js';
import { LiveHub } from '../../../bus/live/live-hub.js';
import { memorySource } from '../../../bus/live/memory-source.js';
import type { Operation } from '../../../http/api/operation.js';
import { operations } from '../../../http/api/operations/all.js';
import { pathsOf } from '../../../http/api/routes.js';
import { replyFault } from '../edge/documented.js';
import { type Fixture, startFixture } from '../edge/edge-fixture.js';
import { realClock } from '../edge/fake-owners.js';
import { Credentials, without } from './credentials.js';

const ADMIN_KEY = 'b1946ac92492d2347c6235b4d2611184';
/** The user of the examples. */
const OWN = 'ada';
const OTHER = 'eve';

interface Context {
  f: Fixture;
  credentials: Credentials;
  live: LiveHub;
  logged: string[];
  /** The owner named in OWN. */
  order: string;
}

interface Reply {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

const test = suite<Context>('the authorisation matrix');

test.before(async (context) => {
  const logged: string[] = [];
  const note = (fields: object, line: string) =>
    void logged.push(`${line} ${JSON.stringify(fields, (_, v) => (v instanceof Error ? `${v.stack} ${v.cause}` : v))}`);
  const logger: Logger = { debug: note, info: note, warn: note, error: note };
  const credentials = await Credentials.start(logger, ADMIN_KEY);
  const live = new LiveHub({ source: memorySource(() => Date.now()), clock: realClock, logger });
  const f = await startFixture({ auth: credentials.auth, logger, live });
  for (const product of ['PROD-001', 'PROD-002', 'PROD-003', 'PROD-004']) f.owners.stockUp(product, 1_000_000);
  const authorization = `Bearer ${ADMIN_KEY}`;
  const placed = await f.post('/api/orders', { user_id: OWN, product_id: 'PROD-001', quantity: 1 }, { authorization });
  Object.assign(context, { f, credentials, live, logged, order: String(placed.at('data.id')) });
});
test.after(async ({ f, credentials, live }) => {
  await f.stop();
  live.stop(); // It would go on reading for a while, and keep this process.
  await credentials.stop();
});

// ---------------------------------------------------------------- requests

interface Changes {
  readonly base?: string;
  readonly path?: string;
  /** A parameter of the path, the query or the body. */
  readonly user?: string;
  readonly body?: string;
}

/** The operation's first example, with an existing order and a new idempotency key. */
async function ask(
  { f, order }: Context,
  operation: Operation,
  authorization: string | undefined,
  { base = f.base, path = operation.path, user = OWN, body }: Changes = {},
): Promise<Reply> {
  const example = operation.examples?.[0];
  const given: Record<string, string> = { ...example?.params, order_id: order, user_id: user };
  const filled = path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(given[name] ?? 'x'));
  const query = new URLSearchParams(example?.query);
  const shown = example?.body as Record<string, unknown> | undefined;
  const content =
    body ??
    operation.stream?.example ??
    (shown && JSON.stringify({ ...shown, ...('user_id' in shown && { user_id: user }) }));
  const reply = await fetch(`${base}${filled}${query.size > 0 ? `?${query}` : ''}`, {
    method: operation.method,
    headers: {
      ...(authorization !== undefined && { authorization }),
      ...(content !== undefined && { 'content-type': operation.stream?.contentType ?? 'application/json' }),
    },
    ...(content !== undefined && { body: content }),
  });
  const isEndless = operation.endless === true && reply.ok;
  return { status: reply.status, text: await (isEndless ? firstOf(reply) : reply.text()), headers: reply.headers };
}

/** Hangs up after the first piece. */
async function firstOf({ body }: Response): Promise<string> {
  for await (const piece of body ?? []) return Buffer.from(piece as Uint8Array).toString();
  return '';
}

const basesOf = ({ f }: Context, { ports }: Operation) => (ports === 'both' ? [f.base, f.inventoryBase] : [f.base]);

/** An export is a line of JSON for each order, and no error. */
const codeOf = ({ text, headers }: Reply): unknown =>
  text.startsWith('{') && headers.get('content-type')?.startsWith('application/json')
    ? (JSON.parse(text) as { code?: unknown }).code
    : '';

function isRefused(reply: Reply, status: 401 | 403, operation: Operation, what: string): void {
  assert.is(reply.status, status, `${operation.id} with ${what}: ${reply.status} ${reply.text}`);
  assert.is(codeOf(reply), status === 401 ? 'unauthorized' : 'forbidden', what);
  if (status === 401) assert.match(reply.headers.get('www-authenticate') ?? '', /^Bearer/, what);
  const seen = { ...reply, contentType: reply.headers.get('content-type') ?? '' };
  assert.is(replyFault(operation, seen), undefined, `${operation.id} with ${what}: ${reply.text}`);
}

/** Admitted: a success, or the operation's own answer to the request. */
function isLetIn(reply: Reply, operation: Operation, what: string): void {
  const isWell = operation.method === 'GET' ? reply.status < 300 : reply.status < 500;
  // A missing part of the order is an answer about the order.
  const isAboutOrder = reply.text.includes('has no such return');
  const isTurnedAway =
    ['unauthorized', 'forbidden', 'not_found', 'method_not_allowed'].includes(String(codeOf(reply))) && !isAboutOrder;
  assert.ok(isWell && !isTurnedAway, `${operation.id} with ${what}: ${reply.status} ${reply.text}`);
}

const isOpen = ({ scope }: Operation) => scope === 'none' || scope === 'told';
const scopeOf = ({ scope }: Operation): Scope => scope.replace('service:', '') as Scope;
const isForService = ({ scope }: Operation) => scope.startsWith('service:') || scope === 'admin';
const guarded = operations.filter((operation) => !isOpen(operation));
const scoped = guarded.filter(({ scope }) => scope !== 'any');

// ---------------------------------------------------------------- the matrix

test('the open operations are those of the contract', () => {
  assert.equal(
    operations
      .filter(isOpen)
      .map(({ path }) => path)
      .sort(),
    ['/docs', '/health', '/livez', '/openapi.json', '/ready', '/readyz', '/schemas/events.json'],
  );
  for (const { path, scope } of operations) {
    if (path === '/metrics' || path === '/internal/overview') assert.is(scope, 'service:metrics:read', path);
    else if (path.startsWith('/internal/')) assert.is(scope, 'admin', path);
  }
});

test('a request without a credential gets 401, except where none is required', async (context) => {
  const invalid = await context.credentials.invalid();
  for (const operation of operations) {
    for (const [what, authorization] of Object.entries(invalid)) {
      for (const base of basesOf(context, operation)) {
        const reply = await ask(context, operation, authorization, { base });
        if (isOpen(operation)) isLetIn(reply, operation, what);
        else isRefused(reply, 401, operation, what);
      }
    }
    for (const path of pathsOf(operation)) {
      const reply = await ask(context, operation, undefined, { path });
      if (!isOpen(operation)) isRefused(reply, 401, operation, path);
    }
  }
});

test('a wrong scope gets 403', async (context) => {
  const { credentials } = context;
  for (const operation of scoped) {
    const scopes = without(scopeOf(operation));
    for (const [what, authorization] of [
      ['a service of other scopes', `Bearer ${await credentials.key(scopes)}`],
      ['a service of none', `Bearer ${await credentials.key([])}`],
      ['a customer of other scopes', `Bearer ${await credentials.key(scopes, OWN)}`],
      ['a token of other scopes', `Bearer ${await credentials.token(OWN, scopes)}`],
    ] as const) {
      for (const base of basesOf(context, operation))
        isRefused(await ask(context, operation, authorization, { base }), 403, operation, what);
    }
  }
});

test('the right scope is admitted, and admin everywhere', async (context) => {
  const { credentials } = context;
  const admins = [ADMIN_KEY, await credentials.key(['admin']), await credentials.token('root', ['admin'])];
  for (const operation of guarded) {
    const scopes = operation.scope === 'any' ? [] : [scopeOf(operation)];
    const right = [...admins, await credentials.key(scopes)];
    for (const text of right) {
      for (const base of basesOf(context, operation))
        isLetIn(await ask(context, operation, `Bearer ${text}`, { base }), operation, 'the right scope');
    }
    const customers =
      operation.scope === 'admin' ? [] : [await credentials.key(scopes, OWN), await credentials.token(OWN, scopes)];
    for (const text of customers) {
      const reply = await ask(context, operation, `Bearer ${text}`);
      if (isForService(operation)) isRefused(reply, 403, operation, 'a customer');
      else isLetIn(reply, operation, 'the customer itself');
    }
  }
});

test("another customer's order does not exist for a customer, and nobody orders for another customer", async (context) => {
  const { credentials, order } = context;
  const all = without('admin');
  for (const text of [await credentials.key(all, OTHER), await credentials.token(OTHER, all)]) {
    const authorization = `Bearer ${text}`;
    for (const operation of scoped) {
      const what = 'a credential of another tenant';
      const reply = await ask(context, operation, authorization);
      const takesUser = 'user_id' in Object(operation.examples?.[0]?.body);
      if (isForService(operation)) isRefused(reply, 403, operation, what);
      else if (/:(order_id|user_id)\b/.test(operation.path)) {
        assert.is(reply.status, 404, `${operation.id}: ${reply.text}`);
        assert.is(codeOf(reply), 'not_found', operation.id);
      } else if (takesUser) {
        isRefused(reply, 403, operation, what);
        assert.match(reply.text, /"field":"user_id"/);
      } else if (operation.scope === 'orders:read') {
        isLetIn(reply, operation, what);
        assert.not.ok(reply.text.includes(order), `${operation.id} shows another's order`);
      } else
        assert.is(operation.scope, 'inventory:write', `${operation.id}: whose is it? Say it here and in the edge.`);
    }
  }
});

test("a list has the customer's own orders only, for any filter", async ({ f, credentials }) => {
  const authorization = `Bearer ${ADMIN_KEY}`;
  const body = { user_id: OWN, product_id: 'PROD-001', quantity: 1 };
  const order = (await f.post('/api/orders', body, { authorization })).at('data.id');
  const listed = async (text: string, query: string) =>
    (await f.get(`/api/orders?page_size=100${query}`, { authorization: `Bearer ${text}` })).at('data') as {
      id: string;
    }[];
  const [own, other] = [await credentials.key(['orders:read'], OWN), await credentials.token(OTHER, ['orders:read'])];
  const service = await credentials.key(['orders:read']);
  for (const query of ['', `&user_id=${OWN}`, '&status=confirmed', `&user_id=${OWN}&status=confirmed`]) {
    assert.ok(
      (await listed(own, query)).some(({ id }) => id === order),
      query,
    );
    assert.ok(
      (await listed(service, query)).some(({ id }) => id === order),
      query,
    );
    assert.equal(await listed(other, query), [], query);
  }
  assert.equal(await listed(own, `&user_id=${OTHER}`), []);
});

test('401 and 403 come before validation, and before 404', async (context) => {
  const { f, credentials } = context;
  const key = await credentials.key([]);
  for (const operation of guarded) {
    if (operation.method === 'GET') continue;
    for (const body of ['{', '', 'x'.repeat(2_000_000)]) {
      isRefused(await ask(context, operation, undefined, { body }), 401, operation, 'a broken body');
      if (operation.scope === 'any') continue;
      isRefused(await ask(context, operation, `Bearer ${key}`, { body }), 403, operation, 'a broken body');
    }
  }
  for (const base of [f.base, f.inventoryBase]) {
    for (const [method, path, found] of [
      ['GET', '/api/nothing', 404],
      ['GET', '/api/v1/', 404],
      ['GET', '/internal/nothing', 404],
      ['GET', '/nothing', 404],
      ['DELETE', '/api/inventory', 405],
      ['GET', '/api/inventory/%zz', 400],
      ['GET', '/api/inventory?page=x', 400],
    ] as const) {
      const [without, with_] = await Promise.all(
        [undefined, key].map((text) =>
          fetch(base + path, { method, headers: text === undefined ? {} : { authorization: `Bearer ${text}` } }),
        ),
      );
      assert.is(without?.status, 401, `${method} ${path}`);
      assert.is(with_?.status, found, `${method} ${path}`);
    }
  }
});

test('a browser may send its preflight without a key', async ({ f }) => {
  const reply = await fetch(`${f.base}/api/orders`, { method: 'OPTIONS' });
  assert.is(reply.status, 204);
});

test('/health has the status for all callers, and the details for known ones', async ({ f, credentials }) => {
  const known = [ADMIN_KEY, await credentials.key([]), await credentials.token(OWN, [])];
  for (const base of [f.base, f.inventoryBase]) {
    for (const authorization of Object.values(await credentials.invalid())) {
      const reply = await f.get(`${base}/health`, authorization === undefined ? {} : { authorization });
      assert.equal([reply.status, reply.text], [200, '{"status":"ok"}']);
    }
    for (const text of known) {
      const reply = await f.get(`${base}/health`, { authorization: `Bearer ${text}` });
      assert.is(reply.at('dependencies.postgres.status'), 'ok');
    }
  }
});

test('/api/me tells a caller all that it may do', async ({ f, credentials }) => {
  const told = async (text: string) => {
    const reply = await f.get('/api/me', { authorization: `Bearer ${text}` });
    return ['auth', 'subject', 'user_id', 'scopes', 'gremlin'].map((name) => reply.at(`data.${name}`));
  };
  const all = ['orders:read', 'orders:write', 'inventory:write', 'metrics:read', 'admin'];
  assert.equal(await told(ADMIN_KEY), ['keys', 'ADMIN_KEY', null, all, false]);
  const key = await credentials.key(['metrics:read', 'orders:read'], OWN, { caller: 'shop' });
  assert.equal(await told(key), ['keys', 'key:shop', OWN, ['orders:read', 'metrics:read'], false]);
  assert.is((await f.get('/api/me')).status, 401);
});

test('a customer is one caller by key and by token; a service with the same idempotency key is another', async ({
  f,
  credentials,
}) => {
  const scopes: readonly Scope[] = ['orders:write'];
  const body = { user_id: OWN, product_id: 'PROD-001', quantity: 1 };
  const place = async (text: string) => {
    const headers = { authorization: `Bearer ${text}`, 'idempotency-key': 'the-same' };
    const reply = await f.post('/api/orders', body, headers);
    assert.is(reply.status, 201, reply.text);
    return reply.at('data.id');
  };
  const customers = [
    await credentials.key(scopes, OWN),
    await credentials.key(scopes, OWN),
    await credentials.token(OWN, scopes),
  ];
  const services = [
    await credentials.key(scopes),
    await credentials.key(scopes),
    ADMIN_KEY,
    await credentials.token(OWN, ['admin']),
  ];
  const mine = new Set(await Promise.all(customers.map(place)));
  assert.is(mine.size, 1);
  const theirs = await Promise.all(services.map(place));
  assert.is(new Set([...mine, ...theirs]).size, 1 + services.length);
  const first = await credentials.key(scopes, undefined, { caller: 'rotated' });
  const second = await credentials.key(scopes, undefined, { caller: 'rotated' });
  assert.is(await place(first), await place(second), 'a key that replaces another is the same caller');
});

test('no credential was logged or echoed', async (context) => {
  const { f, credentials, logged } = context;
  f.owners.interfere = async () => {
    throw new Error('broken on purpose');
  };
  const broken = await f.post(
    '/api/orders',
    { user_id: OWN, product_id: 'PROD-001', quantity: 1 },
    { authorization: `Bearer ${ADMIN_KEY}` },
  );
  f.owners.interfere = undefined;
  assert.is(broken.status, 500);
  const text = logged.join('\n');
  assert.match(text, /broken on purpose/);
  assert.ok(logged.length > 500 && credentials.secrets.length > 100);
  for (const secret of credentials.secrets) {
    assert.not.ok(text.includes(secret), 'logged whole');
    assert.not.ok(text.includes(secret.slice(-40)), 'logged in part');
    assert.not.ok(broken.text.includes(secret));
  }
});

test.run();
