/** Where public events go. Types only; a contract suite tests each promise. */
import type { JournalId } from '../ids.js';
import type { Appended, Position } from './log.js';

/** What stands before a message, so that a reader sees what it misses. */
export interface EventPlace {
  /** The turn of the journal's previous message, also if it is gone for good (publisher.E7); 0 if there was none. */
  readonly previous: number;
  /**
   * Set on the first message after partitions have come to the journal: their former journals' messages up to these turns
   * come first.
   */
  readonly after?: EventsBefore;
}

export type EventsBefore = readonly (readonly [JournalId, number])[];

/** A log of public events per journal. Each turn is one message, a JSON array of CloudEvents; `[]` seals the log. */
export interface EventLog {
  /** The last message of a journal's event log; undefined when it has none, or none any more. */
  last(
    journal: JournalId,
  ): Promise<{ readonly position: Position; readonly n: number; readonly sealed: boolean } | undefined>;
  /**
   * Retention has removed nothing that was stored at this time or later, in milliseconds: whatever of it is missing was lost.
   * Infinite if that is not known, minus infinite if it never removed anything.
   */
  keptSinceMs(): Promise<number>;
  /** Like Log.append; `n` is the turn from which the batch was made. */
  publish(journal: JournalId, after: Position, n: number, batch: string, place: EventPlace): Promise<Appended>;
}
