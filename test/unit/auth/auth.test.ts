// From a request to a principal: what is cached and for how long, what happens if the database does not answer,
// and that no credential is ever written down.
import type { IncomingMessage } from 'node:http';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { userId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import type { ApiKey, ApiKeys } from '../../../actors/ports/api-keys.js';
import type { Clock, Logger } from '../../../actors/ports/runtime.js';
import type { Principal, Scope } from '../../../actors/principal.js';
import { Failure } from '../../../http/api/failure.js';
import { drawKey, hashOf, isApiKey } from '../../../http/auth/api-key.js';
import { Auth } from '../../../http/auth/auth.js';
import { memoryApiKeys } from '../../../storage/memory/memory-api-keys.js';
import { realClock } from '../edge/fake-owners.js';

const ADMIN_KEY = '5f0e8d1c7b2a49368e6d0c1f2a3b4c5d';

interface Context {
  keys: ApiKeys & { isAway: boolean; finds: number; touches: string[] };
  clock: Clock & { passed: number };
  auth: Auth;
  logged: string[];
}

const test = suite<Context>('auth');

test.before.each((context) => {
  const stored = memoryApiKeys();
  const keys = {
    ...stored,
    isAway: false,
    finds: 0,
    touches: [] as string[],
    find: async (hash: string) => {
      keys.finds++;
      if (keys.isAway) throw new Error('Postgres does not answer');
      return stored.find(hash);
    },
    touch: async (id: string, at: number) => {
      keys.touches.push(id);
      if (keys.isAway) throw new Error('Postgres does not answer');
      return stored.touch(id, at);
    },
  };
  const clock = {
    ...realClock,
    passed: 0,
    now: () => 1_800_000_000_000 + clock.passed,
    monotonic: () => clock.passed,
  };
  const logged: string[] = [];
  const note = (fields: object, line: string) => void logged.push(`${line} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug: note, info: note, warn: note, error: note };
  context.keys = keys;
  context.clock = clock;
  context.logged = logged;
  context.auth = new Auth({ keys, adminKey: ADMIN_KEY, tokens: undefined, clock, logger });
});

const stored = async ({ keys, clock }: Context, more: Partial<ApiKey> = {}): Promise<{ id: string; key: string }> => {
  const { id, key, hash } = drawKey();
  await keys.create({
    ...{ id, hash, name: 'shop', scopes: ['orders:read'], userId: undefined, caller: id, createdAt: clock.now() },
    ...{ expiresAt: undefined, revokedAt: undefined, lastUsedAt: undefined },
    ...more,
  });
  return { id, key };
};

const bearing = (authorization: string | undefined) => ({ headers: { authorization } }) as IncomingMessage;
const asking = ({ auth }: Context, authorization: string | undefined): Promise<Principal> =>
  (async () => auth.principal(bearing(authorization)))();
/** Waits for background work; here all of it is in memory. */
const settled = () => new Promise((resolve) => setImmediate(resolve));
const by = (context: Context, key: string) => asking(context, `Bearer ${key}`);

const refused = async (promise: Promise<unknown>, status: number): Promise<Failure> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Failure)) throw new Error(`not refused, but ${String(error)}`);
  assert.is(error.status, status);
  return error;
};

test('a key has a form that secret scanners know, 256 random bits, and shares nothing with another key', () => {
  const drawn = Array.from({ length: 100 }, drawKey);
  for (const { id, key, hash } of drawn) {
    assert.match(key, new RegExp(`^hf_${id}_[0-9a-f]{64}$`));
    assert.ok(isApiKey(key));
    assert.is(hash, hashOf(key));
  }
  assert.is(new Set(drawn.flatMap(({ id, key, hash }) => [id, key, hash])).size, 300);
});

test('a valid key gives its principal: a service or a customer', async (context) => {
  const service = await stored(context, { scopes: ['orders:read', 'inventory:write'] });
  const principal = await by(context, service.key);
  assert.is(principal.subject, `key:${service.id}`);
  assert.is(principal.userId, undefined);
  assert.equal([...principal.scopes], ['orders:read', 'inventory:write']);
  const customer = await stored(context, { userId: userId('ada'), caller: 'first' });
  assert.is((await by(context, customer.key)).userId, 'ada');
  assert.is((await by(context, customer.key)).subject, 'key:first');
  assert.equal([...(await by(context, ADMIN_KEY)).scopes], ['admin']);
});

test('a malformed credential is a 401 with its challenge, without a query to the database', async (context) => {
  const { key } = await stored(context);
  const wrong = [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    `Basic ${key}`,
    key,
    `Bearer  ${key} ${key}`,
    'Bearer ä',
    'Bearer x',
  ];
  for (const authorization of [...wrong, `Bearer ${ADMIN_KEY}0`, `Bearer ${key}0`, `Bearer ${key.toUpperCase()}`]) {
    const { code, details } = await refused(asking(context, authorization), 401);
    assert.is(code, 'unauthorized');
    assert.is(details.headers?.[0], 'WWW-Authenticate');
    assert.match(details.headers?.[1] ?? '', /^Bearer/);
  }
  assert.is(context.keys.finds, 0);
  assert.ok(await asking(context, `bearer   ${key} `));
});

test('unknown, revoked and expired keys get the same answer', async (context) => {
  const { clock } = context;
  const others = [
    drawKey(),
    await stored(context, { revokedAt: clock.now() - 1 }),
    await stored(context, { expiresAt: clock.now() }),
  ];
  const answers = await Promise.all(others.map(({ key }) => refused(by(context, key), 401)));
  assert.is(new Set(answers.map(({ message, details }) => message + JSON.stringify(details))).size, 1);
  const { key } = await stored(context);
  await refused(by(context, `${key.slice(0, 15)}_${'0'.repeat(64)}`), 401);
});

test('a verified key is cached for its time and no longer: a revocation takes 5 s at most', async (context) => {
  const { keys, clock } = context;
  const { id, key } = await stored(context);
  await Promise.all(Array.from({ length: 50 }, () => by(context, key)));
  assert.is(keys.finds, 1, 'one look-up for all that wait');
  await keys.revoke(id, clock.now());
  clock.passed += limits.credentialRefreshMs;
  assert.ok(await by(context, key));
  assert.is(keys.finds, 1);
  clock.passed += limits.credentialMs - limits.credentialRefreshMs;
  await refused(by(context, key), 401);
  assert.ok(limits.credentialMs <= 5_000);
});

test('a key in use is looked up again before its time is over, and no request waits for it', async (context) => {
  const { keys, clock } = context;
  const { id, key } = await stored(context);
  assert.ok(await by(context, key));
  for (let i = 0; i < 10; i++) {
    clock.passed += limits.credentialMs - 1;
    assert.not.instance(context.auth.principal(bearing(`Bearer ${key}`)), Promise);
    await settled();
  }
  assert.is(keys.finds, 11);
  await keys.revoke(id, clock.now());
  clock.passed += limits.credentialRefreshMs + 1;
  assert.ok(await by(context, key));
  await settled();
  await refused(by(context, key), 401);
});

test('the time of a cached key counts from before the look-up', async (context) => {
  const { keys, clock } = context;
  const { id, key } = await stored(context);
  const find = keys.find;
  keys.find = async (hash) => {
    const found = await find(hash);
    clock.passed += 4_000; // Revoked right after it was read, and the answer is slow.
    await keys.revoke(id, clock.now());
    return found;
  };
  assert.ok(await by(context, key));
  keys.find = find;
  clock.passed += limits.credentialMs - 4_000;
  await refused(by(context, key), 401);
});

test('a cached key that expires is refused', async (context) => {
  const { clock } = context;
  const { key } = await stored(context, { expiresAt: clock.now() + 1_000 });
  assert.ok(await by(context, key));
  clock.passed += 1_000;
  await refused(by(context, key), 401);
});

test('without the database, cached keys work for their time, unknown ones get 503, ADMIN_KEY always works', async (context) => {
  const { keys, clock } = context;
  const [known, unknown] = [await stored(context), await stored(context)];
  assert.ok(await by(context, known.key));
  keys.isAway = true;
  clock.passed += limits.credentialMs - 1;
  assert.ok(await by(context, known.key));
  await settled();
  assert.ok(await by(context, known.key), 'no answer is not a no');
  const { code, details } = await refused(by(context, unknown.key), 503);
  assert.is(code, 'unavailable');
  assert.equal(details.headers, ['Retry-After', '1']);
  clock.passed += 1;
  await refused(by(context, known.key), 503);
  assert.ok(await by(context, ADMIN_KEY));
  await refused(by(context, 'garbage'), 401);
  keys.isAway = false;
  assert.ok(await by(context, known.key));
  assert.ok(await by(context, unknown.key));
});

test('a bad key is cached as well, and the cache is bounded', async (context) => {
  const { keys } = context;
  const { key } = drawKey();
  for (let i = 0; i < 10; i++) await refused(by(context, key), 401);
  assert.is(keys.finds, 1);
  const good = await stored(context);
  assert.ok(await by(context, good.key));
  for (let i = 0; i < limits.knownCredentials + 10; i++) await by(context, `x${i}`).catch(() => {});
  await by(context, good.key);
  assert.is(keys.finds, 2, 'bad ones do not push good ones out');
  await refused(by(context, key), 401);
  assert.is(keys.finds, 3, 'the oldest bad one was forgotten');
});

test('a caller that guesses many keys at once is limited', async (context) => {
  const { keys } = context;
  let letGo = () => {};
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  keys.find = async () => {
    await gate;
    return undefined;
  };
  const guesses = Array.from({ length: limits.credentialLookUps }, () => by(context, drawKey().key));
  for (const guess of guesses) guess.catch(() => {});
  assert.is((await refused(by(context, drawKey().key), 503)).code, 'busy');
  letGo();
  for (const guess of guesses) await refused(guess, 401);
});

test('the last use is stored rarely, and a failure to store it refuses nobody', async (context) => {
  const { keys, clock } = context;
  const { id, key } = await stored(context);
  for (let i = 0; i < 12; i++) {
    assert.ok(await by(context, key));
    clock.passed += limits.credentialMs;
  }
  assert.equal(keys.touches, [id]);
  clock.passed += limits.keyTouchMs;
  assert.ok(await by(context, key));
  assert.equal(keys.touches, [id, id]);
});

test('no credential is in a log, an error, or a store', async (context) => {
  const { keys, logged, clock } = context;
  const scopes: readonly Scope[] = ['admin'];
  const good = await stored(context, { scopes });
  const revoked = await stored(context, { revokedAt: 1 });
  const seen: unknown[] = [];
  for (const isAway of [false, true]) {
    keys.isAway = isAway;
    for (const key of [good.key, revoked.key, drawKey().key, ADMIN_KEY, `${ADMIN_KEY}x`]) {
      await by(context, key).catch((error: Failure) =>
        seen.push(error.message, error.stack, error.details, error.cause),
      );
      clock.passed += limits.credentialMs;
    }
  }
  seen.push(await keys.list(), logged);
  const text = JSON.stringify(seen, (_, value) => (value instanceof Error ? `${value.message} ${value.stack}` : value));
  assert.ok(text.includes(good.id) && text.includes('Postgres does not answer'));
  for (const { key } of [good, revoked]) assert.not.ok(text.includes(key.slice(-64)));
  assert.not.ok(text.includes(ADMIN_KEY));
});

test.run();
