// Reads the environment, once. Law: configuration comes from here and nowhere else. All mistakes are reported together,
// each in a sentence with the variable, the given value and the allowed values. A value that may hold a password is never
// repeated. A wrong value is never replaced by a default.

import { isIP, isIPv6 } from 'node:net';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';
import { limits } from '../../actors/limits.js';
import { parsePostgresUrl } from '../../storage/postgres/libpq-url.js';
import { authMistakes } from './auth-rules.js';
import { kafkaMistakes } from './kafka-rules.js';

/** Ends the start with exit code 78. `mistakes` has one sentence for each mistake. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(readonly mistakes: readonly string[]) {
    super(
      `The environment has ${mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`}:\n${mistakes.join('\n')}`,
    );
  }
}

/** One variable. `read` turns its text into a value; `undefined` from `read` is a mistake. An unset variable is `fallback`. */
function variable<T>(fallback: T, allowed: string, read: (text: string) => T | undefined) {
  return z
    .string()
    .optional()
    .transform((text, context): T => {
      const value = text === undefined ? fallback : read(text);
      if (value !== undefined || text === undefined) return value as T;
      // `continue`: the rules over several variables are checked as well.
      context.issues.push({ code: 'custom', message: allowed, input: text, continue: true });
      return fallback;
    });
}

const integer = (fallback: number, from: number, to: number) => wholeNumber<number>(fallback, from, to);

/** Unset: undefined. */
const optionalInteger = (from: number, to: number) => wholeNumber<number | undefined>(undefined, from, to);

function wholeNumber<T extends number | undefined>(fallback: T, from: number, to: number) {
  return variable<T | number>(fallback, `a whole number from ${from} to ${to}`, (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    return value >= from && value <= to ? value : undefined;
  });
}

function oneOf<const W extends string>(words: readonly W[], fallback: W) {
  return variable<W>(fallback, words.join(' or '), (text) => words.find((word) => word === text.toLowerCase()));
}

/** A URL. If `scheme` is given, the text may leave the scheme out. */
function urlOf(text: string, allowed: RegExp, scheme?: string): string | undefined {
  const whole = scheme !== undefined && !text.includes('://') ? `${scheme}://${text}` : text;
  return allowed.test(whole) && (URL.canParse(whole) || isPostgresUrl(whole)) ? whole : undefined;
}

/** libpq allows several hosts, which no URL parser accepts. */
function isPostgresUrl(text: string): boolean {
  try {
    return (
      /^postgres/.test(text) &&
      parsePostgresUrl(text, {}).hosts.every(({ host }) => !/[[\]]/.test(host) || isIPv6(host))
    );
  } catch {
    return false;
  }
}

/** A list with commas; undefined if one entry is bad. */
function list(text: string, read: (entry: string) => string | undefined): string[] | undefined {
  const entries = text.split(',').map((entry) => read(entry.trim()));
  const good = entries.filter((entry) => entry !== undefined);
  return good.length === entries.length ? good : undefined;
}

/** An origin exactly as a browser writes it, because origins are compared as text. */
const isOrigin = (text: string): boolean =>
  /^https?:\/\//.test(text) && URL.canParse(text) && new URL(text).origin === text;

/** A host's name, an address, or a network: an address with the number of its first bits. */
function isHostOrNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.replace(/^\[(.*)\]$/, '$1').split('/');
  const family = isIP(address);
  if (bits === undefined) return family !== 0 || /^(?=.{1,253}$)[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i.test(address);
  return more.length === 0 && family !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32);
}

interface Rate {
  readonly requests: number;
  readonly seconds: number;
}

function rateOf(text: string): Rate | undefined {
  const found = /^(\d{1,7})\/(\d{1,4})$/.exec(text);
  const [requests, seconds] = [Number(found?.[1]), Number(found?.[2])];
  return requests >= 1 && requests <= 1_000_000 && seconds >= 1 && seconds <= 3_600 ? { requests, seconds } : undefined;
}

const text = (fallback: string) =>
  variable(fallback, 'text of 1 to 200 visible characters', (given) =>
    /^[^\p{Cc}]{1,200}$/u.test(given) ? given : undefined,
  );

