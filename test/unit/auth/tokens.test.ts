// Tokens: subject, audience, times and signature; and an issuer that rotates its keys, is away, or is wrong.

import { SignJWT } from 'jose';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../../actors/limits.js';
import type { Clock, Logger } from '../../../actors/ports/runtime.js';
import { IssuerAway } from '../../../http/auth/issuer-keys.js';
import { Tokens } from '../../../http/auth/tokens.js';
import { realClock } from '../edge/fake-owners.js';
import { Issuer, unsigned } from './issuer.js';

const AUDIENCE = 'holdfast';
const ALLOWED = ['RS256', 'RS384', 'RS512', 'PS256', 'ES256', 'ES384', 'EdDSA'];
const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} };

interface Context {
  issuer: Issuer;
  clock: Clock & { passed: number };
  tokens: Tokens;
}

const test = suite<Context>('tokens');
const ada = { sub: 'ada', aud: AUDIENCE, scope: 'orders:read' };
const tokensOf = ({ issuer, clock }: Context, more: object = {}) =>
  new Tokens({ issuer: issuer.url, audience: AUDIENCE, jwksUrl: undefined, ...more }, clock, quiet);

test.before.each(async (context) => {
  context.issuer = await Issuer.start();
  const clock = { ...realClock, passed: 0, monotonic: () => performance.now() + clock.passed };
  context.clock = clock;
  context.tokens = tokensOf(context);
});
test.after.each(({ issuer }) => issuer.stop());

const isAway = async (promise: Promise<unknown>) => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(error, IssuerAway);
};

test('every listed algorithm is accepted, and the keys are fetched once', async ({ issuer, tokens }) => {
  for (const alg of ALLOWED) if (alg !== 'ES256') await issuer.addKey(alg);
  for (const alg of ALLOWED) {
    const verified = await tokens.verify(await issuer.token(ada, alg));
    assert.is(verified?.principal.userId, 'ada', alg);
  }
  assert.equal(issuer.asked, ['/.well-known/openid-configuration', '/keys']);
});

test('the subject is a customer unless it has the admin scope; unknown scopes grant nothing', async ({
  issuer,
  tokens,
}) => {
  const principal = async (claims: object) =>
    (await tokens.verify(await issuer.token({ sub: 'ada', aud: AUDIENCE, ...claims })))?.principal;
  const customer = await principal({ scope: 'openid orders:read  orders:write email' });
  assert.is(customer?.userId, 'ada');
  assert.equal([...(customer?.scopes ?? [])], ['orders:read', 'orders:write']);
  assert.equal([...((await principal({ scp: ['orders:read', 7, 'x'] }))?.scopes ?? [])], ['orders:read']);
  assert.equal([...((await principal({ scp: 'orders:write' }))?.scopes ?? [])], ['orders:write']);
  assert.is((await principal({}))?.scopes.size, 0);
  for (const claims of [{ scope: 'admin' }, { scp: ['orders:read', 'admin'] }]) {
    const admin = await principal(claims);
    assert.is(admin?.userId, undefined);
    assert.is(admin?.subject, `token:${issuer.url}#ada`);
  }
});

