/**
 * Reads single orders from archives: their place from Postgres, their block from the file.
 *
 *  R1. A read ends within its deadline. An archive that cannot be read is told by name, and is never taken for "no order".
 *  R2. A block that was read counts for its archive alone. An archive never changes: one without somebody's personal data
 *      is another archive.
 *  R3. A mounted folder may hang, and keeps a thread of libuv's pool as long as it does. So only `limits.archiveFolderReads` of
 *      such reads are under way in a process; the others wait within their deadline.
 */
import type { OrderId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { Unavailable } from '../../actors/unavailable.js';
import { texts } from '../postgres/column-arrays.js';
import type { Session } from '../postgres/postgres.js';
import { type ArchivedOrder, decodeLine, parse, unpack } from './archive-lines.js';
import { type ArchivePlace, archivePlace, bytesOf } from './archive-place.js';
import { inTime } from './in-time.js';
import { readTurns } from './read-turns.js';

/** Where these orders are. Each part looks up one key: no plan can read a table whole. */
export const FIND_ARCHIVED = `select a.order_id as id, a.archive, a.block, r.name, r.place, r.removed_at is not null as is_gone,
    b.at, b.bytes
  from (select * from archived_orders where order_id = any($1::text[]) offset 0) a
    cross join lateral (select * from archives where no = a.archive offset 0) r
    cross join lateral (select * from archive_blocks where archive = a.archive and block = a.block offset 0) b`;

/** archive-reader.R3: of all readers of this process. */
const inTurn = readTurns(limits.archiveFolderReads);

interface Found {
  readonly id: OrderId;
  readonly archive: number;
  readonly block: number;
  readonly name: string;
  readonly place: string;
  readonly is_gone: boolean;
  readonly at: number;
  readonly bytes: number;
}

export interface ArchivedOrders {
  /** Undefined: it is in no archive, or gone with it. @throws Unavailable with a sentence for clients */
  read(order: OrderId): Promise<ArchivedOrder | undefined>;
  /** Whether it was removed with its archive. */
  isGone(order: OrderId): Promise<boolean>;
}

/** @param endpoint of buckets; undefined: AWS itself */
export function archivedOrders(client: Session, endpoint?: string): ArchivedOrders {
  const places = new Map<string, Promise<ArchivePlace>>();
  const blocks = new Map<string, readonly string[]>();

  const find = async (order: OrderId): Promise<Found | undefined> => {
    const parameters = [texts([order], (id) => id)];
    return (await client.query<Found>('find archived orders', FIND_ARCHIVED, parameters))[0];
  };

  const placeOf = (where: string): Promise<ArchivePlace> => {
    const known = places.get(where) ?? archivePlace(where, endpoint);
    places.set(where, known);
    known.catch(() => places.delete(where));
    return known;
  };

  async function blockOf({ archive, block, name, place, at, bytes }: Found): Promise<readonly string[]> {
    const key = `${archive} ${block}`;
    const kept = blocks.get(key);
    if (kept !== undefined) return kept;
    const signal = AbortSignal.timeout(limits.archiveReadMs);
    const read = async () => bytesOf(await placeOf(place), name, signal, [at, at + bytes]);
    const isFolder = !place.startsWith('s3://');
    const lines = await unpack(await inTime(isFolder ? inTurn(read, signal) : read(), limits.archiveReadMs), name);
    const [oldest] = blocks.keys();
    if (oldest !== undefined && blocks.size >= limits.archiveBlocksKept) blocks.delete(oldest);
    blocks.set(key, lines);
    return lines;
  }

  return {
    async read(order) {
      const found = await find(order);
      if (found === undefined || found.is_gone) return undefined;
      try {
        const lines = await blockOf(found);
        const id = JSON.stringify(order);
        const line = lines.find((each) => each.includes(id) && parse(each, found.name).order.id === order);
        if (line === undefined) throw new Error('it does not have the order where it should be');
        return decodeLine(line, found.name);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        const what = `The order is in the archive ${found.name} at ${found.place}, which cannot be read now`;
        throw new Unavailable(`${what} (${why}).`, false, false, true);
      }
    },
    async isGone(order) {
      return (await find(order))?.is_gone === true;
    },
  };
}
