/**
 * Archived orders: promise 5 for orders that are not in the tables any more.
 *
 *  - Each is in exactly one place: once its archive is cleared, no row of it is in the tables. Before that both have it.
 *  - An archive has as many orders as it was noted with, less those that stayed in the tables.
 *  - Its file is there with its size. With `isWhole` every file is read: it has its bytes, each order is where it should be,
 *    its history is dense, and what products did for it is in `inventory_operations`.
 */
import { isDeepStrictEqual } from 'node:util';
import { blocksOf } from '../archive/archive-file.js';
import { parse } from '../archive/archive-lines.js';
import { archivePlace } from '../archive/archive-place.js';
import { type ArchiveRow, archiveRows, blocksOfArchive } from '../archive/archive-rows.js';
import { texts } from '../postgres/column-arrays.js';
import type { Session } from '../postgres/postgres.js';
import { OPERATION_BODY } from '../snapshots/product-rows.js';
import { LONG_MS, OFFENDERS, type SqlLaw } from './sql-laws.js';
import type { Findings } from './verdict.js';

export interface ArchiveFiles {
  /** Of buckets; undefined: AWS itself. */
  readonly endpoint: string | undefined;
  /** Every file is read from end to end. */
  readonly isWhole: boolean;
}

const FILE_MS = 10_000;

const once: SqlLaw = {
  promise: 'durable',
  of: 'order',
  what: 'one place for each archived order',
  text: `select a.order_id as id, 'what is left in the tables of an order of archive ' || a.archive as what, 'its row' as found,
      'nothing' as expected, count(*) over () as total
    from archived_orders a join archives r on r.no = a.archive and r.cleared_at is not null join orders o on o.order_id = a.order_id
    order by 1 ${OFFENDERS}`,
};

const whole: SqlLaw = {
  promise: 'durable',
  of: 'table',
  what: 'the orders of each archive',
  text: `select 'archived_orders' as id, 'the orders of archive ' || r.name as what, coalesce(a.orders, 0)::text as found,
      (r.orders - r.left_out)::text as expected, count(*) over () as total
    from archives r left join (select archive, count(*) as orders from archived_orders group by 1) a on a.archive = r.no
    where r.noted_at is not null and r.replaced_by is null and coalesce(a.orders, 0) <> r.orders - r.left_out
    order by 2 ${OFFENDERS}`,
};

export const archiveLaws: readonly SqlLaw[] = [once, whole];

/** @param now looks outside the database snapshot: an archive may be replaced or removed meanwhile, and its file with it */
export async function judgeArchives(
  session: Session,
  now: Session,
  files: ArchiveFiles,
  findings: Findings,
  report: (line: string) => void,
): Promise<void> {
  for (const row of await archiveRows(session)) {
    if (row.state !== 'noted' && row.state !== 'cleared') continue;
    const faults: string[] = [];
    const wrong = (sentence: string) => void faults.push(sentence);
    try {
      const place = await archivePlace(row.place, files.endpoint);
      const bytes = await place.sizeOf(row.name, AbortSignal.timeout(FILE_MS));
      if (bytes !== row.bytes) {
        wrong(
          `its file at ${row.place} ${bytes === undefined ? 'is missing' : `has ${bytes} bytes`}, expected ${row.bytes} bytes`,
        );
        continue;
      }
      if (!files.isWhole) continue;
      const began = performance.now();
      await judgeFile(session, row, files, wrong);
      report(`archive ${row.name}: ${((performance.now() - began) / 1_000).toFixed(1)} s`);
    } catch (error) {
      wrong(error instanceof Error ? error.message : String(error));
    } finally {
      if (faults.length > 0 && !(await isRemoved(now, row.no)))
        for (const sentence of faults) findings.add('durable', `archive ${row.name}`, sentence);
    }
  }
}

async function isRemoved(now: Session, no: number): Promise<boolean> {
  const text = 'select from archives where no = $1 and removed_at is not null';
  return (await now.query('look at an archive again', text, [no])).length > 0;
}

const PLACES = 'select order_id as id, archive, block, version from archived_orders where order_id = any($1::text[])';
const OPERATIONS = `select ref as id, json_agg(${OPERATION_BODY} order by product_id, version) as body
  from inventory_operations where ref = any($1::text[]) group by ref`;

async function judgeFile(
  session: Session,
  row: ArchiveRow,
  { endpoint }: ArchiveFiles,
  wrong: (sentence: string) => void,
): Promise<void> {
  const blocks = await blocksOfArchive(session, row.no);
  const place = await archivePlace(row.place, endpoint);
  let block = -1;
  for await (const lines of blocksOf(place, { ...row, blocks }, AbortSignal.timeout(LONG_MS))) {
    block++;
    const orders = lines.map((line) => parse(line, row.name));
    const ids = [texts(orders, ({ order }) => order.id)];
    const placed = await session.query<{ id: string; archive: number; block: number; version: number }>(
      'read where orders are',
      PLACES,
      ids,
      LONG_MS,
    );
    const moves = await session.query<{ id: string; body: string }>('read what products did', OPERATIONS, ids, LONG_MS);
    const where = new Map(placed.map((each) => [each.id, each]));
    const moved = new Map(moves.map(({ id, body }) => [id, body]));
    for (const { order, turns, operations } of orders) {
      const { id, version } = order;
      const at = where.get(id);
      if (at === undefined || at.archive !== row.no) continue; // It stayed in the tables, or is in a later archive.
      if (at.block !== block || at.version !== version) {
        wrong(
          `order ${id} is in block ${block} at version ${version}, expected block ${at.block} and version ${at.version}`,
        );
      }
      const events = turns.flatMap(
        (turn) => (turn as unknown as readonly [string, number, number, string, readonly object[]])[4],
      );
      if (events.length !== version) wrong(`order ${id} has ${events.length} events, expected ${version}`);
      const stored: unknown = JSON.parse(moved.get(id) ?? '[]');
      if (!isDeepStrictEqual(stored, operations)) {
        wrong(`what products did for order ${id} differs from inventory_operations`);
      }
    }
  }
}