test('a token with a wrong claim is not valid', async ({ issuer, tokens }) => {
  await issuer.addKey('ES256', 'stranger', false);
  const good = await issuer.token(ada);
  const [header = '', payload = '', signature = ''] = good.split('.');
  const other = (await issuer.token({ ...ada, sub: 'eve' })).split('.')[1];
  const pem = await issuer.addKey('RS256', 'known');
  const hmac = (secret: string) =>
    new SignJWT({ ...ada, iss: issuer.url, exp: Date.now() })
      .setProtectedHeader({ alg: 'HS256', kid: 'known' })
      .sign(new TextEncoder().encode(secret));
  const claims = { ...ada, iss: issuer.url, exp: Math.floor(Date.now() / 1000) + 60 };
  const wrong: Record<string, string> = {
    'another audience': await issuer.token({ ...ada, aud: 'another' }),
    'no audience': await issuer.token({ sub: 'ada' }),
    'another issuer': await issuer.token({ ...ada, iss: 'https://elsewhere.example' }),
    expired: await issuer.token({ ...ada, lives: -60 }),
    'not yet': await issuer.token({ ...ada, nbf: Math.floor(Date.now() / 1000) + 60 }),
    'no end': await issuer.token({ ...ada, exp: undefined }),
    'no subject': await issuer.token({ aud: AUDIENCE }),
    'a subject that is no id': await issuer.token({ ...ada, sub: ' ada' }),
    'an empty subject': await issuer.token({ ...ada, sub: '' }),
    'a key that is not published': await issuer.token(ada, 'stranger'),
    'alg none': unsigned(claims),
    'alg NONE': unsigned(claims, 'NONE'),
    'alg none with a signature': `${unsigned(claims)}${signature}`,
    'HS256 over the public key as PEM': await hmac(pem),
    'HS256 over the public key as JWK': await hmac(JSON.stringify(issuer.publicKey('known'))),
    'another payload': `${header}.${other}.${signature}`,
    'no signature': `${header}.${payload}.`,
    'a cut signature': good.slice(0, -4),
    'no token': 'a.b.c',
    'nothing of it': '..',
  };
  for (const [what, token] of Object.entries(wrong)) assert.is(await tokens.verify(token), undefined, what);
  assert.ok(await tokens.verify(good));
});

test('clocks may differ by the leeway', async ({ issuer, tokens }) => {
  const leeway = limits.tokenLeewayMs / 1000;
  assert.ok(await tokens.verify(await issuer.token({ ...ada, lives: -leeway + 3 })));
  assert.is(await tokens.verify(await issuer.token({ ...ada, lives: -leeway - 3 })), undefined);
});

test('a new key of the issuer works from the moment of its publication', async ({ issuer, tokens }) => {
  assert.ok(await tokens.verify(await issuer.token(ada)));
  for (const kid of ['second', 'third']) {
    await issuer.addKey('ES256', kid);
    const fresh = await issuer.token(ada, kid);
    // Together with the last request and with one another: an early one waits, and none is refused.
    await Promise.all(Array.from({ length: 10 }, async () => assert.ok(await tokens.verify(fresh), kid)));
  }
  assert.is(issuer.keysAsked, 3, 'one question for all that wait');
});

test('a key that replaces another under the same id works as well; forged ones stay refused', async (context) => {
  const { issuer, tokens } = context;
  const old = await issuer.token(ada);
  assert.ok(await tokens.verify(old));
  issuer.unpublish('ES256');
  await issuer.addKey('ES256', 'ES256');
  const fresh = await issuer.token(ada);
  await Promise.all(Array.from({ length: 10 }, async () => assert.ok(await tokens.verify(fresh))));
  assert.is(issuer.keysAsked, 2, 'one question for all that wait');
  assert.is(await tokens.verify(old), undefined);
  issuer.isBroken = true;
  assert.is(await tokens.verify(old), undefined, 'a known key has said no');
  assert.ok(await tokens.verify(fresh));
});

test('a key that the issuer publishes during a fetch works as well', async ({ issuer, tokens, clock }) => {
  assert.ok(await tokens.verify(await issuer.token(ada)));
  clock.passed += limits.issuerCooldownMs;
  await issuer.addKey('ES256', 'late', false);
  await issuer.addKey('ES256', 'hidden', false);
  const answer = issuer.holdAnswers();
  const no = tokens.verify(await issuer.token(ada, 'hidden'));
  await answer.isHeld; // The reply was fixed before the key was published.
  issuer.publish('late');
  const yes = tokens.verify(await issuer.token(ada, 'late'));
  answer.release();
  assert.is(await no, undefined);
  assert.ok(await yes);
  assert.is(issuer.keysAsked, 3);
});

