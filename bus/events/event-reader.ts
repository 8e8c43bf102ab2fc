/**
 * Reads EVENTS: each message once, in the order of each actor, whatever happens to the broker meanwhile.
 *
 * Law:
 *  E1. What is given out is new by its journal and turn (turns-read.T1). After any trouble the reader begins some time before
 *      its place, and skips what it has.
 *  E2. The cursor tells what was given out, and nothing more. Whoever keeps it with the effect of what it read has each
 *      message once.
 *  E3. What the retention removed before it was read is a gap, and is told once, also while it is read. Nobody knows of which
 *      journals it was (turns-read.T5). A stream that was made anew shows none: its publishers fill it again, and say what they
 *      do not have any more.
 *  E4. A broker that is away is waited for. A reading ends only with its signal.
 *  E5. A reading from a moment on knows nothing of journals that had ended by then. So it never begins before that moment, also
 *      where its cursor goes on.
 */
import { type JournalId, journalId } from '../../actors/ids.js';
import { EVENTS_SEAL } from '../../actors/node/cloud-events.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { Nats } from '../nats/nats.js';
import { type From, type ReadMessage, readStream } from '../nats/stream-reader.js';
import { streamInfo } from '../nats/streams.js';
import { pause } from '../retry.js';
import { afterIn, previousIn, turnIn } from './event-headers.js';
import { EVENTS_STREAM } from './jetstream-events.js';
import { type JournalsRead, type TurnMessage, TurnsRead } from './turns-read.js';

/** One turn's events. */
export interface EventMessage extends TurnMessage {
  readonly sequence: number;
  /** A JSON array of CloudEvents. */
  readonly text: string;
}

/** How far a reader has come; plain JSON. */
export interface EventCursor extends JournalsRead {
  /** The stream's time of creation, as the broker says it. */
  readonly created: string;
  /** Of the last message. Only the lag is judged by it. */
  readonly seq: number;
  /** When the broker stored that message, in milliseconds. */
  readonly time: number;
  /** The moment of event-reader.E5, until the margin has passed it. */
  readonly sinceMs?: number;
}

export interface EventReaderParts {
  readonly nats: Nats;
  /** A cursor; or all that the stream still has; or what comes from now on; or from a moment on, in milliseconds. */
  readonly from: EventCursor | 'start' | 'new' | { readonly sinceMs: number };
  /** So long before its place a reading begins: the broker's clock may be set back by less. */
  readonly marginMs: number;
  /** Told of messages that retention removed unread. @throws to end the reading */
  readonly onGap: (sentence: string) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** How far behind the end of EVENTS a reader is. */
interface Lag {
  readonly messages: number;
  /** Since the oldest message that it has not taken, about; 0 when there is none. */
  readonly ms: number;
}

const NOTHING: JournalsRead = { journals: {}, ended: {} };

export class EventReader {
  /** How often it was told that messages were removed unread, nobody knows of which journals. */
  losses = 0;
  private readonly turns: TurnsRead<EventMessage>;
  private created = '';
  private seq = 0;
  private time = 0;
  private readonly sinceMs: number = 0;
  private pending = 0;
  /** What need not wait any more, since a loss was told. */
  private freed: EventMessage[] = [];
  /** What was there before a reader of new messages began. It is known, though it was never given out. */
  private before = { seq: 0, storedMs: 0 };

  constructor(private readonly parts: EventReaderParts) {
    const { from, onGap } = parts;
    const isCursor = typeof from === 'object' && 'journals' in from;
    if (isCursor) ({ created: this.created, seq: this.seq, time: this.time } = from);
    if (typeof from === 'object') this.sinceMs = from.sinceMs ?? 0;
    this.turns = new TurnsRead(isCursor ? from : NOTHING, ({ journal, known, missing }) =>
      onGap(
        `EVENTS has lost messages of journal ${journal} that nobody had read here: those between its turns ${known} and ${missing}.`,
      ),
    );
  }

  /** After everything that was given out. Whatever still waits for other journals is read again from here. */
  get cursor(): EventCursor {
    const { created, seq, sinceMs } = this;
    const time = Math.min(this.time, this.turns.waitsSinceMs);
    return { created, seq, time, ...this.turns.read, ...(time - this.parts.marginMs < sinceMs && { sinceMs }) };
  }

  get lag(): Lag {
    const messages = this.pending + this.turns.waiting;
    const sinceMs = Math.min(this.time, this.turns.waitsSinceMs);
    return { messages, ms: messages === 0 ? 0 : Math.max(0, this.parts.clock.now() - sinceMs) };
  }

