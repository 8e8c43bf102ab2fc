/** Where public events go. Types alone; what a port promises is held by its contract suite. */
import type { JournalId } from '../ids.js';
import type { Appended, Position } from './log.js';

/** A log of public events per journal: one message a turn, a JSON array of CloudEvents; `[]` seals it. */
export interface EventLog {
  /** The last message of a journal's event log, or undefined when it has none (any more). */
  last(
    journal: JournalId,
  ): Promise<{ readonly position: Position; readonly n: number; readonly sealed: boolean } | undefined>;
  /** Like Log.append; `n` is the turn the batch was made of. */
  publish(journal: JournalId, after: Position, n: number, batch: string): Promise<Appended>;
}
