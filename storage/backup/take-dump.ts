/**
 * Takes a dump beside running nodes.
 *
 *  D1. A journal in Postgres: one database snapshot has its records and the rows.
 *  D2. A journal in JetStream: a look of `verify` reads the rows of one database snapshot, and the tails of all journals up
 *      to a consistent cut (storage/verify/cut.ts). The snapshot is older than the tails' ends. So the dump has everything
 *      that was acknowledged before it began, and the rows have nothing beyond the cut.
 *  D3. The claims of the dump are those from before the snapshot. If a partition moves meanwhile, the dump is taken anew.
 *  D4. Trims go on meanwhile, some seconds behind the rows. So the logs are copied first. If a record is missing between
 *      two others, or the one that a row names, the dump is taken anew.
 *  D5. A look may find a violation. If each attempt does, the dump ends as one that `verify` found unclean.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CLAIMS_LOG, decodeRecord, journalLog, SYSTEM_LOG } from '../../actors/node/record.js';
import type { Log } from '../../actors/ports/log.js';
import { encodeSettlement, type Settlement } from '../../actors/ports/settlement.js';
import type { PostgresClient, Session } from '../postgres/postgres.js';
import type { Journals } from '../verify/journals.js';
import { beginLook } from '../verify/look.js';
import { beginSnapshot, countRows, endSnapshot, type Snapshot } from '../verify/snapshot.js';
import { MovedOn, RecordsLost } from '../verify/verdict.js';
import { DATABASE, LOGS, MANIFEST, type Manifest, NotClean, type PostgresTools } from './dump.js';
import { hashOf } from './files.js';
import { type Line, type LogLine, writeLines } from './logs-file.js';

export interface TakeParts {
  readonly client: PostgresClient;
  /** The same database, for pg_dump: as a user who may read every table. */
  readonly url: string;
  readonly log: Log;
  readonly settlement: Settlement;
  readonly version: string;
  readonly tools: PostgresTools;
  readonly onProgress?: (line: string) => void;
}

/** What is read from Postgres and from the logs at one moment. */
interface Moment {
  readonly snapshot: Snapshot;
  readonly lines: AsyncIterable<Line>;
  /** By journal: the n of its last record. Complete once the lines are read. */
  readonly ends: Map<string, number>;
  /** Tables whose rows are among the lines. */
  readonly without: readonly string[];
}

const ATTEMPTS = 20;
const PAUSE_MS = 200;
const COUNT_MS = 600_000;

/** @param folder exists and is empty */
export async function takeDump(parts: TakeParts, folder: string, signal: AbortSignal): Promise<Manifest> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await parts.client.session((session) => dumpOnce(session, parts, folder, signal));
    } catch (error) {
      if (error instanceof RecordsLost) throw new NotClean(`records are lost: ${error.message}`, 1);
      const mayPass = error instanceof MovedOn || error instanceof NotClean; // take-dump.D5
      if (!mayPass || attempt >= ATTEMPTS || signal.aborted) throw error;
      parts.onProgress?.(`${error.message}: reading again`);
      await rm(join(folder, LOGS), { force: true });
      await pause(PAUSE_MS * (0.5 + Math.random()));
    }
  }
}

// ---------------------------------------------------------------- machinery

