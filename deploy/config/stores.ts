// Where data is kept: Postgres, the journal, and the cache.

import { integer, type Mistake, oneOf, optional, urlOf, type Values } from './kinds.js';

const postgresUrl = optional('a URL such as postgres://user:password@host:5432/database', (given) =>
  urlOf(given, /^postgres(ql)?:\/\/\S+$/),
);

export const storeVariables = {
  DATABASE_URL: postgresUrl,
  MIGRATIONS_DATABASE_URL: postgresUrl,
  /** Used in storage/postgres/libpq-url.ts. Here it is only checked against well-known passwords. */
  PGPASSWORD: optional('text', (given) => given),
  DATABASE_READ_URL: postgresUrl,
  DATABASE_READ_LAG_MS: integer(1_000, 500, 60_000),
  DATABASE_POOL: integer(10, 1, 90),
  JOURNAL: oneOf(['auto', 'jetstream', 'postgres'], 'auto'),
  REDIS_URL: optional('a URL such as redis://host:6379', (given) => urlOf(given, /^rediss?:\/\/\S+$/, 'redis')),
};

export const storeSettings = (env: Values<typeof storeVariables>) => ({
  databaseUrl: env.DATABASE_URL,
  /** The same database as who may change its tables. Undefined: databaseUrl may. */
  migrationsUrl: env.MIGRATIONS_DATABASE_URL,
  /** A replica of the same database, for lists. Undefined: the primary answers them. */
  readUrl: env.DATABASE_READ_URL,
  readLagMs: env.DATABASE_READ_LAG_MS,
  databasePool: env.DATABASE_POOL,
  journal: env.JOURNAL,
  redisUrl: env.REDIS_URL,
});

export const storeMistakes = (env: Values<typeof storeVariables>): readonly Mistake[] =>
  (['MIGRATIONS_DATABASE_URL', 'DATABASE_READ_URL'] as const)
    .filter((name) => env[name] !== undefined && env.DATABASE_URL === undefined)
    .map((name) => ({ name: 'DATABASE_URL', allowed: `set where ${name} is: both name the same database` }));
