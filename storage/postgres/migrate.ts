/**
 * Migrates the database's tables to this version, at every start. When two nodes start at once, the second waits for
 * the first, with a deadline, and then finds nothing to do. All migrations of a start are one transaction: nobody sees a
 * table between a dropped index and its successor. If a later version has migrated the tables, this version
 * does not start: it would write wrong rows.
 */
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import pg from 'pg';
import type { Logger } from '../../actors/ports/runtime.js';
import { whyNotConnected } from './connect-failure.js';
import { parsePostgresUrl } from './libpq-url.js';

const TABLE = 'holdfast_migrations';
const LOCK = 4_862_110_717;
const LOCK_MS = 60_000;
const CONNECT_MS = 5_000;
/** Some migrations read whole tables. A start that gave up in between would give up each time. */
const MIGRATION_MS = 3_600_000;

/** The message gives the reason for each host. The caller, which knows the URL's variable, adds its name. */
export class CannotConnect extends Error {
  override readonly name = 'CannotConnect';
}

/** @returns the names of the migrations that this call ran. */
export async function migrate(url: string, log?: Logger): Promise<readonly string[]> {
  const client = await connect(url);
  // Without a listener a broken connection would end the process. The running query reports the error too.
  client.on('error', () => {});
  // How far a long migration has come (`raise info`).
  client.on(
    'notice',
    ({ severity, message }) => severity === 'INFO' && log?.info({}, `Changing the tables: ${message}.`),
  );
  try {
    await client.query(`set lock_timeout = ${LOCK_MS}`);
    await client.query(`select pg_advisory_lock(${LOCK})`).catch((error: Error) => {
      throw new Error(
        `another process has been changing the tables for ${LOCK_MS / 1000} s: wait for it, or end its session in Postgres (${error.message})`,
      );
    });
    await mustNotBeNewer(client);
    const ran = await runner({
      dbClient: client,
      dir: folder(),
      direction: 'up',
      migrationsTable: TABLE,
      migrationsSchema: 'public',
      schema: 'public',
      singleTransaction: true,
      noLock: true,
      logger: { debug: ignore, info: ignore, warn: ignore, error: (line: string) => log?.error({}, line) },
    });
    return ran.map(({ name }) => name);
  } finally {
    // The end of the session releases the lock.
    await client.end().catch(ignore);
  }
}

const ignore = () => {};

async function mustNotBeNewer(client: pg.Client): Promise<void> {
  const { rows: found } = await client.query<{ there: boolean }>(
    `select to_regclass('public.${TABLE}') is not null as there`,
  );
  if (found[0]?.there !== true) return;
  const known = new Set(readdirSync(folder()).map((file) => file.replace(/\.[^.]*$/, '')));
  const { rows } = await client.query<{ name: string }>(`select name from public.${TABLE} order by id`);
  const unknown = rows.map(({ name }) => name).filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  throw new Error(
    `the tables in Postgres are newer than this version of Holdfast, which does not know the migration ${unknown.join(', ')}: start the version that made them or a later one, or restore the backup from before the upgrade`,
  );
}

/** The folder beside the sources. The compiled file is in dist/storage/postgres. */
function folder(): string {
  for (const candidate of ['../migrations', '../../../storage/migrations']) {
    const path = fileURLToPath(new URL(candidate, import.meta.url));
    if (existsSync(path)) return path;
  }
  throw new Error('the folder storage/migrations is missing: install Holdfast again');
}

async function connect(url: string): Promise<pg.Client> {
  const target = parsePostgresUrl(url);
  const failures: string[] = [];
  for (const { host, port } of target.hosts) {
    // `prefer`: tries TLS first, then plain text.
    for (const ssl of target.tls === 'prefer' ? [{ rejectUnauthorized: false }, false] : [target.tls]) {
      const client = new pg.Client({
        host,
        port,
        user: target.user,
        password: target.password,
        database: target.database,
        ssl: ssl as pg.ClientConfig['ssl'] & object,
        application_name: 'holdfast migrate',
        connectionTimeoutMillis: CONNECT_MS,
        statement_timeout: MIGRATION_MS,
        query_timeout: MIGRATION_MS,
        ...(target.options && { options: target.options }),
      });
      try {
        await client.connect();
        const { rows } = await client.query('select pg_is_in_recovery() as standby');
        if (!rows[0]?.standby) return client;
        failures.push(`${host}:${port}: it is a standby, which takes no changes`);
      } catch (error) {
        failures.push(`${host}:${port}: ${whyNotConnected(error, target)}`);
      }
      await client.end().catch(ignore);
    }
  }
  throw new CannotConnect([...new Set(failures)].join('; '));
}
