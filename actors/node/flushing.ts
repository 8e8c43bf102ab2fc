/**
 * When a flush begins, and how much of the appended work is not flushed yet.
 *
 *  N5. One flush is under way at a time. Flushes of orders alone are frequent. A whole flush, with the partition rows,
 *      begins after its interval, or when many events wait, or when a product has no row yet (flush.ts). While somebody
 *      waits for the rows the interval is shorter.
 */
import type { JournalId } from '../ids.js';
import { limits } from '../limits.js';
import { NOWHERE, type Place } from '../ports/snapshot-rows.js';
import { collectFlush, type Flush } from './flush.js';
import type { World } from './world.js';

export class Flushing {
  /** The last record whose changes Postgres has, with all before it. */
  flushedTo: Place = NOWHERE;
  private underWay: Flush | undefined;
  private flushes = 0;
  private lastMs = Number.NEGATIVE_INFINITY;
  private lastWholeMs = Number.NEGATIVE_INFINITY;
  /** Somebody waits until the rows have this position of the journal. */
  private awaited = Number.NEGATIVE_INFINITY;
  /** Size of the records since the last whole flush was collected, and of all records not flushed; UTF-16 units. */
  private uncollectedBytes = 0;
  private unflushedBytes = 0;

  constructor(
    private readonly world: World,
    private readonly journal: JournalId,
    /** The nodes that append to the same store: what waits there is divided by them (hazard 18). */
    private readonly members: () => number,
  ) {}

  get isUnderWay(): boolean {
    return this.underWay !== undefined;
  }

  /** So much waits for Postgres that the node takes no more commands. */
  get isBehind(): boolean {
    const { isClogged, unflushedEvents } = this.world;
    const mostBytes = limits.unflushedBytes / this.members();
    return isClogged || unflushedEvents >= limits.unflushedEvents || this.unflushedBytes >= mostBytes;
  }

  appended(bytes: number): void {
    this.uncollectedBytes += bytes;
    this.unflushedBytes += bytes;
  }

  /** @param position that was appended */
  waitFor(position: number): void {
    this.awaited = Math.max(this.awaited, position);
  }

  /**
   * The next flush, if one is due. Call it only between turns.
   * @param to the last appended record
   * @param everything flush everything at once
   */
  next(nowMs: number, to: Place, everything: boolean): Flush | undefined {
    if (this.underWay !== undefined) return undefined;
    const { world } = this;
    const isAwaited = this.awaited > this.flushedTo.position;
    const isTime = nowMs - this.lastMs >= limits.flushEveryMs;
    const isWhole =
      everything ||
      world.isClogged ||
      world.unflushedEvents >= limits.flushEvents ||
      (world.hasNewProducts && isTime) ||
      nowMs - this.lastWholeMs >= (isAwaited ? limits.flushAwaitedEveryMs : limits.flushWholeEveryMs);
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
    this.underWay = collectFlush(world, this.journal, range);
    return this.underWay;
  }

  /** @returns the flush that Postgres has acknowledged; undefined if it is not under way. */
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
