/**
 * Publishes the events that sealed predecessors have not published, oldest journal first. The node's own events wait
 * until then, so that each actor's events stay in order. After the broker was away all this is repeated: the broker
 * may have lost the messages that it acknowledged last.
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
  /** Resolves when all events of the predecessors are published. */
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

  /** The event log for the node's own publisher: it gives no end before the predecessors' tails are published. */
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
        if (row === undefined) continue; // The journal was forgotten meanwhile: no record is left to read.
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
