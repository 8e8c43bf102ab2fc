/**
 * Fills the search index while the node serves. After each batch it rests half as long as the batch took. It rests nine
 * times as long while many orders are placed, so that orders get the CPU. The further the index is behind, the shorter
 * the rest; at two minutes there is none. Once the queue is empty, it searches all orders, a range at a time, for
 * orders that were never queued.
 */

import type { SearchIndex } from '../../actors/ports/queries.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';

const LOOK_EVERY_MS = 300;
const SWEEP_EVERY_MS = 1_000;
const AFTER_FAILURE_MS = 2_000;
/** The length of a rest, in batches, while the index is hardly behind. */
const RESTS_AT_EASE = 0.5;
const RESTS_IN_A_BURST = 9;
/** More flush statements a second than this are a burst; one has up to limits.flushOrders orders. */
const BURST = 5;
const NO_REST_MS = 120_000;

interface SearchIndexerParts {
  readonly index: SearchIndex;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly indexed: (orders: number) => void;
}

export class SearchIndexer {
  private lateMs = 0;
  private lookedAt: number;
  private sweptAt: number;
  private queued = Number.POSITIVE_INFINITY;
  /** The last order that the search of all orders has seen; undefined once it is complete. */
  private sweptTo: string | undefined = '';
  private stopped = false;
  private cancel = () => {};

  constructor(private readonly parts: SearchIndexerParts) {
    this.lookedAt = this.sweptAt = parts.clock.monotonic();
  }

  start(): void {
    this.next(0);
  }

  /** Does not wait for a call under way: it takes effect wholly or not at all. */
  stop(): void {
    this.stopped = true;
    this.cancel();
  }

  /** How far the index is behind. The lag grows while Postgres does not answer. */
  lagMs(): number {
    const sinceMs = this.parts.clock.monotonic() - this.lookedAt;
    return this.lateMs + (sinceMs > 2 * AFTER_FAILURE_MS ? sinceMs : 0);
  }

  // -------------------------------------------------------------- machinery

  private next(delayMs: number): void {
    if (this.stopped) return;
    this.cancel = this.parts.clock.after(delayMs, () => {
      void this.step().then((restMs) => this.next(restMs));
    });
  }

  /** Indexes one batch. @returns how long to rest after it */
  private async step(): Promise<number> {
    const { index, clock, logger, indexed } = this.parts;
    const since = clock.monotonic();
    try {
      const { added, more, lateMs, queued } = await index.work();
      const perSecond = (queued - this.queued) / ((clock.monotonic() - this.lookedAt) / 1_000);
      const rests = perSecond > BURST ? RESTS_IN_A_BURST : RESTS_AT_EASE;
      this.queued = queued;
      this.lookedAt = clock.monotonic();
      this.lateMs = lateMs;
      indexed(added);
      if (more) return (this.lookedAt - since) * rests * Math.max(0, 1 - lateMs / NO_REST_MS);
      await this.sweep();
      return LOOK_EVERY_MS;
    } catch (error) {
      if (!this.stopped) logger.warn({ cause: String(error) }, 'the search index has no answer: it is tried again');
      return AFTER_FAILURE_MS;
    }
  }

  private async sweep(): Promise<void> {
    const now = this.parts.clock.monotonic();
    if (this.sweptTo === undefined || now - this.sweptAt < SWEEP_EVERY_MS) return;
    this.sweptTo = await this.parts.index.sweep(this.sweptTo);
    this.sweptAt = now;
  }
}
