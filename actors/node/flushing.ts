/**
 * When what is appended goes to Postgres, and how much of it has not come there yet.
 *
 *  N5. One flush is under way at a time. Orders alone go often; everything goes, with the partition rows, when the
 *      time of that has come, or much waits, or a product has no row yet (flush.ts).
 */
import type { JournalId } from '../ids.js';
import { limits } from '../limits.js';
import { NOWHERE, type Place } from '../ports/snapshot-rows.js';
import { collectFlush, type Flush } from './flush.js';
import type { World } from './world.js';

export class Flushing {
  /** Up to where Postgres has everything. */
  flushedTo: Place = NOWHERE;
  private underWay: Flush | undefined;
  private flushes = 0;
  private lastMs = Number.NEGATIVE_INFINITY;
  private lastWholeMs = Number.NEGATIVE_INFINITY;
  /** Appended since the last whole one was collected, and altogether not flushed; UTF-16 units. */
  private uncollectedBytes = 0;
  private unflushedBytes = 0;

  constructor(
    private readonly world: World,
    private readonly journal: JournalId,
    private readonly epochOf: (partition: number) => number | undefined,
  ) {}

  get isUnderWay(): boolean {
    return this.underWay !== undefined;
  }

  /** So much waits that no more may be decided. */
  get isBehind(): boolean {
    const { isClogged, unflushedEvents } = this.world;
    return isClogged || unflushedEvents >= limits.unflushedEvents || this.unflushedBytes >= limits.unflushedBytes;
  }

  appended(bytes: number): void {
    this.uncollectedBytes += bytes;
    this.unflushedBytes += bytes;
  }

  /**
   * The next one, if it is due; to be asked between turns.
   * @param to the last record that is appended
   * @param everything now, the rows of all partitions with it
   */
  next(nowMs: number, to: Place, everything: boolean): Flush | undefined {
    if (this.underWay !== undefined) return undefined;
    const { world } = this;
    const isTime = nowMs - this.lastMs >= limits.flushEveryMs;
    const isWhole =
      everything ||
      world.isClogged ||
      world.unflushedEvents >= limits.flushEvents ||
      (world.hasNewProducts && isTime) ||
      nowMs - this.lastWholeMs >= limits.flushWholeEveryMs;
    const moved = to.n > this.flushedTo.n;
    const changed = world.changedOrders.size > 0 || (isWhole && (world.changedProducts.size > 0 || moved));
    if (!everything && (!(isWhole || isTime) || !changed)) return undefined;
    this.lastMs = nowMs;
    const range = { number: ++this.flushes, from: this.flushedTo, to, isWhole, bytes: 0 };
    if (isWhole) {
      this.lastWholeMs = nowMs;
      range.bytes = this.uncollectedBytes;
      this.uncollectedBytes = 0;
    }
    this.underWay = collectFlush(world, this.journal, this.epochOf, range, everything);
    return this.underWay;
  }

  /** @returns the one that Postgres has acknowledged; undefined where that is not under way. */
  done(number: number): Flush | undefined {
    const flush = this.underWay;
    if (flush?.number !== number) return undefined;
    this.underWay = undefined;
    this.world.unflushedEvents -= flush.events;
    if (flush.isWhole) {
      this.flushedTo = flush.to;
      this.unflushedBytes -= flush.bytes;
    }
    return flush;
  }
}
