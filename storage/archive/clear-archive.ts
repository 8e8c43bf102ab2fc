/**
 * Deletes the rows of an archive's orders, beside running nodes.
 *
 *  C1. Before anything is deleted, each partition's rows are at its last claim, and then each open journal's node has seen a
 *      barrier (archive-barrier.ts). So nobody decides any more from what was known before the archive was noted, and what was
 *      decided is in the rows or in a journal's tail.
 *  C2. An order that a tail names, or whose row is not at the version in the archive, stays: it is archived no more.
 *  C3. One statement deletes an order's row, items, history and words, and counts it in `archived_stats`.
 */
import { setTimeout } from 'node:timers/promises';
import { addedTo } from '../lists/order-stats-fold.js';
import { plain, texts } from '../postgres/column-arrays.js';
import type { PostgresClient } from '../postgres/postgres.js';
import { IS_SOLD } from '../snapshots/order-stats.js';
import { beginLook } from '../verify/look.js';
import { ClaimsReader } from '../verify/ownership.js';
import { Findings } from '../verify/verdict.js';
import { type Entry, readBack } from './archive-file.js';
import { archivePlace } from './archive-place.js';
import { type ArchiveRow, barrierOf, blocksOfArchive, noteCleared, unseenBy } from './archive-rows.js';
import { type ArchiverParts, PAGE_MS } from './archiver.js';

const BATCH = 200;
/** How long the nodes may take to see a barrier, or to write the rows of partitions that they took. */
const SEEN_MS = 120_000;
const LOOK_MS = 250;

const DELETE = `with wanted as materialized (select unnest($1::text[]) as id, unnest($2::int[]) as version),
  locked as materialized (
    select order_id, version, state is null as is_settled, created_at, currency, status, reason
    from orders where order_id = any($1::text[]) order by order_id for update),
  good as materialized (
    select l.* from locked l join wanted w on w.id = l.order_id and w.version = l.version
    where l.is_settled and exists (select from archived_orders a where a.order_id = l.order_id and a.archive = $3::int)),
  items as (delete from order_items where order_id = any(array(select order_id from good)) returning *),
  turns as (delete from order_turns where order_id = any(array(select order_id from good))),
  words as (delete from order_search where order_id = any(array(select order_id from good))),
  gone as (delete from orders where order_id = any(array(select order_id from good)) returning 1),
  by_product as (
    select i.product_id, (g.created_at at time zone 'UTC')::date as day, coalesce(g.currency, '') as currency, g.status,
      coalesce(g.reason, '') as reason, count(*) filter (where i.line = 1) as orders, count(*) as containing,
      sum(i.quantity) as units, coalesce(sum(i.subtotal) filter (where g.status ${IS_SOLD}), 0) as revenue
    from items i join good g on g.order_id = i.order_id group by 1, 2, 3, 4, 5),
  counted as (${addedTo('archived_stats', 'select * from by_product')}),
  staying as (
    delete from archived_orders where archive = $3::int and order_id = any(array(
      select order_id from locked where order_id <> all(array(select order_id from good)))) returning 1),
  noted as (update archives set left_out = left_out + (select count(*) from staying)
    where no = $3::int and exists (select from staying))
  select (select count(*)::int from gone) as deleted, (select count(*)::int from staying) as staying`;

const LEAVE_OUT = `with staying as (
    delete from archived_orders where order_id = any($1::text[]) and archive = $2 returning 1)
  update archives set left_out = left_out + (select count(*) from staying) where no = $2`;

