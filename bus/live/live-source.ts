/** Where live events come from: EVENTS on the broker, or its twin in memory. */
import type { JournalId } from '../../actors/ids.js';
import type { EventPlace } from './event-place.js';
import type { LastTurn } from './passage.js';

export interface LiveMessage {
  readonly journal: JournalId;
  readonly turn: number;
  readonly sequence: number;
  readonly storedMs: number;
  /** A JSON array of CloudEvents. */
  readonly text: string;
}

interface LivePage {
  readonly messages: readonly LiveMessage[];
  /** When the stream was made, in milliseconds. */
  readonly created: number;
  /** The journals that have ended, and when the broker stored that. */
  readonly ended: { readonly [journal: string]: number };
}

interface LiveEnd {
  readonly place: EventPlace;
  /** Every journal that has messages. */
  readonly lasts: ReadonlyMap<JournalId, LastTurn>;
}

export interface LiveSource {
  /** The place after everything that was published before. @throws when EVENTS does not answer */
  end(): Promise<LiveEnd>;
  /**
   * Pages of the messages that are not told at the place, for ever. Each comes once, and each actor's in order. It waits for a
   * broker that is away.
   * @param onGap told of messages that are lost
   * @throws when EVENTS cannot be read any more
   */
  read(from: EventPlace, signal: AbortSignal, onGap: (sentence: string) => void): AsyncGenerator<LivePage, void>;
}
