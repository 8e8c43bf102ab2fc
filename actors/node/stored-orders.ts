/**
 * Which orders have a row in Postgres, as far as memory can say: a filter for each partition that this incarnation owns.
 * It says "certainly not", or "maybe"; a maybe is looked up. So the first sending of a keyed order costs no query.
 *
 *  B1. "Certainly not" is said only of a partition whose stored ids have all been read since it was joined. Nobody else
 *      writes its rows meanwhile: the predecessors' journals are closed before the reading begins.
 *  B2. What this incarnation writes itself is in memory, and is added at the moment it leaves memory.
 *  B3. Nothing is ever taken out. A filter that is full goes on to take ids in: it says "maybe" more often, and no more.
 *
 * Each filter is a chain of blocked Bloom filters, each four times as large as the one before: eight bits of an id, one in each
 * word of one block of 32 bytes, so that a look touches one line of the processor's cache (Putze, Sanders, Singler: Cache-,
 * Hash- and Space-Efficient Bloom Filters, 2007).
 */
import { hashOf, type OrderId } from '../ids.js';
import { limits } from '../limits.js';

const BLOCK_WORDS = 8;
const BLOCK_BYTES = 4 * BLOCK_WORDS;
/** One id in 1,000 that was never added is a "maybe" when a filter is full. */
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

  /** @param bytes of all filters together, if every partition is joined. */
  constructor(
    private readonly partitions: number,
    bytes: number = limits.storedOrdersBytes,
  ) {
    this.bytesEach = bytes / partitions;
  }

  /** From now on the partition's rows are this incarnation's to write. */
  join(partition: number): void {
    this.filters.set(partition, { filter: new IdFilter(this.bytesEach), isComplete: false });
  }

  drop(partition: number): void {
    this.filters.delete(partition);
  }

  /** What is joined now, for whoever begins to read the stored ids. */
  begin(): Reading {
    return new Map(this.filters);
  }

  /** stored-orders.B1: all ids that were stored when the reading began have been added. What was joined after that is left out. */
  complete(reading: Reading): void {
    for (const [partition, joined] of reading) if (this.filters.get(partition) === joined) joined.isComplete = true;
  }

  /** Ids that were found in Postgres. */
  addStored(ids: readonly OrderId[]): void {
    for (const id of ids) this.add(id);
  }

  /** stored-orders.B2. */
  left(id: OrderId): void {
    this.add(id);
  }

  /** False only where it is certain. */
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
  /** The youngest first: it is the largest, and the only one that takes ids in. */
  private readonly chain: { readonly words: Uint32Array; readonly blocks: number; room: number }[] = [];
  private bytes = 0;

  constructor(private readonly mostBytes: number) {
    this.grow();
  }

  /** @param hash whose remainder by the number of partitions is the same for all. */
  add(hash: number): void {
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

  /** stored-orders.B3. @returns whether there was room for another. */
  private grow(): boolean {
    const last = this.chain[0];
    const most = last === undefined ? FIRST_BYTES : GROWS * last.words.byteLength;
    const size = Math.min(most, this.mostBytes - this.bytes);
    // A small one at the end would soon be full, and say "maybe" of all.
    if (last !== undefined && size < last.words.byteLength) return false;
    const words = new Uint32Array(Math.max(1, Math.floor(size / BLOCK_BYTES)) * BLOCK_WORDS);
    this.bytes += words.byteLength;
    this.chain.unshift({ words, blocks: words.length / BLOCK_WORDS, room: (8 * words.byteLength) / BITS_PER_ID });
    return true;
  }
}

const PLACE = 0x2c1b3c6d;
const BITS = 0x297a2d39;

/** Spreads a hash over all 32 bits anew, another way for each constant (the finalizer of MurmurHash3, A. Appleby). */
function mixed(hash: number, by: number): number {
  let h = Math.imul(hash ^ by, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Six words take their bit from five bits each of one number, the last two from what the block's place leaves. */
const bitOf = (bits: number, place: number, i: number): number =>
  i < 6
    ? 1 << ((bits >>> (5 * i)) & 31)
    : 1 << ((Math.imul(place ^ bits, i === 6 ? 0x9e3779b1 : 0x7feb352d) >>> 27) & 31);