const optionalText = variable<string | undefined>(undefined, 'text of 1 to 200 visible characters', (given) =>
  /^[^\p{Cc}]{1,200}$/u.test(given) ? given : undefined,
);

const optionalPath = variable<string | undefined>(undefined, 'the path of a file', (given) =>
  given.includes('\0') ? undefined : given,
);

/** What a process does: it answers clients (edge), it owns partitions (actors), it carries events out of the system (feed). */
const ROLES = ['edge', 'actors', 'feed'] as const;
type Role = (typeof ROLES)[number];

function rolesOf(given: string): ReadonlySet<Role> | undefined {
  if (given.toLowerCase() === 'all') return new Set(ROLES);
  const roles = given.split(',').map((word) => ROLES.find((role) => role === word.trim().toLowerCase()));
  const known = roles.filter((role) => role !== undefined);
  return known.length === roles.length ? new Set(known) : undefined;
}

const WEB_URL = /^https?:\/\/\S+$/;

interface KafkaVariables {
  readonly KAFKA_BROKERS: readonly string[];
  readonly KAFKA_TOPIC_PREFIX: string;
  readonly KAFKA_PARTITIONS: number;
  readonly KAFKA_REPLICATION: number;
  readonly KAFKA_TLS: 'off' | 'on';
  readonly KAFKA_TLS_CA: string | undefined;
  readonly KAFKA_TLS_CERT: string | undefined;
  readonly KAFKA_TLS_KEY: string | undefined;
  readonly KAFKA_SASL: 'off' | 'plain' | 'scram-sha-256' | 'scram-sha-512';
  readonly KAFKA_SASL_USER: string | undefined;
  readonly KAFKA_SASL_PASSWORD: string | undefined;
}

const MECHANISMS = { plain: 'PLAIN', 'scram-sha-256': 'SCRAM-SHA-256', 'scram-sha-512': 'SCRAM-SHA-512' } as const;

const kafkaOf = (env: KafkaVariables) => ({
  brokers: env.KAFKA_BROKERS,
  prefix: env.KAFKA_TOPIC_PREFIX,
  partitions: env.KAFKA_PARTITIONS,
  /** Undefined: as the brokers have it. */
  replication: env.KAFKA_REPLICATION === 0 ? undefined : env.KAFKA_REPLICATION,
  /** Paths of files. Undefined: no TLS. */
  tls: env.KAFKA_TLS === 'off' ? undefined : { ca: env.KAFKA_TLS_CA, cert: env.KAFKA_TLS_CERT, key: env.KAFKA_TLS_KEY },
  sasl:
    env.KAFKA_SASL === 'off'
      ? undefined
      : {
          mechanism: MECHANISMS[env.KAFKA_SASL],
          user: env.KAFKA_SASL_USER ?? '',
          password: env.KAFKA_SASL_PASSWORD ?? '',
        },
});

