/**
 * Brings a dump back: its tables into a database, its records into the logs. What then starts finds a system whose nodes
 * all died at the moment of the dump, and takes over as after any crash.
 *
 *  R1. Nothing is overwritten: the database has no tables and the logs no records. A mark in the database names the dump
 *      that is being restored. A restore of this same dump that was cut short goes on.
 *  R2. The logs come first, then the tables, all or nothing. The journals' rows come last, in one statement: without them
 *      no node serves anything, because a claimed journal has no row. A journal in Postgres comes with the tables.
 *  R3. EVENTS may be lost as well. So the rows say that nothing is published of what the journals still have.
 *  R4. The dump of a newer Holdfast is refused before anything is written. The tables of an older one are migrated.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type JournalId, journalId } from '../../actors/ids.js';
import { decodeRecord, journalLog } from '../../actors/node/record.js';
import type { Entry, Log } from '../../actors/ports/log.js';
import type { JournalRow } from '../../actors/ports/snapshot-rows.js';
import { plain, texts } from '../postgres/column-arrays.js';
import { knownMigrations, migrate } from '../postgres/migrate.js';
import type { PostgresClient } from '../postgres/postgres.js';
import { CannotRestore, DATABASE, LOGS, MANIFEST, type Manifest, type PostgresTools } from './dump.js';
import { readManifest } from './files.js';
import { type LogLine, readLines } from './logs-file.js';

interface RestoreParts {
  readonly client: PostgresClient;
  /** The same database, for pg_restore: as the user who will own the tables. */
  readonly url: string;
  /** The log of a journal of this kind. */
  readonly logOf: (journal: Manifest['journal']) => Promise<Log>;
  readonly tools: PostgresTools;
  readonly onProgress?: (line: string) => void;
}

interface Restored {
  readonly manifest: Manifest;
  readonly log: Log;
  /** Removes the mark: from then on the database is in use. */
  finish(): Promise<void>;
}

/** @throws CannotRestore */
export async function restoreDump(parts: RestoreParts, folder: string, signal: AbortSignal): Promise<Restored> {
  const { client, url, tools, onProgress = () => {} } = parts;
  const manifest = await readManifest(folder);
  mustBeKnown(manifest);
  onProgress(`the dump of ${new Date(manifest.takenAt).toISOString()} is whole: ${manifest.orders} orders`);
  await mark(client, await nameOf(folder));
  const log = await parts.logOf(manifest.journal);
  const rows = manifest.journal === 'postgres' ? undefined : await bringLogs(log, join(folder, LOGS));
  if (rows !== undefined) onProgress(`${rows.length} journals have their records`);
  if (!(await hasTables(client))) await tools.restore({ url, file: join(folder, DATABASE) }, signal);
  await migrate(url); // The dump may be of an older version, and it has no rights of roles.
  onProgress('the tables are there');
  if (rows !== undefined) await bringRows(client, rows);
  else await unpublish(client, log);
  return {
    manifest,
    log,
    finish: async () => void (await client.query('end the restore', 'drop table holdfast_restore')),
  };
}

/** restore-dump.R4 */
function mustBeKnown({ version, migrations = [], takenAt }: Manifest): void {
  const known = knownMigrations();
  const unknown = migrations.filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  throw new CannotRestore(
    `the dump of ${new Date(takenAt).toISOString()} is of a newer Holdfast (${version}), which knows the migration ${unknown.join(', ')}: restore it with that version or a later one`,
  );
}

// ---------------------------------------------------------------- the mark

const TABLES = `select count(*)::int as count from pg_tables where schemaname = 'public'`;
const MARKED = `select to_regclass('public.holdfast_restore') is not null as is`;
const HAS_TABLES = `select to_regclass('public.settlement') is not null as is`;

/** Two dumps differ in their manifests: these name the moment and the hashes of the files. */
const nameOf = async (folder: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(join(folder, MANIFEST)))
    .digest('hex');

/** restore-dump.R1 */
async function mark(client: PostgresClient, dump: string): Promise<void> {
  if (await is(client, MARKED)) {
    const [marked] = await client.query<{ dump: string }>('read the mark', 'select dump from holdfast_restore');
    if (marked?.dump === dump) return;
    throw new CannotRestore(
      'the restore of another dump was begun here and not ended: end that one first, or take a database and a broker that have nothing yet',
    );
  }
  const [found] = await client.query<{ count: number }>('look for tables', TABLES);
  if ((found?.count ?? 0) > 0) {
    throw new CannotRestore(
      'the database is not empty: a restore never overwrites anything. Set DATABASE_URL to an empty database, or use a new DATA_DIR',
    );
  }
  await client.query('begin the restore', `create table holdfast_restore as select '${dump}'::text as dump`);
}

/** pg_restore makes all tables or none. */
const hasTables = (client: PostgresClient): Promise<boolean> => is(client, HAS_TABLES);

const is = async (client: PostgresClient, question: string): Promise<boolean> =>
  (await client.query<{ is: boolean }>('look at the database', question))[0]?.is === true;

