/**
 * Moves settled orders out of the tables into archives, beside running nodes. Each step can be killed, and the next run goes on.
 *
 *  1. A row names the archive. Then its file is written, read back, and gets its manifest.
 *  2. One transaction notes the file and where each order is. From here on these orders are archived: lookups say so.
 *  3. Their rows go (clear-archive.ts), once nothing is under way that was decided before step 2.
 *
 *  M1. No row is deleted before its order was read back from the archive.
 *  M2. An archive of step 1 that is not noted is removed by the next run. A noted one is cleared by it.
 *      Its row says so before its file goes, and nothing notes or replaces an archive that is removed: so two runs at once, of
 *      which one has lost its lease unnoticed, lose no order.
 *  M3. Nodes go before: pages are small, and each work is followed by a rest.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { limits } from '../../actors/limits.js';
import type { Log } from '../../actors/ports/log.js';
import { msOf } from '../postgres/column-arrays.js';
import type { PostgresClient } from '../postgres/postgres.js';
import { manifestName, mustBeSame, partialName, readBack, writeFile, writeManifest } from './archive-file.js';
import { LINE } from './archive-lines.js';
import { type ArchivePlace, archivePlace, BadArchive, emptyScratch, mustBeOurs } from './archive-place.js';
import {
  type ArchiveRow,
  archiveRows,
  beginArchive,
  countAbandoned,
  forgetBegun,
  giveUpBegun,
  noteAbandoned,
  noteArchive,
  noteRemoved,
} from './archive-rows.js';
import { clearArchive } from './clear-archive.js';

export interface ArchiverParts {
  /** As the owner of the tables. */
  readonly client: PostgresClient;
  /** The log with this system's journals and claims. */
  readonly log: Log;
  readonly partitions: number;
  /** The system's id. */
  readonly system: string;
  /** Of buckets; undefined: AWS itself. */
  readonly endpoint: string | undefined;
  /** A folder of archiving alone: for files on their way to a bucket. */
  readonly scratch: string;
  readonly onProgress: (line: string) => void;
  /** The most orders of one archive; fewer only in tests. */
  readonly most?: number;
}

interface Archived {
  readonly archives: number;
  readonly orders: number;
  readonly bytes: number;
}

const PAGE = 250;
/** The first statements of a run wait for nobody; a page of long orders may take a while. */
export const PAGE_MS = 60_000;

/**
 * Settled orders before a time, the oldest first. An order that was archived already is not among them. Without `offset 0`
 * Postgres makes a join of that question, guesses that none is left once most are archived, and reads whole tables for each page.
 */
const CANDIDATES = `orders where (created_at, order_id) > (to_timestamp($1 / 1000::float8), $2)
  and created_at < to_timestamp($3 / 1000::float8) and updated_at < to_timestamp($3 / 1000::float8) and state is null
  and not exists (select from archived_orders a where a.order_id = orders.order_id offset 0)
  order by created_at, order_id`;

export const PAGE_OF_LINES = `select o.order_id as id, ${msOf('o.created_at')} as at, ${LINE} as line
  from (select * from ${CANDIDATES} limit ${PAGE}) o order by o.created_at, o.order_id`;

/** @param before the last change of an order, in milliseconds. @throws BadArchive, or an error with a sentence */
export async function archiveOrders(
  parts: ArchiverParts,
  where: string,
  before: number,
  signal: AbortSignal,
): Promise<Archived> {
  await emptyScratch(parts.scratch);
  const place = await archivePlace(where, parts.endpoint, parts.scratch);
  await mustBeOurs(place, parts.system, signal);
  const away = await finishOthers(parts, signal);
  const ours = away.find(({ row }) => row.place === place.place);
  if (ours !== undefined) throw ours.error; // Another place that is away keeps nobody from this one.
  let archived: Archived = { archives: 0, orders: 0, bytes: 0 };
  let after: Key | undefined = { at: Number.MIN_SAFE_INTEGER / 1_000, id: '' };
  while (after !== undefined) {
    const made: Made = await archiveSome(parts, place, before, after, signal);
    archived = {
      archives: archived.archives + made.archives,
      orders: archived.orders + made.orders,
      bytes: archived.bytes + made.bytes,
    };
    after = made.next;
  }
  return archived;
}

/** An archive whose place does not answer, or has it no more. */
interface Away {
  readonly row: ArchiveRow;
  readonly error: unknown;
}

/** archiver.M2. @returns those whose place is away: each is told, and the next run tries it again */
export async function finishOthers(parts: ArchiverParts, signal: AbortSignal): Promise<readonly Away[]> {
  const away: Away[] = [];
  for (const row of await archiveRows(parts.client)) {
    const error = await unlessAway(parts, row, signal, () => finish(parts, row, signal));
    if (error !== undefined) away.push({ row, error });
  }
  return away;
}

