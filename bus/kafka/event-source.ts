/** Where a feed reads: EVENTS from a place on. */
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { type EventCursor, type EventMessage, EventReader, type EventReaderParts } from '../events/event-reader.js';
import { EVENTS_STREAM } from '../events/jetstream-events.js';
import type { Nats } from '../nats/nats.js';
import { streamInfo } from '../nats/streams.js';

export interface EventSource {
  open(asked: Pick<EventReaderParts, 'from' | 'onGap' | 'signal'>): EventReading;
  /** What comes after a place, without reading it. */
  after(cursor: EventCursor | undefined): Promise<Unread>;
}

export interface EventReading {
  pages(): AsyncGenerator<readonly EventMessage[], void>;
  readonly cursor: EventCursor;
  readonly lag: { readonly messages: number; readonly ms: number };
}

export interface Unread {
  readonly messages: number;
  /** When the broker stored the first of them; undefined when there is none. */
  readonly oldestMs: number | undefined;
}

const NONE: Unread = { messages: 0, oldestMs: undefined };

/** The clock of a broker may be set back by less, and what a reading finds again costs little. */
const MARGIN_MS = 300_000;

export function natsEventSource(nats: Nats, clock: Clock, logger: Logger): EventSource {
  return {
    open: (asked) => new EventReader({ ...asked, nats, marginMs: MARGIN_MS, clock, logger }),
    async after(cursor) {
      const { created, state } = (await streamInfo(nats, EVENTS_STREAM)) ?? {};
      if (state === undefined) return NONE;
      const from = cursor?.created === created ? (cursor?.seq ?? 0) : 0;
      const messages = Math.max(0, Math.min(state.last_seq - from, state.messages));
      if (messages === 0) return NONE;
      const query = { seq: from + 1, next_by_subj: 'events.>' };
      const { message } = await nats.api<{ message: { time: string } }>(`STREAM.MSG.GET.${EVENTS_STREAM}`, query);
      return { messages, oldestMs: Date.parse(message.time) };
    },
  };
}
