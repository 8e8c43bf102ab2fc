/**
 * Keeps the search index up beside the flush: a batch, then a rest half as long, or nine times as long while many
 * orders are being placed, so that they keep the cores. The further the index is behind, the shorter the rest;
 * two minutes behind, none. Once the queue is empty it looks through all orders, a stretch at a time, for any that nobody queued.
 */

import type { SearchIndex } from '../../actors/ports/queries.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';

const LOOK_EVERY_MS = 300;
const SWEEP_EVERY_MS = 1_000;
const AFTER_FAILURE_MS = 2_000;
/** Rests to one batch while it is hardly behind. */
const RESTS_AT_EASE = 0.5;
const RESTS_IN_A_BURST = 9;
/** Flush statements a second; one has up to limits.flushOrders. */
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
  /** Undefined once all orders have been looked at. */
  private sweptTo: string | undefined = '';
  private stopped = false;
  private cancel = () => {};

  constructor(private readonly parts: SearchIndexerParts) {
    this.lookedAt = this.sweptAt = parts.clock.monotonic();
  }

  start(): void {
    this.next(0);
  }

  /** A call that is under way is whole or nothing: nobody waits for it. */
  stop(): void {
    this.stopped = true;
    this.cancel();
  }

  /** How far the index is behind; grows while it cannot look. */
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

  /** How long to rest after it. */
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