  /**
   * Pages of new messages, for ever. The next page is read when it is asked for.
   * @throws what onGap throws, and when EVENTS holds what no Holdfast wrote
   */
  async *pages(): AsyncGenerator<readonly EventMessage[], void> {
    const { nats, signal, clock, logger } = this.parts;
    for (let attempt = 0; !signal.aborted; ) {
      try {
        const from = await this.begin();
        const freed = this.freed.splice(0).filter((each) => this.isToTell(each));
        if (freed.length > 0) yield freed;
        for await (const page of readStream(nats, { stream: EVENTS_STREAM, filter: 'events.>', from, signal })) {
          attempt = 0;
          const messages = this.newOf(page);
          if (messages.length > 0) yield messages;
        }
      } catch (error) {
        if (error instanceof Ended) throw error.cause;
        if (signal.aborted) return;
        if (attempt === PATIENT_ATTEMPTS) logger.warn({ cause: String(error) }, 'EVENTS cannot be read: trying on');
      }
      if (!signal.aborted) await pause(clock, attempt++);
    }
  }

  // -------------------------------------------------------------- machinery

  /** Looks where to begin, and whether something was removed unread (event-reader.E3). */
  private async begin(): Promise<From> {
    const { nats, from, marginMs } = this.parts;
    const info = await streamInfo(nats, EVENTS_STREAM);
    if (info === undefined) throw new Error('there is no stream EVENTS yet');
    const isSame = this.created === '' || this.created === info.created;
    const { first_seq: first, last_seq: last } = info.state;
    if (isSame) this.seeLoss(first);
    if (!isSame) this.seq = 0;
    if (this.created === '' && from === 'new') {
      this.time = Date.parse(info.state.last_ts);
      this.before = { seq: last, storedMs: Math.ceil(this.time) + 1 };
    }
    this.created = info.created;
    const ms = Math.max(this.time === 0 ? 0 : this.time - marginMs, this.sinceMs);
    return ms > 0 ? { kind: 'time', ms } : { kind: 'sequence', sequence: 1 };
  }

  private newOf(page: readonly ReadMessage[]): readonly EventMessage[] {
    const found: EventMessage[] = [];
    for (const message of page) {
      const event = eventMessage(message);
      const { sequence, storedMs, pending } = message;
      this.seeLoss(sequence); // Retention may overtake a reading.
      const told = [...this.freed.splice(0), ...orEnd(() => this.turns.take(event))];
      this.seq = sequence;
      this.time = Math.max(this.time, storedMs);
      this.pending = pending;
      for (const each of told) if (this.isToTell(each)) found.push(each);
    }
    return found;
  }

  private isToTell(message: EventMessage): boolean {
    return !message.isSeal && !this.wasBefore(message);
  }

  /** By its time too: a stream that was rolled back gives old sequences to new messages. */
  private wasBefore({ sequence, storedMs }: EventMessage): boolean {
    return sequence <= this.before.seq && storedMs <= this.before.storedMs;
  }

  /** Tells what is missing before a message that EVENTS has (event-reader.E3). */
  private seeLoss(sequence: number): void {
    if (this.seq === 0 || sequence <= this.seq + 1) return;
    const sentence = `EVENTS has removed messages that nobody had read here: those from ${this.seq + 1} to ${sequence - 1}.`;
    orEnd(() => this.parts.onGap(sentence));
    this.seq = sequence - 1;
    this.losses += 1;
    this.freed.push(...orEnd(() => this.turns.doubt()));
  }
}

/** A reading that must not begin again. */
class Ended extends Error {}

function orEnd<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw new Ended('', { cause: error });
  }
}

/** So many pauses, some seconds, are nothing to speak of. */
const PATIENT_ATTEMPTS = 9;

function eventMessage({ sequence, subject, headers, text, storedMs }: ReadMessage): EventMessage {
  const turn = turnIn(headers);
  if (turn === undefined) {
    const error = new Error(`The message ${sequence} of EVENTS (${subject}) was not published by Holdfast.`);
    throw new Ended('', { cause: error });
  }
  const journal: JournalId = journalId(subject.slice('events.'.length));
  const isSeal = text === EVENTS_SEAL;
  const [previous, after] = [previousIn(headers), afterIn(headers)];
  return { sequence, journal, turn, previous, after, isSeal, storedMs, text };
}