/** @returns why the place of the archive cannot be used; any other error is thrown */
export async function unlessAway(
  { onProgress, endpoint }: ArchiverParts,
  row: ArchiveRow,
  signal: AbortSignal,
  run: () => Promise<void>,
): Promise<unknown> {
  try {
    return void (await run());
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof BadArchive)) {
      const isThere = async () => (await archivePlace(row.place, endpoint)).sizeOf(row.name, signal);
      if ((await isThere().catch(() => 'away')) !== 'away') throw error;
    }
    const why = error instanceof Error ? error.message : String(error);
    onProgress(`${row.name} at ${row.place} is left as it is (${why}). ${WAY_OUT(row.place)}`);
    return error;
  }
}

const WAY_OUT = (place: string): string => `If that place is lost for ever: holdfast archive --abandon ${place}`;

async function finish(parts: ArchiverParts, row: ArchiveRow, signal: AbortSignal): Promise<void> {
  if (row.state === 'noted') await (await archivePlace(row.place, parts.endpoint)).sizeOf(row.name, signal); // Or it is away.
  if (row.state === 'begun') {
    if (!(await giveUpBegun(parts.client, row.no))) return; // Somebody has noted it meanwhile.
    parts.onProgress(`${row.name} was not finished: it is removed, and its orders are still in the tables`);
    await removeLeft(parts, row, signal);
  } else if (row.state === 'noted') await clearArchive(parts, row, signal);
  else if (row.state === 'removed') await removeLeft(parts, row, signal);
}

/** A run may have ended before the file of a removed archive went. @returns whether it is gone by this call */
async function removeLeft(
  { endpoint, onProgress }: ArchiverParts,
  row: ArchiveRow,
  signal: AbortSignal,
): Promise<boolean> {
  const place = await archivePlace(row.place, endpoint);
  if ((await place.sizeOf(row.name, signal)) === undefined) return false;
  const why = await removeFiles(place, row.name, signal);
  if (why !== undefined) onProgress(why);
  return true;
}

/** @returns why old versions of it stay in the bucket, as a sentence; undefined: none is left */
export async function removeFiles(place: ArchivePlace, name: string, signal: AbortSignal): Promise<string | undefined> {
  let why: string | undefined;
  for (const each of [manifestName(name), name, partialName(name)]) {
    const left = await place.remove(each, signal);
    if (each === name) why = left;
  }
  return why;
}

/** Archives whose time is over go as a whole. @returns their names */
export async function removeArchives(
  parts: ArchiverParts,
  olderThanMs: number,
  signal: AbortSignal,
): Promise<string[]> {
  const removed: string[] = [];
  for (const row of await archiveRows(parts.client)) {
    const isOver = row.state === 'cleared' && row.lastPlacedAt < olderThanMs;
    if (isOver) await noteRemoved(parts.client, row.no); // Before the file: an order is then gone, and not unreadable.
    if (!isOver && row.state !== 'removed') continue;
    let isLeft = false;
    await unlessAway(parts, row, signal, async () => {
      isLeft = await removeLeft(parts, row, signal);
    });
    if (isLeft || isOver) removed.push(row.name);
  }
  return removed;
}

interface Abandoned {
  readonly archives: number;
  /** Orders that answer 410 from now on. */
  readonly gone: number;
  /** Orders whose rows had not gone yet: they are archived no more. */
  readonly back: number;
  /** An archive that the place still has. */
  readonly found: string | undefined;
}

/**
 * A place is lost for ever: nothing is asked of it any more.
 * @param isDry only count; this never refuses
 * @param anyway also where the place still has one of its archives
 * @throws BadArchive if no archive is there, or one is there and can be read
 */
export async function abandonPlace(
  { client, endpoint }: Pick<ArchiverParts, 'client' | 'endpoint'>,
  where: string,
  signal: AbortSignal,
  { isDry = false, anyway = false } = {},
): Promise<Abandoned> {
  const lost = await archivePlace(where, endpoint);
  const { place } = lost;
  const rows = (await archiveRows(client)).filter((row) => row.place === place && row.state !== 'abandoned');
  if (rows.length === 0) throw new BadArchive(`no archive is at ${place}`);
  const found = anyway && !isDry ? undefined : await oneFoundOf(lost, rows, signal);
  if (found !== undefined && !isDry)
    throw new BadArchive(
      `${place} is not lost: it has ${found}. Nothing was given up. Add --anyway to do it all the same`,
    );
  let [gone, back] = [0, 0];
  for (const row of rows) {
    if (row.state === 'begun' && !isDry) await giveUpBegun(client, row.no);
    const done = isDry ? await countAbandoned(client, row.no) : await noteAbandoned(client, row.no);
    gone += done.gone;
    back += done.back;
  }
  return { archives: rows.length, gone, back, found };
}

