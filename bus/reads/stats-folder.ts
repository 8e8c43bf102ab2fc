/**
 * Adds up what flushes have counted, while the node serves. The longer it waits, the more flushes become one change of a
 * row. Readers see the same numbers before and after, so nothing depends on its pace except the length of the queue.
 */
import type { StatsFold } from '../../actors/ports/numbers.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';

const FOLD_EVERY_MS = 5_000;
/** After a full batch it rests so many times as long as the batch took. */
const RESTS = 4;
const AFTER_FAILURE_MS = 5_000;

interface StatsFolderParts {
  readonly stats: StatsFold;
  readonly clock: Clock;
  readonly logger: Logger;
  /** From 0 to 1. Nodes that started together do not fold together. */
  readonly random: () => number;
}

export class StatsFolder {
  private stopped = false;
  private cancel = () => {};

  constructor(private readonly parts: StatsFolderParts) {}

  start(): void {
    this.next(this.spread(FOLD_EVERY_MS));
  }

  /** Does not wait for a call under way: it takes effect wholly or not at all. */
  stop(): void {
    this.stopped = true;
    this.cancel();
  }

  // -------------------------------------------------------------- machinery

  private next(delayMs: number): void {
    if (this.stopped) return;
    this.cancel = this.parts.clock.after(delayMs, () => {
      void this.step().then((restMs) => this.next(restMs));
    });
  }

  /** @returns how long to rest after it */
  private async step(): Promise<number> {
    const { stats, clock, logger } = this.parts;
    const since = clock.monotonic();
    try {
      const { more } = await stats.fold();
      return more ? (clock.monotonic() - since) * RESTS : this.spread(FOLD_EVERY_MS);
    } catch (error) {
      if (!this.stopped)
        logger.warn({ cause: String(error) }, 'the numbers of orders could not be added up: it is tried again');
      return this.spread(AFTER_FAILURE_MS);
    }
  }

  private spread = (ms: number): number => ms * (0.5 + this.parts.random());
}
