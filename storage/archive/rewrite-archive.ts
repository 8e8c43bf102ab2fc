/**
 * Archives without somebody's personal data: each archive with orders of these users is written anew without it, and the old
 * file goes.
 *
 *  E1. The new archive is complete and read back before anything names it. One transaction then lets the orders' rows name it,
 *      and marks the old one as removed. After that its file goes; a run that was killed before leaves it to the next one.
 *  E2. Every order keeps its block, so only the archive's number changes. Nodes forget what they had read, by a barrier.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Life, NO_LIFE } from '../../actors/order/order.js';
import { erasedEvent, lifeWithout } from '../../actors/order/personal-data.js';
import type { OrderEvent } from '../../actors/protocol.js';
import { texts } from '../postgres/column-arrays.js';
import type { Session } from '../postgres/postgres.js';
import { blocksOf, mustBeSame, readBack, writeFile, writeManifest } from './archive-file.js';
import { parse } from './archive-lines.js';
import { archivePlace, BadArchive, emptyScratch } from './archive-place.js';
import { type ArchiveRow, archiveRows, beginArchive, blocksOfArchive, mustHave, noteFile } from './archive-rows.js';
import { type ArchiverParts, finishOthers, nameOf, removeFiles, unlessAway } from './archiver.js';

const IDS = 5_000;

/**
 * Only one run at a time may archive or rewrite: the caller holds the lease `archive`.
 * @returns the names of the archives that were written anew
 */
export async function rewriteWithout(
  parts: ArchiverParts,
  users: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  await emptyScratch(parts.scratch);
  await finishOthers(parts, signal);
  const rewritten: string[] = [];
  const away: string[] = [];
  for (const row of await archiveRows(parts.client)) {
    if (row.state !== 'cleared') continue;
    const error = await unlessAway(parts, row, signal, async () => {
      if (await hasOneOf(parts, row, users, signal)) rewritten.push(await writeAnew(parts, row, users, signal));
    });
    if (error !== undefined) away.push(row.name);
  }
  if (away.length > 0) {
    const done = `${rewritten.length} archives were written anew. These cannot be read: ${away.join(', ')}`;
    throw new BadArchive(`${done}. Their orders may still have personal data: run it again when their places are back`);
  }
  return rewritten;
}

async function hasOneOf(
  { client, endpoint }: ArchiverParts,
  row: ArchiveRow,
  users: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<boolean> {
  const blocks = await blocksOfArchive(client, row.no);
  let has = false;
  for await (const lines of blocksOf(await archivePlace(row.place, endpoint), { ...row, blocks }, signal)) {
    has ||= lines.some((line) => users.has(parse(line, row.name).order.user) && erased(line) !== line);
  }
  return has;
}

async function writeAnew(
  { client, endpoint, scratch, system, onProgress }: ArchiverParts,
  row: ArchiveRow,
  users: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<string> {
  const place = await archivePlace(row.place, endpoint, scratch);
  const known = { ...row, blocks: await blocksOfArchive(client, row.no) };
  const { no, name } = await beginArchive(client, row.place, nameOf);
  async function* lines(): AsyncGenerator<string> {
    for await (const block of blocksOf(place, known, signal)) {
      for (const line of block) yield users.has(parse(line, row.name).order.user) ? erased(line) : line;
    }
  }
  const file = await writeFile(place, name, lines(), signal);
  if (file === undefined) throw new Error(`the archive ${row.name} has no order`);
  mustBeSame(file, await readBack(place, file, signal));
  const { firstPlacedAt, lastPlacedAt } = row;
  await writeManifest(
    place,
    {
      ...{ format: 1, system, name, orders: file.entries.length, bytes: file.bytes, sha256: file.sha256 },
      first_placed_at: new Date(firstPlacedAt).toISOString(),
      last_placed_at: new Date(lastPlacedAt).toISOString(),
      made_at: new Date().toISOString(),
    },
    signal,
  );
  await client.session(async (session) => {
    await session.query('begin to replace an archive', 'begin');
    await noteFile(session, { no, file, firstPlacedAt, lastPlacedAt });
    for (let i = 0; i < file.entries.length; i += IDS) {
      const ids = file.entries.slice(i, i + IDS).map(({ id }) => id);
      await moveOrders(session, ids, row.no, no);
    }
    await replace(session, row.no, no);
    await session.query('end of replacing an archive', 'commit');
  });
  const left = await removeFiles(place, row.name, signal);
  onProgress(`${row.name} is now ${name}`);
  if (left !== undefined) onProgress(left);
  return name;
}

async function moveOrders(session: Session, ids: readonly string[], from: number, to: number): Promise<void> {
  const text = 'update archived_orders set archive = $3::int where order_id = any($1::text[]) and archive = $2::int';
  await session.query('move orders to another archive', text, [texts(ids, (id) => id), from, to]);
}

async function replace(session: Session, from: number, to: number): Promise<void> {
  const text = `with old as (
      update archives set replaced_by = $2::int, removed_at = clock_timestamp()
      where no = $1::int and removed_at is null returning left_out)
    update archives set cleared_at = clock_timestamp(), barrier = nextval('archive_barriers'), left_out = (select left_out from old)
    where no = $2::int and exists (select from old) returning no`;
  mustHave(await session.query('replace an archive', text, [from, to]));
}

// ---------------------------------------------------------------- what is personal

interface Open {
  readonly order: {
    readonly life: Life | null;
    readonly email: unknown;
    readonly shipping: unknown;
    readonly billing: unknown;
    readonly notes: unknown;
  };
  /** The last of each is the turn's events. */
  readonly turns: readonly (readonly [string, number, number, string, readonly OrderEvent[]])[];
}

/**
 * The same line without personal data, as an order in the tables loses it (personal-data.ts). It says so as well: what was
 * erased is not compared with a repeat. There is no event `forgotten`: an archived order has no more turns.
 */
function erased(line: string): string {
  const { order, turns, ...rest } = JSON.parse(line) as Open;
  const lost = {
    order: {
      ...order,
      ...{ email: null, shipping: null, billing: null, notes: null },
      life: lifeWithout(order.life ?? NO_LIFE),
    },
    turns: turns.map(([id, version, at, name, events]) => [id, version, at, name, events.map(erasedEvent)]),
    ...rest,
  };
  const before = { order: { ...order, life: order.life ?? NO_LIFE }, turns, ...rest };
  if (isDeepStrictEqual(lost, before)) return line; // There was nothing.
  return JSON.stringify({ ...lost, order: { ...lost.order, life: { ...lost.order.life, forgotten: true } } });
}
