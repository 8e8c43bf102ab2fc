/** Where public events go. Types only; a contract suite tests each promise. */
import type { JournalId } from '../ids.js';
import type { Appended, Position } from './log.js';

/** A log of public events per journal. Each turn is one message, a JSON array of CloudEvents; `[]` seals the log. */
export interface EventLog {
  /** The last message of a journal's event log; undefined when it has none, or none any more. */
  last(
    journal: JournalId,
  ): Promise<{ readonly position: Position; readonly n: number; readonly sealed: boolean } | undefined>;
  /** Like Log.append; `n` is the turn from which the batch was made. */
  publish(journal: JournalId, after: Position, n: number, batch: string): Promise<Appended>;
}
