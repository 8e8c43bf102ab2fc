/**
 * Makes and drops scratch databases, as a user who may create databases and no more.
 *
 * Law: a drop waits for a checkpoint, and a creation copies files, so both may take longer than a statement of a node. Postgres
 * sends its own autovacuum away when a database is dropped, and only a superuser may end that by force. So nothing is forced:
 * sessions of our own, which a killed check has left, are ended first.
 */
import type { PostgresClient, Session } from '../postgres/postgres.js';

const DATABASE_MS = 120_000;

export const makeDatabase = (client: PostgresClient, name: string): Promise<void> =>
  patiently(client, (session) =>
    session.query('make the scratch database', `create database ${name}`, [], DATABASE_MS),
  );

export const dropDatabase = (client: PostgresClient, name: string): Promise<void> =>
  patiently(client, async (session) => {
    await session.query('end the sessions of the scratch database', END_OURS, [name]);
    await session.query('drop the scratch database', `drop database if exists ${name}`, [], DATABASE_MS);
  });

const END_OURS = 'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and usename = current_user';

/** Neither may be inside a transaction. */
const patiently = (client: PostgresClient, run: (session: Session) => Promise<unknown>): Promise<void> =>
  client.session(async (session) => {
    await session.query('be patient', `set statement_timeout = ${DATABASE_MS}`);
    await run(session);
  });