const schema = z
  .object({
    PORT: integer(3000, 0, 65_535),
    INVENTORY_PORT: variable<number | null>(3001, 'a whole number from 0 to 65535, or empty for none', (given) => {
      if (given === 'none') return null;
      return /^\d{1,5}$/.test(given) && Number(given) <= 65_535 ? Number(given) : undefined;
    }),
    HOST: variable('127.0.0.1', 'a host name or an address to listen on', (given) =>
      /^[A-Za-z0-9.:_%-]{1,253}$/.test(given) ? given : undefined,
    ),
    CORS_ORIGINS: variable<string[]>(
      [],
      '* or a list of origins such as https://shop.example, with commas between',
      (given) => list(given, (entry) => (entry === '*' || isOrigin(entry) ? entry : undefined)),
    ),
    ENVIRONMENT: oneOf(['development', 'production'], 'development'),
    DATA_DIR: variable('.data', 'a path', (given) => (given.includes('\0') ? undefined : given)),
    DATABASE_URL: variable<string | undefined>(
      undefined,
      'a URL such as postgres://user:password@host:5432/database',
      (given) => urlOf(given, /^postgres(ql)?:\/\/\S+$/),
    ),
    /** Used in storage/postgres/libpq-url.ts. Here it is only checked against well-known passwords. */
    PGPASSWORD: variable<string | undefined>(undefined, 'text', (given) => given),
    DATABASE_POOL: integer(10, 1, 90),
    NATS_URL: variable<string[]>(
      [],
      'one or more of nats://host:4222 or tls://host:4222, with commas between',
      (given) => list(given, (entry) => urlOf(entry, /^(nats|tls):\/\/[^\s/]+\/?$/, 'nats')),
    ),
    NATS_MONITOR_URL: variable<string[]>([], 'one or more of http://host:8222, with commas between', (given) =>
      list(given, (entry) => urlOf(entry, /^https?:\/\/[^\s,]+$/, 'http')?.replace(/\/+$/, '')),
    ),
    NATS_REPLICAS: integer(1, 1, 5),
    NATS_API: variable<'on' | 'off' | undefined>(undefined, 'on or off', (given) =>
      (['on', 'off'] as const).find((word) => word === given.toLowerCase()),
    ),
    FEED: oneOf(['orders', 'all', 'off'], 'orders'),
    FEED_MIB: optionalInteger(16, 10_000_000),
    FEED_AGE_H: optionalInteger(1, 87_600),
    JOURNAL: oneOf(['auto', 'jetstream', 'postgres'], 'auto'),
    EVENTS_MIB: optionalInteger(64, 16_777_216),
    EVENTS_AGE_H: optionalInteger(1, 87_600),
    EVENTS_PERSONAL: oneOf(['off', 'on'], 'off'),
    REDIS_URL: variable<string | undefined>(undefined, 'a URL such as redis://host:6379', (given) =>
      urlOf(given, /^rediss?:\/\/\S+$/, 'redis'),
    ),
    KAFKA_BROKERS: variable<string[]>([], 'one or more host:port, with commas between', (given) =>
      list(given, (entry) => (/^[^\s:/@]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$/.test(entry) ? entry : undefined)),
    ),
    KAFKA_TOPIC_PREFIX: variable('holdfast', '1 to 100 letters, digits, dots, hyphens or underscores', (given) =>
      /^[A-Za-z0-9._-]{1,100}$/.test(given) ? given : undefined,
    ),
    KAFKA_PARTITIONS: integer(6, 1, 1_000),
    KAFKA_REPLICATION: integer(0, 0, 9),
    KAFKA_TLS: oneOf(['off', 'on'], 'off'),
    KAFKA_TLS_CA: optionalPath,
    KAFKA_TLS_CERT: optionalPath,
    KAFKA_TLS_KEY: optionalPath,
    KAFKA_SASL: oneOf(['off', 'plain', 'scram-sha-256', 'scram-sha-512'], 'off'),
    KAFKA_SASL_USER: optionalText,
    KAFKA_SASL_PASSWORD: optionalText,
    LOG_LEVEL: oneOf(['info', 'trace', 'debug', 'warn', 'error', 'fatal', 'silent'], 'info'),
    SERVICE_NAME: text('holdfast'),
    NODE_NAME: text(hostname()),
    ORDER_WAIT_MS: integer(3000, 0, 60_000),
    STOP_DELAY_MS: integer(0, 0, 120_000),
    ORDER_TIMEOUT_S: integer(30, 1, 86_400),
    PAYMENT_SUCCESS_RATE: variable(1, 'a number from 0 to 1', (given) =>
      /^(0|1|0?\.\d{1,9}|0\.|1\.0{0,9})$/.test(given) ? Number(given) : undefined,
    ),
    PAYMENT_LATENCY_MS: integer(0, 0, 600_000),
    PAYMENT_CAPTURE: oneOf(['confirm', 'ship'], 'confirm'),
    HOLD_TTL_S: integer(0, 0, 86_400),
    PAYMENT_URL: variable<string | undefined>(
      undefined,
      'a URL such as https://host/v1, without user, query or fragment',
      (given) => urlOf(given, /^https?:\/\/[^\s/?#@]+(\/[^\s?#]*)?$/)?.replace(/\/+$/, ''),
    ),
    PAYMENT_KEY: variable<string | undefined>(undefined, '1 to 1000 visible ASCII characters', (given) =>
      /^[!-~]{1,1000}$/.test(given) ? given : undefined,
    ),
    PAYMENT_TIMEOUT_MS: integer(10_000, 10, 120_000),
    AUTH: oneOf(['off', 'keys'], 'off'),
    ADMIN_KEY: variable<string | undefined>(undefined, 'at least 32 visible characters without blanks', (given) =>
      /^[!-~]{32,512}$/.test(given) ? given : undefined,
    ),
    JWT_ISSUER: variable<string | undefined>(
      undefined,
      'the URL that the tokens name as their issuer, such as https://login.example.org',
      (given) => urlOf(given, WEB_URL),
    ),
    JWT_AUDIENCE: variable<string | undefined>(undefined, 'text of 1 to 200 visible characters', (given) =>
      /^[^\p{Cc}]{1,200}$/u.test(given) ? given : undefined,
    ),
    JWT_JWKS_URL: variable<string | undefined>(
      undefined,
      'a URL such as https://login.example.org/jwks.json',
      (given) => urlOf(given, WEB_URL),
    ),
    RATE_LIMIT: variable<Rate | null>(
      null,
      'off, or requests/seconds such as 100/10: 1 to 1000000 requests in 1 to 3600 seconds',
      (given) => (given.toLowerCase() === 'off' ? null : rateOf(given)),
    ),
    TRUST_PROXY: integer(0, 0, 10),
    PARTITIONS: integer(16, 1, limits.partitions),
    ROLES: variable<ReadonlySet<Role>>(
      new Set(ROLES),
      'empty or all, or a list of edge, actors and feed; backup and boutique are not available in this version',
      rolesOf,
    ),
    WEBHOOK_ALLOW: variable<string[]>(
      [],
      'host names, addresses or networks such as 10.1.0.0/16, with commas between',
      (given) => list(given, (entry) => (isHostOrNetwork(entry) ? entry : undefined)),
    ),
    FETCH_SERVERS: oneOf(['auto', 'never'], 'auto'),
    SEED: oneOf(['demo', 'none'], 'demo'),
    GREMLIN: variable<'on' | 'off' | undefined>(undefined, 'on or off', (given) =>
      (['on', 'off'] as const).find((word) => word === given.toLowerCase()),
    ),
  })
  .superRefine(
    (env, context) => {
      for (const { name, allowed } of [...authMistakes(env), ...kafkaMistakes(env)]) {
        context.issues.push({ code: 'custom', path: [name], message: allowed, input: env, continue: true });
      }
    },
    { when: () => true },
  )
  .refine((env) => env.PORT === 0 || env.PORT !== env.INVENTORY_PORT, {
    when: () => true,
    path: ['INVENTORY_PORT'],
    error: 'another port than PORT, or empty for none',
  })
  .refine(
    ({ ROLES: roles, NATS_URL: nats, DATABASE_URL: db }) =>
      (roles.has('edge') && roles.has('actors')) || (nats.length > 0 && db !== undefined),
    {
      when: () => true,
      path: ['ROLES'],
      error:
        'all, or come with NATS_URL and DATABASE_URL: a process without an edge or without actors shares both with other nodes',
    },
  )
  .transform((env) => ({
    port: env.PORT,
    /** Undefined: no second port. */
    inventoryPort: env.INVENTORY_PORT ?? undefined,
    host: env.HOST,
    /** Empty: no page of another origin may use the API. */
    corsOrigins: env.CORS_ORIGINS,
    environment: env.ENVIRONMENT,
    /** Absolute. */
    dataDir: resolve(env.DATA_DIR),
    databaseUrl: env.DATABASE_URL,
    databasePool: env.DATABASE_POOL,
    /** Empty: none given. */
    natsUrls: env.NATS_URL,
    natsMonitorUrls: env.NATS_MONITOR_URL,
    natsReplicas: env.NATS_REPLICAS,
    /** Whether the API's reads are answered on NATS: who may publish there may read all. */
    natsApi: (env.NATS_API ?? (env.AUTH === 'off' ? 'on' : 'off')) === 'on',
    /** What the stream FEED is filled with. */
    feed: env.FEED,
    /** Undefined: as the stream is, or at first the default. */
    feedBytes: env.FEED_MIB === undefined ? undefined : env.FEED_MIB * 1_048_576,
    feedAgeMs: env.FEED_AGE_H === undefined ? undefined : env.FEED_AGE_H * 3_600_000,
    journal: env.JOURNAL,
    /** Undefined: the default for a new stream, and what an existing one has. */
    eventsBytes: env.EVENTS_MIB === undefined ? undefined : env.EVENTS_MIB * 1_048_576,
    eventsAgeMs: env.EVENTS_AGE_H === undefined ? undefined : env.EVENTS_AGE_H * 3_600_000,
    /** Whether public events tell e-mail, addresses and notes. */
    eventsPersonal: env.EVENTS_PERSONAL === 'on',
    redisUrl: env.REDIS_URL,
    /** Undefined: not used. */
    kafka: env.KAFKA_BROKERS.length === 0 ? undefined : kafkaOf(env),
    logLevel: env.LOG_LEVEL,
    serviceName: env.SERVICE_NAME,
    nodeName: env.NODE_NAME,
    orderWaitMs: env.ORDER_WAIT_MS,
    stopDelayMs: env.STOP_DELAY_MS,
    orderTimeoutMs: env.ORDER_TIMEOUT_S * 1000,
    paymentSuccessRate: env.PAYMENT_SUCCESS_RATE,
    paymentLatencyMs: env.PAYMENT_LATENCY_MS,
    paymentCapture: env.PAYMENT_CAPTURE,
    /** Undefined: the same as orderTimeoutMs. */
    holdTtlMs: env.HOLD_TTL_S === 0 ? undefined : env.HOLD_TTL_S * 1000,
    /** Undefined: the mock. */
    paymentUrl: env.PAYMENT_URL,
    paymentKey: env.PAYMENT_KEY,
    paymentTimeoutMs: env.PAYMENT_TIMEOUT_MS,
    auth: env.AUTH,
    adminKey: env.ADMIN_KEY,
    /** Undefined: no tokens are accepted. */
    tokens:
      env.JWT_ISSUER === undefined || env.JWT_AUDIENCE === undefined
        ? undefined
        : { issuer: env.JWT_ISSUER, audience: env.JWT_AUDIENCE, jwksUrl: env.JWT_JWKS_URL },
    /** Undefined: no limit. */
    rateLimit: env.RATE_LIMIT ?? undefined,
    trustedProxies: env.TRUST_PROXY,
    partitions: env.PARTITIONS,
    roles: env.ROLES,
    /** Receivers of webhooks beside the public ones. */
    webhookAllow: env.WEBHOOK_ALLOW,
    fetchServers: env.FETCH_SERVERS,
    seed: env.SEED,
    /** Whether the gremlin may be switched on. */
    gremlin: (env.GREMLIN ?? (env.ENVIRONMENT === 'production' ? 'off' : 'on')) === 'on',
  }));

export type Config = Readonly<z.output<typeof schema>>;

/** Never shown, not even in part. */
const SECRETS = ['PAYMENT_KEY', 'ADMIN_KEY', 'PGPASSWORD', 'KAFKA_SASL_PASSWORD'];

/** The value without user and password, whether before an `@` or in a parameter. */
export function withoutSecrets(value: string): string {
  return value
    .replace(/^([a-z]+:\/\/)?.*@/i, '$1***@')
    .replace(/((?:password|passwd|token|secret|key)[^=&\s]*=)[^&\s]*/gi, '$1***');
}

/** Reads every variable, or throws a ConfigError with every mistake. Empty means unset, except for INVENTORY_PORT. */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const given: Record<string, string> = {};
  for (const name of Object.keys(schema.in.shape)) {
    const value = env[name]?.trim();
    if (value !== undefined && value !== '') given[name] = value;
  }
  const port = given.PORT === undefined ? env.SERVER_PORT?.trim() : undefined;
  if (port !== undefined && port !== '') given.PORT = port;

  if (env.INVENTORY_PORT?.trim() === '') given.INVENTORY_PORT = 'none';

  const read = schema.safeParse(given);
  if (!read.success) {
    throw new ConfigError(
      read.error.issues.map((issue) => {
        const name = String(issue.path[0] ?? '');
        const value = given[name];
        const shown = name === 'PORT' && port !== undefined && port !== '' ? 'SERVER_PORT' : name;
        const said = SECRETS.includes(name) ? 'a secret' : `"${withoutSecrets(value ?? '').slice(0, 100)}"`;
        const was = value === undefined ? 'not set' : said;
        return `${shown} is ${was}; it must be ${issue.message}.`;
      }),
    );
  }
  return read.data;
}
