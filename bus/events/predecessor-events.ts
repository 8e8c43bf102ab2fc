/**
 * What sealed predecessors still owe to EVENTS, oldest first; own events wait for it, so that each actor's
 * stay in order. After the broker was away it is looked at again: it may have forgotten what it took last.
 */
import type { JournalId } from '../../actors/ids.js';
import type { EventLog } from '../../actors/ports/events.js';
import type { Log } from '../../actors/ports/log.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';
import { untilAnswered } from '../retry.js';
import { publishTail } from './published-turns.js';

interface TailsParts {
  readonly log: Log;
  readonly snapshots: Snapshots;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly source: string;
}

export class PredecessorEvents {
  /** Everything predecessors owe is out. */
  done: Promise<void>;
  private isQueued = false;

  constructor(
    private readonly parts: TailsParts,
    private readonly events: EventLog,
    private readonly predecessors: readonly JournalId[],
    private readonly stopped: () => boolean,
  ) {
    this.done = this.publish();
  }

  again(): void {
    if (this.isQueued) return;
    this.isQueued = true;
    const next = () => {
      this.isQueued = false;
      return this.publish();
    };
    this.done = this.done.then(next, next);
  }

  /** The event log as the own publisher sees it: it has no end before the tails are out. */
  get before(): EventLog {
    const { events } = this;
    return {
      last: async (journal) => {
        await this.done;
        return events.last(journal);
      },
      publish: (journal, after, n, batch) => events.publish(journal, after, n, batch),
    };
  }

  private async publish(): Promise<void> {
    const { snapshots, clock, logger } = this.parts;
    try {
      const rows = new Map(
        (await untilAnswered(clock, this.stopped, () => snapshots.journals())).map((row) => [row.journal, row]),
      );
      for (const journal of this.predecessors) {
        const row = rows.get(journal);
        if (row === undefined) continue; // Forgotten meanwhile: nothing is left to read.
        const { publishedN } = row;
        const n = await publishTail({ ...this.parts, journal, events: this.events, publishedN, stopped: this.stopped });
        await untilAnswered(clock, this.stopped, () => snapshots.published(journal, n));
      }
    } catch (error) {
      if (!this.stopped())
        logger.error({ cause: String(error) }, 'public events stand still: a tail cannot be published');
      throw error;
    }
  }
}