test('a flood of unknown keys makes one fetch a cooldown, and delays no known token', async (context) => {
  const { issuer, tokens } = context;
  const known = await issuer.token(ada);
  assert.ok(await tokens.verify(known));
  await issuer.addKey('ES256', 'hidden', false);
  const unknown = await issuer.token(ada, 'hidden');
  const since = performance.now();
  let [refused, unanswered] = [0, 0];
  const floods = Array.from({ length: 4 * limits.issuerWaiting }, async () => {
    while (performance.now() - since < 2.5 * limits.issuerCooldownMs) {
      await tokens.verify(unknown).then(
        (verified) => {
          assert.is(verified, undefined);
          refused++;
        },
        (error: unknown) => {
          assert.instance(error, IssuerAway);
          unanswered++;
        },
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
  let served = 0;
  const serving = (async () => {
    while (performance.now() - since < 2 * limits.issuerCooldownMs) {
      assert.ok(await tokens.verify(known));
      served++;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  await Promise.all([...floods, serving]);
  assert.ok(refused > 0 && unanswered > 0 && served > 0, `${refused} refused, ${unanswered} unanswered`);
  assert.ok(issuer.keysAsked >= 3, 'it is asked again and again');
  const most = 2 + (performance.now() - since) / limits.issuerCooldownMs;
  assert.ok(issuer.keysAsked <= most, `${issuer.keysAsked} times, ${most} at most`);
});

test('a withdrawn key is dropped at the next fetch', async ({ issuer, tokens, clock }) => {
  const token = await issuer.token(ada);
  assert.ok(await tokens.verify(token));
  issuer.unpublish('ES256');
  clock.passed += limits.issuerKeysMs + 1;
  await tokens.verify(token); // Uses the known keys, and fetches them in the background.
  const until = performance.now() + 5_000;
  while ((await tokens.verify(token)) !== undefined && performance.now() < until) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.is(await tokens.verify(token), undefined);
});

test('issuer away: known keys work, others get no answer, and the issuer is not flooded', async (context) => {
  const { issuer, tokens, clock } = context;
  const known = await issuer.token(ada);
  assert.ok(await tokens.verify(known));
  issuer.isBroken = true;
  clock.passed += limits.issuerKeysMs + 1;
  assert.ok(await tokens.verify(known));
  await issuer.addKey('ES256', 'new');
  const fresh = await issuer.token(ada, 'new');
  await isAway(tokens.verify(fresh));
  const asked = issuer.asked.length;
  for (let i = 0; i < 10; i++) await isAway(tokens.verify(fresh));
  assert.is(issuer.asked.length, asked);
  assert.ok(await tokens.verify(known));
  issuer.isBroken = false;
  clock.passed += limits.issuerRetryMs;
  assert.ok(await tokens.verify(fresh));
});

test('an issuer that was never reachable, or sends nonsense, refuses no token', async (context) => {
  const { issuer, clock } = context;
  const token = await issuer.token(ada);
  for (const says of ['', '{', '[]', '{"keys":7}', 'x'.repeat(2_000_000)]) {
    issuer.says = says;
    await isAway(tokensOf(context).verify(token));
  }
  issuer.says = undefined;
  issuer.names = 'https://another.example';
  await isAway(tokensOf(context).verify(token));
  issuer.names = undefined;
  const tokens = tokensOf(context);
  issuer.isBroken = true;
  await isAway(tokens.verify(token));
  issuer.isBroken = false;
  clock.passed += limits.issuerRetryMs;
  assert.ok(await tokens.verify(token));
});

test('the keys may have their own address', async (context) => {
  const { issuer } = context;
  const tokens = tokensOf(context, { jwksUrl: `${issuer.url}/elsewhere` });
  assert.ok(await tokens.verify(await issuer.token(ada)));
  assert.equal(issuer.asked, ['/elsewhere']);
});

test.run();
