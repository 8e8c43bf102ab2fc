/**
 * Which orders may have a row in Postgres: a Bloom filter for each partition that this incarnation owns.
 * A filter answers "certainly not" or "maybe"; the node looks a maybe up. So the first request for a keyed order costs
 * no query.
 *
 *  B1. A filter answers "certainly not" only after all stored ids of its partition were read since the partition was
 *      joined. Nobody else writes its rows meanwhile: the predecessors' journals are closed before the reading begins.
 *  B2. An order that this incarnation writes is in memory. Its id is added when it leaves memory.
 *  B3. Ids are never removed. A full filter still takes ids: it answers "maybe" more often, and is never wrong.
 *
 * Each filter is a chain of blocked Bloom filters, each four times as large as the one before. An id sets eight bits, one
 * in each word of one block of 32 bytes, so a query touches one cache line (Putze, Sanders, Singler: Cache-, Hash- and
 * Space-Efficient Bloom Filters, 2007).
 */
import { hashOf, type OrderId } from '../ids.js';
import { limits } from '../limits.js';

const BLOCK_WORDS = 8;
const BLOCK_BYTES = 4 * BLOCK_WORDS;
/** When a filter is full, it answers "maybe" for one in 1,000 ids that were never added. */
const BITS_PER_ID = 16;
const FIRST_BYTES = 1_024;
const GROWS = 4;

interface Joined {
  readonly filter: IdFilter;
  isComplete: boolean;
}

type Reading = ReadonlyMap<number, Joined>;

export class StoredOrders {
  private readonly filters = new Map<number, Joined>();
  private readonly bytesEach: number;

  /** @param bytes of all filters together when every partition is joined. */
  constructor(
    private readonly partitions: number,
    bytes: number = limits.storedOrdersBytes,
  ) {
    this.bytesEach = bytes / partitions;
  }

  /** From now on only this incarnation writes the partition's rows. */
  join(partition: number): void {
    this.filters.set(partition, { filter: new IdFilter(this.bytesEach), isComplete: false });
  }

  leave(partition: number): void {
    this.filters.delete(partition);
  }

  /** The partitions joined now. The caller begins to read the stored ids after this call. */
  begin(): Reading {
    return new Map(this.filters);
  }

  /**
   * stored-orders.B1: all ids stored when the reading began have been added. Partitions joined later are not complete.
   */
  complete(reading: Reading): void {
    for (const [partition, joined] of reading) if (this.filters.get(partition) === joined) joined.isComplete = true;
  }

  /** Adds ids that were read from Postgres. */
  addStored(ids: readonly OrderId[]): void {
    for (const id of ids) this.add(id);
  }

  /** stored-orders.B2: the order has left memory. */
  left(id: OrderId): void {
    this.add(id);
  }

  /** False means: the order certainly has no row. */
  mayHave(id: OrderId): boolean {
    const hash = hashOf('order', id);
    const joined = this.filters.get(hash % this.partitions);
    return joined === undefined || !joined.isComplete || joined.filter.mayHave(hash);
  }

  private add(id: OrderId): void {
    const hash = hashOf('order', id);
    this.filters.get(hash % this.partitions)?.filter.add(hash);
  }
}

class IdFilter {
  /** Youngest first. The youngest is the largest, and the only one that takes ids. */
  private readonly chain: { readonly words: Uint32Array; readonly blocks: number; room: number }[] = [];
  private bytes = 0;

  constructor(private readonly mostBytes: number) {
    this.grow();
  }

  /** @param hash has the same remainder by the number of partitions for all ids of this filter. */
  add(hash: number): void {
    if (this.mayHave(hash)) return; // It takes no room: an order may leave memory many times.
    let youngest = this.chain[0];
    if (youngest === undefined || (youngest.room <= 0 && this.grow())) youngest = this.chain[0];
    if (youngest === undefined) return;
    youngest.room--;
    const place = mixed(hash, PLACE);
    const bits = mixed(hash, BITS);
    const { words, blocks } = youngest;
    const at = (place % blocks) * BLOCK_WORDS;
    for (let i = 0; i < BLOCK_WORDS; i++) words[at + i] = (words[at + i] as number) | bitOf(bits, place, i);
  }

  mayHave(hash: number): boolean {
    const place = mixed(hash, PLACE);
    const bits = mixed(hash, BITS);
    for (const { words, blocks } of this.chain) {
      const at = (place % blocks) * BLOCK_WORDS;
      let i = 0;
      while (i < BLOCK_WORDS && ((words[at + i] as number) & bitOf(bits, place, i)) !== 0) i++;
      if (i === BLOCK_WORDS) return true;
    }
    return false;
  }

  /** stored-orders.B3: adds a larger filter to the chain. @returns whether there was room for it. */
  private grow(): boolean {
    const last = this.chain[0];
    const most = last === undefined ? FIRST_BYTES : GROWS * last.words.byteLength;
    const size = Math.min(most, this.mostBytes - this.bytes);
    // A small filter at the end would soon be full and answer "maybe" for every id.
    if (last !== undefined && size < last.words.byteLength) return false;
    const words = new Uint32Array(Math.max(1, Math.floor(size / BLOCK_BYTES)) * BLOCK_WORDS);
    this.bytes += words.byteLength;
    this.chain.unshift({ words, blocks: words.length / BLOCK_WORDS, room: (8 * words.byteLength) / BITS_PER_ID });
    return true;
  }
}

const PLACE = 0x2c1b3c6d;
const BITS = 0x297a2d39;

/** Mixes a hash over all 32 bits, differently for each constant (the finalizer of MurmurHash3, A. Appleby). */
function mixed(hash: number, by: number): number {
  let h = Math.imul(hash ^ by, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * The first six words take five bits each of one number. The last two take theirs from a mix with the block's place.
 */
const bitOf = (bits: number, place: number, i: number): number =>
  i < 6
    ? 1 << ((bits >>> (5 * i)) & 31)
    : 1 << ((Math.imul(place ^ bits, i === 6 ? 0x9e3779b1 : 0x7feb352d) >>> 27) & 31);
