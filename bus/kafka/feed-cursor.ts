/**
 * How far a feed has come, as it stands in Kafka beside what was sent: a record of a compacted topic, in the same
 * transaction.
 *
 *   {"created":"…","seq":7,"time":1764…,"journals":{"J":3},"ended":{},"records":{"holdfast.orders.v1":12}}
 *   {"replay":"start"} or {"replay":1764…}     an order to begin again: with all that EVENTS has, or at a time
 */
import type { EventCursor } from '../events/event-reader.js';

export interface FeedCursor extends EventCursor {
  /** By topic: records sent so far. */
  readonly records: { readonly [topic: string]: number };
  /** What EVENTS has lost is passed over, until the feed has caught up: someone has said so. */
  readonly passesGaps?: true;
}

/** An order to begin again. */
export interface Replay {
  readonly replay: 'start' | number;
}

export const encodeCursor = (cursor: FeedCursor | Replay): string => JSON.stringify(cursor);

/** @throws when no Holdfast has written it */
export function decodeCursor(text: string): FeedCursor | Replay {
  try {
    const read = JSON.parse(text) as Partial<FeedCursor & Replay>;
    const { replay, created, seq, time, sinceMs, journals, ended = {}, unsure, records = {}, passesGaps } = read;
    if (replay === 'start' || typeof replay === 'number') return { replay };
    if (typeof created === 'string' && typeof seq === 'number' && typeof time === 'number' && isTurns(journals)) {
      const since = typeof sinceMs === 'number' && { sinceMs };
      const place = { created, seq, time, ...since, journals, ended, ...(Array.isArray(unsure) && { unsure }) };
      return { ...place, records, ...(passesGaps === true && { passesGaps }) };
    }
  } catch {
    // said below
  }
  throw new Error(`the feed's place in Kafka is not one that Holdfast wrote: ${text.slice(0, 100)}`);
}

const isTurns = (value: unknown): value is FeedCursor['journals'] =>
  typeof value === 'object' && value !== null && Object.values(value).every((n) => Number.isSafeInteger(n));