async function dumpOnce(session: Session, parts: TakeParts, folder: string, signal: AbortSignal): Promise<Manifest> {
  const { settlement, version, url, tools, onProgress = () => {} } = parts;
  const { id: system, partitions, journal } = settlement;
  const takenAt = Date.now();
  const { snapshot, lines, ends, without } = await (journal === 'postgres'
    ? momentInPostgres(session)
    : momentInBoth(session, parts));
  try {
    const [shared] = await session.query<{ name: string }>('share the snapshot', 'select pg_export_snapshot() as name');
    if (shared === undefined) throw new Error('Postgres did not share its snapshot');
    await writeLines(join(folder, LOGS), lines, signal);
    onProgress('the logs are copied');
    await tools.dump({ url, file: join(folder, DATABASE), snapshot: shared.name, without }, signal);
    const { orders } = await countRows(session, COUNT_MS);
    const migrations = await migrationsOf(session);
    await snapshot.end();
    onProgress(`the tables are dumped: ${orders} orders`);
    const files = await Promise.all([DATABASE, LOGS].map((name) => hashOf(folder, name)));
    const manifest: Manifest = {
      ...{ format: 1, version, system, partitions, journal, takenAt },
      ...{ ends: Object.fromEntries(ends), files, migrations, orders },
    };
    await writeFile(join(folder, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`, { flag: 'wx', flush: true });
    return manifest;
  } catch (error) {
    await endSnapshot(session).catch(() => {});
    throw error;
  }
}

async function migrationsOf(session: Session): Promise<readonly string[]> {
  const text = 'select name from holdfast_migrations order by id';
  return (await session.query<{ name: string }>('read the migrations', text)).map(({ name }) => name);
}

/** take-dump.D1 */
async function momentInPostgres(session: Session): Promise<Moment> {
  const snapshot = await beginSnapshot(session);
  const heads = await session.query<{ log: string; record: string }>(
    'read the ends of the logs',
    'select log, record from log_heads join log_records using (log, position)',
  );
  const ends = new Map<string, number>();
  for (const { log, record } of heads) {
    const last = decodeRecord(record, `the end of ${log}`);
    if (last.kind === 'turn') ends.set(last.journal, last.n);
  }
  return { snapshot, lines: noLines(), ends, without: [] };
}

async function* noLines(): AsyncGenerator<Line> {}

/** take-dump.D2 */
async function momentInBoth(session: Session, parts: TakeParts): Promise<Moment> {
  const { client, log, settlement, onProgress = () => {} } = parts;
  const { partitions } = settlement;
  const begun = await beginLook(session, { client, log, partitions }, onProgress);
  const { journals, snapshot, findings } = begun;
  if (journals.claimsUpTo !== begun.claimsBefore) throw new MovedOn('a partition was claimed or released'); // take-dump.D3
  const [wrong] = findings.violations;
  if (wrong !== undefined) throw new NotClean(wrong.sentence, findings.total);
  const ends = new Map<string, number>();
  const lines = linesOf(parts, journals, snapshot, ends);
  return { snapshot, lines, ends, without: ['journals', 'log_heads', 'log_records'] };
}

async function* linesOf(
  { log, settlement }: TakeParts,
  journals: Journals,
  { journals: journalRows, partitions: partitionRows }: Snapshot,
  ends: Map<string, number>,
): AsyncGenerator<Line> {
  const [rows, partitions] = [[...journalRows.values()], [...partitionRows.values()]];
  yield { log: SYSTEM_LOG, position: 1, record: encodeSettlement(settlement) };
  const missing = new Map(partitions.map(({ partition, epoch }) => [partition, epoch]));
  for await (const line of entriesOf(log, CLAIMS_LOG)) {
    if (line.position > journals.claimsUpTo) break;
    const record = decodeRecord(line.record, `${line.log} at ${line.position}`);
    for (const [partition, claim] of (record.kind === 'claims' ? record.map : []).entries())
      if (claim !== null && claim.epoch === missing.get(partition)) missing.delete(partition);
    yield line;
  }
  if (missing.size > 0) throw new MovedOn('the claims were trimmed while they were copied'); // take-dump.D4
  for (const journal of journals.names) {
    const place = rows.find((row) => row.journal === journal)?.folded;
    const cut = journals.cutAt.get(journal) ?? Number.POSITIVE_INFINITY;
    let isAtPlace = place === undefined || place.n === 0;
    let last: number | undefined;
    for await (const line of entriesOf(log, journalLog(journal))) {
      const record = decodeRecord(line.record, `${line.log} at ${line.position}`);
      if (record.kind === 'turn' && record.n > cut) break;
      if (record.kind === 'turn' && last !== undefined && record.n !== last + 1) throw trimmed(journal);
      if (record.kind === 'turn') last = record.n;
      if (line.position === place?.position) isAtPlace = true;
      yield line;
    }
    if (!isAtPlace) throw trimmed(journal);
    ends.set(journal, last ?? place?.n ?? 0);
  }
  for (const row of rows) yield { row };
}

/** take-dump.D4 */
const trimmed = (journal: string) => new MovedOn(`journal ${journal} was trimmed while it was copied`);

async function* entriesOf(log: Log, name: string): AsyncGenerator<LogLine> {
  for (let after = 0; ; ) {
    const page = await log.read(name, after);
    if (page.length === 0) return;
    for (const { position, record } of page) {
      after = position;
      yield { log: name, position, record };
    }
  }
}
