/**
 * Migrates the database's tables to this version, at every start. When two nodes start at once, the second waits for
 * the first, with a deadline, and then finds nothing to do. All migrations of a start are one transaction: nobody sees a
 * table between a dropped index and its successor. If a later version has migrated the tables, this version
 * does not start: it would write wrong rows.
 *
 * Who may not change the tables only looks whether they are of this version. Who may also gives the roles of
 * deploy/security/postgres-roles.sql their rights (grants.sql), where these roles are.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import pg from 'pg';
import type { Logger } from '../../actors/ports/runtime.js';
import { POOLER, whyNotConnected } from './connect-failure.js';
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

/**
 * @returns the names of the migrations that this call ran.
 * @throws a sentence where the tables are not of this version and this user may not change them
 */
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
    if (parsePostgresUrl(url).isPooled) {
      await mustBeUpToDate(client);
      return [];
    }
    await client.query(`set lock_timeout = ${LOCK_MS}`);
    await client.query(`select pg_advisory_lock(${LOCK})`).catch((error: Error) => {
      throw new Error(
        `another process has been changing the tables for ${LOCK_MS / 1000} s: wait for it, or end its session in Postgres (${error.message})`,
      );
    });
    const due = await migrationsDue(client);
    if (due.length > 0) await mustBeOwner(client, due);
    const ran = due.length === 0 ? [] : await run(client, log);
    if (ran.length > 0 || (await lacksGrants(client)))
      await client.query(readFileSync(fileNamed('grants.sql'), 'utf8'));
    return ran;
  } finally {
    // The end of the session releases the lock.
    await client.end().catch(ignore);
  }
}

const ignore = () => {};

async function run(client: pg.Client, log: Logger | undefined): Promise<readonly string[]> {
  const ran = await runner({
    dbClient: client,
    dir: fileNamed('../migrations'),
    direction: 'up',
    migrationsTable: TABLE,
    migrationsSchema: 'public',
    schema: 'public',
    singleTransaction: true,
    noLock: true,
    logger: { debug: ignore, info: ignore, warn: ignore, error: (line: string) => log?.error({}, line) },
  });
  return ran.map(({ name }) => name);
}

/** The migrations of this version. */
export const knownMigrations = (): readonly string[] =>
  readdirSync(fileNamed('../migrations')).map((file) => file.replace(/\.[^.]*$/, ''));

/** Behind a pooler the lock and the transaction of a migration would be lost on the way. */
async function mustBeUpToDate(client: pg.Client): Promise<void> {
  const due = await migrationsDue(client);
  if (due.length === 0) return;
  throw new Error(
    `the tables in Postgres are not of this version (${due.join(', ')} is due), and they are not changed through a pooler (pgbouncer=true): set MIGRATIONS_DATABASE_URL to Postgres itself, as the owner of the tables`,
  );
}

/** @throws where a later version has migrated the tables */
async function migrationsDue(client: pg.Client): Promise<readonly string[]> {
  const names = knownMigrations();
  const { rows: found } = await client.query<{ there: boolean; readable: boolean }>(
    `select table_name is not null as there, has_table_privilege(table_name, 'select') as readable
     from (select to_regclass('public.${TABLE}') as table_name) t`,
  );
  if (found[0]?.there !== true) return names;
  if (!found[0].readable) {
    throw new Error(
      `user "${client.user}" may not read ${TABLE}: let a node start once with MIGRATIONS_DATABASE_URL, which grants what deploy/security/postgres-roles.sql describes`,
    );
  }
  const { rows } = await client.query<{ name: string }>(`select name from public.${TABLE} order by id`);
  const applied = new Set(rows.map(({ name }) => name));
  const unknown = [...applied].filter((name) => !names.includes(name));
  if (unknown.length === 0) return names.filter((name) => !applied.has(name));
  throw new Error(
    `the tables in Postgres are newer than this version of Holdfast, which does not know the migration ${unknown.join(', ')}: start the version that made them or a later one, or restore the backup from before the upgrade`,
  );
}

/** Who owns the tables, or where there are none, may make them. */
async function mustBeOwner(client: pg.Client, due: readonly string[]): Promise<void> {
  const { rows } = await client.query<{ may: boolean }>(
    `select coalesce((select pg_has_role(relowner, 'usage') from pg_class where oid = to_regclass('public.${TABLE}')),
       has_schema_privilege('public', 'create')) as may`,
  );
  if (rows[0]?.may === true) return;
  throw new Error(
    `the tables in Postgres are not of this version (${due.join(', ')} is due), and user "${client.user}" may not change them: set MIGRATIONS_DATABASE_URL to the same database as their owner`,
  );
}

/** Whether one of our roles was made after the last migration. */
async function lacksGrants(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ lack: boolean }>(
    `select exists (select from pg_roles, pg_class c
       where rolname in ('holdfast_node', 'holdfast_backup', 'holdfast_reader') and c.oid = to_regclass('public.${TABLE}')
         and pg_has_role(relowner, 'usage') and not has_table_privilege(rolname, c.oid, 'select')) as lack`,
  );
  return rows[0]?.lack === true;
}

/** A path beside the source. The compiled file is in dist/storage/postgres. */
function fileNamed(name: string): string {
  for (const candidate of ['./', '../../../storage/postgres/']) {
    const path = fileURLToPath(new URL(candidate + name, import.meta.url));
    if (existsSync(path)) return path;
  }
  throw new Error(`${name} is missing in storage/postgres: install Holdfast again`);
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
        ...(!target.isPooled && { statement_timeout: MIGRATION_MS }),
        query_timeout: MIGRATION_MS,
        ...(target.options && { options: target.options }),
      });
      try {
        await client.connect();
        const { rows } = await client.query<{ standby: boolean; ms: string }>(
          "select pg_is_in_recovery() as standby, (select setting from pg_settings where name = 'statement_timeout') as ms",
        );
        const isPassedOn = target.isPooled || rows[0]?.ms === String(MIGRATION_MS);
        if (isPassedOn && !rows[0]?.standby) return client;
        failures.push(`${host}:${port}: ${isPassedOn ? 'it is a standby, which takes no changes' : POOLER}`);
      } catch (error) {
        failures.push(`${host}:${port}: ${whyNotConnected(error, target)}`);
      }
      await client.end().catch(ignore);
    }
  }
  throw new CannotConnect([...new Set(failures)].join('; '));
}
