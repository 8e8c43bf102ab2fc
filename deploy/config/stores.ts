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
  DATABASE_POOL: integer(10, 1, 90),
  JOURNAL: oneOf(['auto', 'jetstream', 'postgres'], 'auto'),
  REDIS_URL: optional('a URL such as redis://host:6379', (given) => urlOf(given, /^rediss?:\/\/\S+$/, 'redis')),
};

export const storeSettings = (env: Values<typeof storeVariables>) => ({
  databaseUrl: env.DATABASE_URL,
  /** The same database as who may change its tables. Undefined: databaseUrl may. */
  migrationsUrl: env.MIGRATIONS_DATABASE_URL,
  databasePool: env.DATABASE_POOL,
  journal: env.JOURNAL,
  redisUrl: env.REDIS_URL,
});

export const storeMistakes = (env: Values<typeof storeVariables>): readonly Mistake[] =>
  env.MIGRATIONS_DATABASE_URL === undefined || env.DATABASE_URL !== undefined
    ? []
    : [{ name: 'DATABASE_URL', allowed: 'set where MIGRATIONS_DATABASE_URL is: both name the same database' }];