// ---------------------------------------------------------------- the logs

/** @returns the journals' rows with the positions that their records have now (logs-file.L2) */
async function bringLogs(log: Log, file: string): Promise<readonly JournalRow[]> {
  /** By log and old position: the new one. */
  const moved = new Map<string, number>();
  /** By log: the n before its first turn. */
  const before = new Map<string, number>();
  const rows: JournalRow[] = [];
  let one: BroughtLog | undefined;
  for await (const line of lines(file)) {
    if ('row' in line) {
      rows.push(line.row);
      continue;
    }
    if (one?.name !== line.log) {
      await one?.mustEnd();
      one = new BroughtLog(log, line.log);
    }
    moved.set(`${line.log} ${line.position}`, await one.bring(line));
    const isTurn = line.log.startsWith(journalLog(journalId(''))) && !before.has(line.log);
    const n = isTurn ? turnIn(line.record) : undefined;
    if (n !== undefined) before.set(line.log, n - 1);
  }
  await one?.mustEnd();
  return rows.map((row) => {
    const { journal, folded } = row;
    const position = folded.n === 0 ? 0 : moved.get(`${journalLog(journal)} ${folded.position}`);
    if (position === undefined)
      throw new CannotRestore(`the dump lacks the record ${folded.n} that the row of journal ${journal} names`);
    const publishedN = Math.min(row.publishedN, before.get(journalLog(journal)) ?? row.publishedN);
    return { ...row, folded: { ...folded, position }, publishedN };
  });
}

/** One log while it is restored. A restore that goes on finds the records of the one before it, by pages. */
class BroughtLog {
  private position = 0;
  private there: Entry[] = [];
  private hasRoom = false;

  constructor(
    private readonly log: Log,
    readonly name: string,
  ) {}

  /** restore-dump.R1: a record that is there already is the same one. @returns its position */
  async bring({ record }: LogLine): Promise<number> {
    if (this.there.length === 0 && !this.hasRoom) {
      this.there = [...(await this.log.read(this.name, this.position))];
      this.hasRoom = this.there.length === 0;
    }
    const known = this.there.shift();
    if (known !== undefined && known.record !== record) throw this.foreign();
    this.position = known?.position ?? (await this.append(record));
    return this.position;
  }

  async mustEnd(): Promise<void> {
    if ((await this.log.end(this.name)) !== this.position) throw this.foreign();
  }

  private async append(record: string): Promise<number> {
    const appended = await this.log.append(this.name, this.position, record, { urgent: true });
    if (appended.kind === 'full') throw new CannotRestore(`the log ${this.name} has no room for the dump's records`);
    if (appended.kind === 'conflict') throw this.foreign();
    return appended.position;
  }

  private foreign(): CannotRestore {
    return new CannotRestore(
      `the log ${this.name} has other records: a restore never overwrites anything. Use a broker without Holdfast's streams, or a new DATA_DIR`,
    );
  }
}

/** The n of a turn; undefined for other records. */
function turnIn(text: string): number | undefined {
  const record = decodeRecord(text, 'a log of the dump');
  return record.kind === 'turn' ? record.n : undefined;
}

async function* lines(file: string) {
  try {
    yield* readLines(file);
  } catch (error) {
    throw new CannotRestore(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

// ---------------------------------------------------------------- the journals' rows

/** Journals are read in the order in which they were opened. */
const INSERT = `insert into journals (journal, node, closed, n, position, record_id, published_n, opened_at)
  select journal, node, closed, n, position, record_id, published_n, now() + no * interval '1 millisecond'
  from unnest($1::text[], $2::text[], $3::boolean[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[])
    with ordinality as r(journal, node, closed, n, position, record_id, published_n, no)
  on conflict do nothing`;

async function bringRows(client: PostgresClient, rows: readonly JournalRow[]): Promise<void> {
  await client.query('bring the rows of the journals', INSERT, [
    texts(rows, ({ journal }) => journal),
    texts(rows, ({ node }) => node),
    plain(rows, ({ closed }) => closed),
    plain(rows, ({ folded }) => folded.n),
    plain(rows, ({ folded }) => folded.position),
    texts(rows, ({ folded }) => folded.recordId),
    plain(rows, ({ publishedN }) => publishedN),
  ]);
}

const UNPUBLISH = 'update journals set published_n = least(published_n, $2::bigint) where journal = $1';

/** restore-dump.R3, where the records came with the tables. */
async function unpublish(client: PostgresClient, log: Log): Promise<void> {
  const rows = await client.query<{ journal: string }>('read the journals', 'select journal from journals');
  for (const { journal } of rows) {
    const first = await firstTurn(log, journalId(journal));
    if (first !== undefined) await client.query('publish it again', UNPUBLISH, [journal, first - 1]);
  }
}

async function firstTurn(log: Log, journal: JournalId): Promise<number | undefined> {
  const [entry] = await log.read(journalLog(journal), 0);
  return entry && turnIn(entry.record);
}
