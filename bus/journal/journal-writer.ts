/**
 * Appends one record after the other to the end of one journal, or finds that the journal is sealed.
 *
 *  J1. A record never changes once it is sent. The writer repeats the append until it finds the record or a seal.
 *      Until then the turn's result is unknown, and no request is answered from it.
 *  J2. After a missing answer or a "conflict" the writer reads the log from `after`: the record may be stored there,
 *      perhaps with a seal behind it.
 *  J3. The answer "full" means that the log works: the record waits for room.
 */

import { Broken } from '../../actors/broken.js';
import type { JournalId } from '../../actors/ids.js';
import { LostRecords } from '../../actors/node/lost-records.js';
import { decodeRecord, journalLog, UnreadableRecord } from '../../actors/node/record.js';
import type { Log, Position } from '../../actors/ports/log.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { pause } from '../retry.js';

type Outcome =
  | { readonly kind: 'appended'; readonly position: Position }
  /** Another incarnation has taken over: this one is over. */
  | { readonly kind: 'sealed' };

/** Counts the appends without an answer and their repeats. */
export interface AppendMeter {
  unanswered(call: 'append'): void;
  retried(call: 'append'): void;
}

export class JournalWriter {
  /** The highest position this writer knows to be its own. */
  private after: Position = 0;
  private stopped = false;

  constructor(
    private readonly journal: JournalId,
    private readonly log: Log,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly meter: AppendMeter,
  ) {}

  /**
   * @param id the record's own id, by which the writer finds it again.
   * @returns undefined when the writer was stopped before an answer. @throws LostRecords
   */
  async append(id: string, record: string): Promise<Outcome | undefined> {
    const name = journalLog(this.journal);
    for (let attempt = 0; !this.stopped; attempt++) {
      try {
        const found = attempt > 0 ? await this.find(name, id) : undefined; // journal-writer.J2
        if (found !== undefined) return found;
        if (attempt > 0) this.meter.retried('append');
        const answer = await this.log.append(name, this.after, record);
        if (answer.kind === 'appended') return this.at(answer.position);
        if (answer.kind === 'conflict') return (await this.find(name, id)) ?? this.lost(name);
        this.logger.warn({ journal: this.journal }, 'the journal is full: the append waits for room'); // journal-writer.J3
      } catch (error) {
        if (error instanceof LostRecords || error instanceof UnreadableRecord || error instanceof Broken) throw error;
        this.meter.unanswered('append');
        this.logger.warn({ journal: this.journal, attempt, cause: String(error) }, 'an append has no answer yet');
      }
      await pause(this.clock, attempt);
    }
    return undefined;
  }

  /** Ends the wait of an append under way. Its record may be stored or not. */
  stop(): void {
    this.stopped = true;
  }

  private at(position: Position): Outcome {
    this.after = position;
    return { kind: 'appended', position };
  }

  /** The append met a conflict, but the log has no record after ours: its tail is lost. */
  private lost(name: string): never {
    throw new LostRecords(
      `${name} does not end at position ${this.after}, where this node wrote last: it was rolled back`,
    );
  }

  private async find(name: string, id: string): Promise<Outcome | undefined> {
    for (const { position, record } of await this.log.read(name, this.after)) {
      const found = decodeRecord(record, `${name} at ${position}`);
      if (found.id === id) return this.at(position);
      if (found.kind === 'seal') return { kind: 'sealed' };
      throw new Broken(`${name} has a record at ${position} that its only writer did not write`);
    }
    return undefined;
  }
}
