// `holdfast migrate`: brings the tables to this version, as a start does, and ends. With it no process that serves needs the
// password of the tables' owner.

import { CouldNotLook } from '../../storage/verify/verdict.js';
import type { Config } from '../config/config.js';
import type { Command, Terminal } from './command.js';
import { quiet, say } from './place.js';

export const migrateCommand: Command = {
  name: 'migrate',
  summary: 'Bring the tables to this version, and end',
  about: 'servers',
  notes: ['It works as MIGRATIONS_DATABASE_URL. A start does the same.'],
  examples: [{ line: 'migrate', what: 'before the nodes start, as the owner of the tables' }],
  exits: '0: they are of this version; 2: they are not',
  run: (_given, terminal) => migrateTables(terminal.config(), terminal),
};

async function migrateTables({ databaseUrl: url, migrationsUrl = url }: Config, terminal: Terminal): Promise<number> {
  if (url === undefined || migrationsUrl === undefined)
    throw new CouldNotLook('DATABASE_URL is not set: our own Postgres is migrated by each start');
  const { upToDate } = await import('../stores.js'); // A third of a second, which no other command needs.
  const ran = await upToDate({ url, migrationsUrl, ours: false }, { ...quiet, info: (_fields, line) => say(line) });
  const line = ran.length === 0 ? 'The tables were of this version.' : `Done: ${ran.join(', ')}`;
  terminal.answer({ migrations: ran }, line);
  return 0;
}
