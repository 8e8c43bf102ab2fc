// What ENVIRONMENT=production refuses: AUTH=off, and well-known passwords, which are those of our own examples and those
// that an attacker tries first.
//
// Law: an error names the variable, never the password.

import { parsePostgresUrl } from '../../storage/postgres/libpq-url.js';
import type { authVariables } from './auth.js';
import type { Mistake, Values } from './kinds.js';
import type { natsVariables } from './nats.js';
import type { nodeVariables } from './node.js';
import type { orderVariables } from './orders.js';
import type { storeVariables } from './stores.js';

type Env = Values<
  typeof authVariables & typeof natsVariables & typeof nodeVariables & typeof orderVariables & typeof storeVariables
>;

const OWN_PASSWORD =
  'one with a password of your own in production: this one is in our examples, or among the first that anybody tries';

export function productionMistakes(env: Env): readonly Mistake[] {
  if (env.ENVIRONMENT !== 'production') return [];
  const mistakes: Mistake[] = [];
  const wrong = (name: keyof Env, allowed: string) => mistakes.push({ name, allowed });
  if (env.AUTH === 'off')
    wrong('AUTH', 'keys: off leaves every route open, which ENVIRONMENT=production does not allow');
  for (const name of ['JWT_ISSUER', 'JWT_JWKS_URL'] as const) {
    if (env[name]?.startsWith('http:')) wrong(name, 'https in production: who answers there decides who is who');
  }
  for (const name of ['DATABASE_URL', 'MIGRATIONS_DATABASE_URL', 'DATABASE_READ_URL'] as const) {
    if (hasKnownSecret(env[name] ?? '')) wrong(name, OWN_PASSWORD);
  }
  if (isAddedPassword(env) && isKnown(env.PGPASSWORD ?? '')) wrong('PGPASSWORD', OWN_PASSWORD);
  for (const name of ['NATS_URL', 'NATS_TRIM_URL'] as const) {
    if (env[name].some(hasKnownSecret)) wrong(name, OWN_PASSWORD);
  }
  if (hasKnownSecret(env.REDIS_URL ?? '')) wrong('REDIS_URL', OWN_PASSWORD);
  if (env.ADMIN_KEY !== undefined && isKnownKey(env.ADMIN_KEY)) {
    wrong('ADMIN_KEY', 'drawn at random in production (openssl rand -hex 32), not an example');
  }
  if (env.PAYMENT_KEY !== undefined && isKnown(env.PAYMENT_KEY)) wrong('PAYMENT_KEY', OWN_PASSWORD);
  return mistakes;
}

// ---------------------------------------------------------------- machinery

/** In lower case. A test checks that it holds the passwords of compose.yaml and .env.example. */
const KNOWN = new Set([
  ...['holdfast', 'postgres', 'postgresql', 'nats', 'redis', 'root', 'admin', 'administrator', 'user', 'guest'],
  ...['password', 'passw0rd', 'p@ssw0rd', 'pass', 'passwd', 'changeme', 'change-me', 'change_me', 'changeit', 'secret'],
  ...['default', 'example', 'test', 'testing', 'demo', 'dev', 'development', 'local', 'qwerty', 'letmein', 'welcome'],
  ...[
    '1234',
    '12345',
    '123456',
    '1234567',
    '12345678',
    '123456789',
    '1234567890',
    '0000',
    '1111',
    'foobared',
    's3cr3t',
  ],
]);

const isKnown = (secret: string): boolean => KNOWN.has(secret.toLowerCase());

/** Whether the URL of a database, broker or cache has a well-known password. */
function hasKnownSecret(url: string): boolean {
  return secretsOf(url).some((secret) => secret !== '' && isKnown(secret));
}

/** PGPASSWORD counts only if DATABASE_URL is set and has no password. Our own Postgres has a random one. */
const isAddedPassword = ({ DATABASE_URL }: Pick<Env, 'DATABASE_URL'>): boolean =>
  DATABASE_URL !== undefined && secretsOf(DATABASE_URL).every((secret) => secret === '');

/** A long key is well-known if it repeats a few characters, or if its text says that it is an example. */
function isKnownKey(key: string): boolean {
  const isRepeated = /^(.{1,16}?)\1+$/.test(key);
  return isRepeated || /change.?me|change.?it|example|placeholder|your.?(admin|secret|key)|0123456789/i.test(key);
}

function secretsOf(url: string): readonly string[] {
  if (/^postgres/.test(url)) {
    try {
      return [parsePostgresUrl(url, {}).password];
    } catch {
      return [];
    }
  }
  if (!URL.canParse(url)) return [];
  const { username, password, searchParams } = new URL(url);
  // `nats://token@host`: a user without a password is the secret itself.
  const isToken = password === '' && !/^redis/.test(url);
  return [decoded(isToken ? username : password), searchParams.get('password') ?? ''];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