/** Undefined: the place does not answer, or has none of them. */
async function oneFoundOf(
  place: ArchivePlace,
  rows: readonly ArchiveRow[],
  signal: AbortSignal,
): Promise<string | undefined> {
  for (const { name } of rows) {
    try {
      if ((await place.sizeOf(name, signal)) !== undefined) return name;
    } catch {
      signal.throwIfAborted();
      return undefined;
    }
  }
  return undefined;
}

/** What a run would archive. */
export async function candidates(client: PostgresClient, before: number): Promise<{ orders: number; bytes: number }> {
  const text = `select count(*)::float8 as orders, coalesce(sum(pg_column_size(o.*) + (
      select sum(pg_column_size(t.*)) from order_turns t where t.order_id = o.order_id)), 0)::float8 as bytes
    from (select * from ${CANDIDATES}) o`;
  const parameters = [Number.MIN_SAFE_INTEGER / 1_000, '', before];
  const [row] = await client.query<{ orders: number; bytes: number }>('count what may be archived', text, parameters);
  return row ?? { orders: 0, bytes: 0 };
}

// ---------------------------------------------------------------- one archive

interface Key {
  readonly at: number;
  readonly id: string;
}

interface Made extends Archived {
  /** Where the next archive begins; undefined at the end. */
  readonly next: Key | undefined;
}

async function archiveSome(
  parts: ArchiverParts,
  place: ArchivePlace,
  before: number,
  after: Key,
  signal: AbortSignal,
): Promise<Made> {
  const { client, system, onProgress, most = limits.archiveOrders } = parts;
  const nothing = { archives: 0, orders: 0, bytes: 0, next: undefined };
  const first = await client.query('look for orders to archive', `select order_id from ${CANDIDATES} limit 1`, [
    ...[after.at, after.id, before],
  ]);
  if (first.length === 0) return nothing;
  const lines = new Lines(client, before, after, most, onProgress);
  const { no, name } = await beginArchive(client, place.place, nameOf);
  onProgress(`${name}: begun at ${place.place}`);
  const file = await writeFile(place, name, lines.read(signal), signal);
  if (file === undefined) {
    await forgetBegun(client, no);
    return nothing;
  }
  onProgress(`${name}: ${file.entries.length} orders written, ${inMb(file.bytes)} MB; reading it back`);
  mustBeSame(file, await readBack(place, file, signal));
  onProgress(`${name}: read back, and whole`);
  const times = { firstPlacedAt: lines.firstAt, lastPlacedAt: lines.last.at };
  await writeManifest(
    place,
    {
      ...{ format: 1, system, name, orders: file.entries.length, bytes: file.bytes, sha256: file.sha256 },
      first_placed_at: new Date(times.firstPlacedAt).toISOString(),
      last_placed_at: new Date(times.lastPlacedAt).toISOString(),
      made_at: new Date().toISOString(),
    },
    signal,
  );
  await noteArchive(client, { no, file, ...times });
  onProgress(`${name}: noted; from now on its orders are archived`);
  const row: ArchiveRow = {
    ...{ no, name, place: place.place, state: 'noted', orders: file.entries.length, bytes: file.bytes },
    ...{ sha256: file.sha256, ...times },
  };
  await clearArchive(parts, row, signal, file.entries);
  const { bytes, entries } = file;
  return { archives: 1, orders: entries.length, bytes, next: lines.isAtEnd ? undefined : lines.last };
}

class Lines {
  last: Key;
  firstAt = 0;
  isAtEnd = false;
  private count = 0;
  private toldAt = performance.now();

  constructor(
    private readonly client: PostgresClient,
    private readonly before: number,
    after: Key,
    private readonly most: number,
    private readonly report: (line: string) => void,
  ) {
    this.last = after;
  }

  async *read(signal: AbortSignal): AsyncGenerator<string> {
    while (this.count < this.most) {
      signal.throwIfAborted();
      const began = performance.now();
      const { at, id } = this.last;
      const page = await this.client.query<Key & { readonly line: string }>(
        'read orders to archive',
        PAGE_OF_LINES,
        [at, id, this.before],
        PAGE_MS,
      );
      const tookMs = performance.now() - began;
      for (const row of page) {
        if (this.count === this.most) return;
        if (this.count++ === 0) this.firstAt = row.at;
        this.last = { at: row.at, id: row.id };
        yield row.line;
      }
      if (page.length < PAGE) {
        this.isAtEnd = true;
        return;
      }
      this.tell();
      await setTimeout(tookMs / 2, undefined, { signal }); // archiver.M3
    }
  }

  private tell(): void {
    if (performance.now() - this.toldAt < 2_000) return;
    this.toldAt = performance.now();
    this.report(`${this.count} orders read, up to ${new Date(this.last.at).toISOString()}`);
  }
}

export const nameOf = (no: number): string =>
  `orders-${String(no).padStart(6, '0')}-${randomBytes(4).toString('hex')}.ndjson.gz`;

export const inMb = (bytes: number): string => (bytes / 1e6).toFixed(1);
