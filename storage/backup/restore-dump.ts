/**
 * Brings a dump back: its tables into a database, its records into the logs. What then starts finds a system whose nodes
 * all died at the moment of the dump, and takes over as after any crash.
 *
 *  R1. Nothing is overwritten: the database has no tables and the logs no records, or they are of a restore of this same
 *      dump that was cut short. Such a restore goes on where it stopped.
 *  R2. The logs come first, then the tables, all or nothing. The journals' rows come last, in one statement: without them
 *      no node serves anything, because a claimed journal has no row. A journal in Postgres comes with the tables.
 *  R3. EVENTS may be lost as well. So the rows say that nothing is published of what the journals still have.
 */
import { join } from 'node:path';
import { type JournalId, journalId } from '../../actors/ids.js';
import { decodeRecord, journalLog } from '../../actors/node/record.js';
import type { Log } from '../../actors/ports/log.js';
import type { JournalRow } from '../../actors/ports/snapshot-rows.js';
import { plain, texts } from '../postgres/column-arrays.js';
import type { PostgresClient } from '../postgres/postgres.js';
import { CannotRestore, DATABASE, LOGS, type Manifest, type PostgresTools } from './dump.js';
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
}

/** @throws CannotRestore */
export async function restoreDump(parts: RestoreParts, folder: string, signal: AbortSignal): Promise<Restored> {
  const { client, url, tools, onProgress = () => {} } = parts;
  const manifest = await readManifest(folder);
  onProgress(`the dump of ${new Date(manifest.takenAt).toISOString()} is whole: ${manifest.orders} orders`);
  const hasTables = await mayRestore(client, manifest);
  const log = await parts.logOf(manifest.journal);
  const rows = manifest.journal === 'postgres' ? undefined : await bringLogs(log, join(folder, LOGS));
  if (rows !== undefined) onProgress(`${rows.length} journals have their records`);
  if (!hasTables) await tools.restore({ url, file: join(folder, DATABASE) }, signal);
  onProgress('the tables are there');
  if (rows !== undefined) await bringRows(client, rows);
  else await unpublish(client, log);
  return { manifest, log };
}

// ---------------------------------------------------------------- what is there already

const TABLES = `select count(*)::int as count from pg_tables where schemaname = 'public'`;
const HALF = 'select id as system, (select count(*)::int from journals) as journals from settlement';

/** restore-dump.R1. @returns whether the tables of this dump are there already, without the journals' rows */
async function mayRestore(client: PostgresClient, { system, journal }: Manifest): Promise<boolean> {
  const [found] = await client.query<{ count: number }>('look for tables', TABLES);
  if ((found?.count ?? 0) === 0) return false;
  const [half] = await client
    .query<{ system: string; journals: number }>('look for half a restore', HALF)
    .catch(() => []);
  if (journal === 'jetstream' && half?.system === system && half.journals === 0) return true;
  throw new CannotRestore(
    'the database is not empty: a restore never overwrites anything. Set DATABASE_URL to an empty database, or use a new DATA_DIR',
  );
}

// ---------------------------------------------------------------- the logs

/** @returns the journals' rows with the positions that their records have now (logs-file.L2) */
async function bringLogs(log: Log, file: string): Promise<readonly JournalRow[]> {
  /** By log and old position: the new one. */
  const moved = new Map<string, number>();
  /** By log: the n before its first turn. */
  const before = new Map<string, number>();
  const rows: JournalRow[] = [];
  let at = { name: '', position: 0 };
  for await (const line of lines(file)) {
    if ('row' in line) {
      rows.push(line.row);
      continue;
    }
    if (at.name !== line.log) at = { name: line.log, position: 0 };
    at.position = await bring(log, line, at.position);
    moved.set(`${line.log} ${line.position}`, at.position);
    const isTurn = line.log.startsWith(journalLog(journalId(''))) && !before.has(line.log);
    const n = isTurn ? turnIn(line.record) : undefined;
    if (n !== undefined) before.set(line.log, n - 1);
  }
  return rows.map((row) => {
    const { journal, folded } = row;
    const position = folded.n === 0 ? 0 : moved.get(`${journalLog(journal)} ${folded.position}`);
    if (position === undefined)
      throw new CannotRestore(`the dump lacks the record ${folded.n} that the row of journal ${journal} names`);
    const publishedN = Math.min(row.publishedN, before.get(journalLog(journal)) ?? row.publishedN);
    return { ...row, folded: { ...folded, position }, publishedN };
  });
}

/** restore-dump.R1: a record that is there already is the same one. @returns its position */
async function bring(log: Log, { log: name, record }: LogLine, after: number): Promise<number> {
  const appended = await log.append(name, after, record, { urgent: true });
  if (appended.kind === 'appended') return appended.position;
  if (appended.kind === 'full') throw new CannotRestore(`the log ${name} has no room for the dump's records`);
  const [there] = await log.read(name, after);
  if (there?.record === record) return there.position;
  throw new CannotRestore(
    `the log ${name} has other records: a restore never overwrites anything. Use a broker without Holdfast's streams, or a new DATA_DIR`,
  );
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
    with ordinality as r(journal, node, closed, n, position, record_id, published_n, no)`;

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