/** @param entries what a read back has just found in the file; without them it is read now */
export async function clearArchive(
  parts: ArchiverParts,
  row: ArchiveRow,
  signal: AbortSignal,
  entries?: readonly Entry[],
): Promise<void> {
  const { client, onProgress } = parts;
  const known = entries ?? (await entriesOf(parts, row, signal));
  onProgress(`${row.name}: waiting until all nodes know of it`);
  await untilRowsAreClaimed(parts, signal);
  const barrier = await barrierOf(client, row.no);
  await untilSeen(client, barrier, signal);
  onProgress(`${row.name}: all nodes know of it; deleting the rows of its orders`);
  const named = await namedInTails(parts);
  const staying = known.filter(({ id }) => named.has(id));
  if (staying.length > 0) {
    await client.query('keep orders that change', LEAVE_OUT, [texts(staying, ({ id }) => id), row.no], PAGE_MS);
  }
  const going = known.filter(({ id }) => !named.has(id));
  let deleted = 0;
  let kept = staying.length;
  let toldAt = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < going.length; i += BATCH) {
    signal.throwIfAborted();
    const began = performance.now();
    const batch = going.slice(i, i + BATCH);
    const parameters = [texts(batch, ({ id }) => id), plain(batch, ({ version }) => version), row.no];
    const [done] = await client.query<{ deleted: number; staying: number }>(
      'delete archived orders',
      DELETE,
      parameters,
      PAGE_MS,
    );
    deleted += done?.deleted ?? 0;
    kept += done?.staying ?? 0;
    if (performance.now() - toldAt > 2_000) {
      toldAt = performance.now();
      onProgress(`${row.name}: the rows of ${deleted} orders are gone from the tables`);
    }
    await setTimeout((performance.now() - began) / 2, undefined, { signal }); // archiver.M3
  }
  await noteCleared(client, row.no);
  const rest = kept > 0 ? `; ${kept} stay, since they have changed` : '';
  onProgress(`${row.name}: the rows of its orders are gone from the tables${rest}`);
}

async function entriesOf({ client, endpoint }: ArchiverParts, row: ArchiveRow, signal: AbortSignal) {
  const blocks = await blocksOfArchive(client, row.no);
  return readBack(await archivePlace(row.place, endpoint), { ...row, blocks }, signal);
}

/** clear-archive.C1: what was loaded before the archive was noted runs, and its rows are written. */
async function untilRowsAreClaimed({ client, log, partitions }: ArchiverParts, signal: AbortSignal): Promise<void> {
  const { chains } = await new ClaimsReader(log, partitions, new Findings()).readOn();
  const text = 'select partition, epoch::float8 as epoch from partitions';
  const look = async () => {
    const rows = await client.query<{ partition: number; epoch: number }>('read how far partitions are', text);
    const epochs = new Map(rows.map(({ partition, epoch }) => [partition, epoch]));
    const behind = chains.findIndex((chain, partition) => {
      const last = chain.at(-1);
      return last !== undefined && last.released === undefined && (epochs.get(partition) ?? 0) < last.epoch;
    });
    return behind < 0 ? undefined : `partition ${behind} is not written by its owner yet`;
  };
  await untilNothing(look, signal);
}

async function untilSeen(client: PostgresClient, barrier: number, signal: AbortSignal): Promise<void> {
  const look = async () => {
    const [journal] = await unseenBy(client, barrier);
    return journal === undefined ? undefined : `the node of journal ${journal} has not answered`;
  };
  await untilNothing(look, signal);
}

async function untilNothing(look: () => Promise<string | undefined>, signal: AbortSignal): Promise<void> {
  const endsAt = performance.now() + SEEN_MS;
  for (;;) {
    signal.throwIfAborted();
    const missing = await look();
    if (missing === undefined) return;
    if (performance.now() > endsAt) {
      const how = 'Start the node, or stop it in order, and archive again: the same command goes on';
      throw new Error(`${missing}, so no row was deleted after ${SEEN_MS / 1_000} s. ${how}`);
    }
    await setTimeout(LOOK_MS, undefined, { signal });
  }
}

/** clear-archive.C2: the orders with events that the rows may lack. */
async function namedInTails({ client, log, partitions, onProgress }: ArchiverParts): Promise<ReadonlySet<string>> {
  return client.session(async (session) => {
    const look = { client, log, partitions };
    const { journals, snapshot } = await beginLook(session, look, onProgress);
    const named = new Set<string>();
    for (const { cascades } of journals.tailTurns()) {
      for (const { events } of cascades) {
        for (const { of } of events) if (of.kind === 'order') named.add(of.id);
      }
    }
    await snapshot.end();
    return named;
  });
}
