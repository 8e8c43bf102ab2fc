/**
 * Writes one flush after the other to Postgres, or finds that the journal's row is closed.
 *
 * Law: a flush is repeated until Postgres acknowledges it (driver.D1). Before that the node keeps its memory.
 */
import { Broken } from '../../actors/broken.js';
import type { JournalId } from '../../actors/ids.js';
import { type Flush, statementsOf } from '../../actors/node/flush.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';
import { pause } from '../retry.js';

/** Counts the flushes, with times in milliseconds. */
export interface FlushMeter {
  flushed(durationMs: number, events: number): void;
  unanswered(call: 'flush'): void;
  retried(call: 'flush'): void;
}

interface FlushWriterParts {
  readonly journal: JournalId;
  readonly snapshots: Snapshots;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: FlushMeter;
  readonly publishedN: () => number;
}

export class FlushWriter {
  private stopped = false;

  constructor(private readonly parts: FlushWriterParts) {}

  /** @returns 'closed' when another incarnation has taken over; undefined when the writer was stopped before an answer. */
  async write(flush: Flush): Promise<'flushed' | 'closed' | undefined> {
    const { clock, logger, meter } = this.parts;
    const began = clock.monotonic();
    for (let attempt = 0; !this.stopped; attempt++) {
      try {
        const answer = await this.attempt(flush, attempt === 0);
        if (answer === 'flushed') meter.flushed(clock.monotonic() - began, flush.events);
        return answer;
      } catch (error) {
        // The first attempt fails if its rows are stored already. The repeat accepts them.
        if (error instanceof Broken && attempt > 0) throw error;
        meter.unanswered('flush');
        logger.warn({ attempt, cause: String(error) }, 'a flush has no answer: writing it again');
        await pause(clock, attempt);
        meter.retried('flush');
      }
    }
    return undefined;
  }

  stop(): void {
    this.stopped = true;
  }

  private async attempt(flush: Flush, isFirst: boolean): Promise<'flushed' | 'closed' | undefined> {
    const { snapshots, journal, publishedN } = this.parts;
    for (const statement of statementsOf(flush, isFirst, publishedN())) {
      if ((await snapshots.write(journal, statement)) === 'closed') return 'closed';
      if (this.stopped) return undefined;
    }
    return 'flushed';
  }
}
