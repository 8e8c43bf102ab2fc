// `holdfast migrate`: brings the tables to this version, as a start does, and ends. With it no process that serves needs the
// password of the tables' owner.

import { CouldNotLook } from '../../storage/verify/verdict.js';
import type { Config } from '../config/config.js';
import { upToDate } from '../stores.js';
import { print, quiet, say } from './place.js';

export const MIGRATE_USAGE = `  holdfast migrate        bring the tables to this version, as MIGRATIONS_DATABASE_URL, and end; a start does the same
                          exit 0: they are of this version; 2: they are not`;

export async function migrateTables({ databaseUrl: url, migrationsUrl = url }: Config): Promise<number> {
  if (url === undefined || migrationsUrl === undefined)
    throw new CouldNotLook('DATABASE_URL is not set: our own Postgres is migrated by each start');
  const ran = await upToDate({ url, migrationsUrl, ours: false }, { ...quiet, info: (_fields, line) => say(line) });
  print(ran.length === 0 ? 'The tables were of this version.' : `Done: ${ran.join(', ')}`);
  return 0;
}
