/**
 * Tells listeners what EVENTS still has of the past, until the ring has all that is left.
 *
 * Law: so many are told at once, and the others wait for their turn. One that takes nothing for a time is ended, for others
 * wait. So is one that was told a limited part, whether its filter matched or not: its place has moved on, and it comes
 * again. What is told is read page by page, so nothing piles up here.
 */
import { limits } from '../../actors/limits.js';
import type { EndOfEvents } from '../../actors/ports/live-events.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { pause } from '../retry.js';
import { BacklogSlots } from './backlog-slots.js';
import { type EventPlace, placeText, toldOf } from './event-place.js';
import { placeAfter, type Told, toldFrom } from './event-ring.js';
import type { Seat } from './live-hub.js';
import type { LiveSource } from './live-source.js';
import { handled, soon } from './next-page.js';
import { ParseTurns } from './parse-turns.js';
import { Passage } from './passage.js';
import { matches } from './told-events.js';

interface BacklogParts {
  readonly source: LiveSource;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The part that one is told at a time, and the time for it. */
  readonly part?: { readonly bytes: number; readonly ms: number };
  /** Resolves when EVENTS is read here for all. @throws when the broker is away */
  readonly begun: () => Promise<unknown>;
  /** @returns whether the listener goes on from this place with what comes */
  readonly join: (seat: Seat, place: EventPlace) => boolean;
  /** One is no longer told the past. */
  readonly left: () => void;
}

interface Past {
  readonly seat: Seat;
  readonly signal: AbortSignal;
  /** Resolves when the listener takes more; 'late' when it does not. */
  taken(): Promise<'taken' | 'late'>;
  /** When its turn is over. */
  readonly endMs: number;
}

interface End {
  readonly why: EndOfEvents;
  readonly place?: EventPlace;
}

export class Backlogs {
  private readonly all = new Map<Seat, AbortController>();
  private readonly slots = new BacklogSlots(limits.liveBacklogs);

  private readonly parsing: ParseTurns;
  private readonly part: { readonly bytes: number; readonly ms: number };

  constructor(private readonly parts: BacklogParts) {
    this.parsing = new ParseTurns(parts.clock);
    this.part = parts.part ?? { bytes: limits.liveBacklogBytes, ms: limits.liveBacklogMs };
  }

  get size(): number {
    return this.all.size;
  }

  /** @returns what to call when the listener takes more */
  begin(seat: Seat, place: EventPlace, signal: AbortSignal): () => void {
    const over = new AbortController();
    let wake = () => {};
    signal.addEventListener('abort', () => over.abort(), { once: true });
    over.signal.addEventListener('abort', () => wake(), { once: true });
    this.all.set(seat, over);
    const { clock } = this.parts;
    const taken = () =>
      new Promise<'taken' | 'late'>((resolve) => {
        const cancel = clock.after(limits.liveStallMs, () => resolve('late'));
        wake = () => {
          cancel();
          resolve('taken');
        };
      });
    const run = async (): Promise<End | undefined> => {
      if (!(await this.untilBegun(over.signal))) return undefined;
      if (this.parts.join(seat, place)) return undefined;
      const leave = await this.slots.enter(seat.caller, over.signal);
      if (leave === undefined) return undefined;
      try {
        return await this.tell({ seat, signal: over.signal, taken, endMs: clock.monotonic() + this.part.ms }, place);
      } finally {
        leave();
      }
    };
    run()
      .catch((error): End => {
        this.parts.logger.error({ err: error }, 'EVENTS cannot be read on: a listener is told to come again');
        return { why: 'interrupted' };
      })
      .then((end) => {
        this.all.delete(seat);
        this.parts.left();
        if (end === undefined || seat.isOver) return;
        seat.isOver = true;
        seat.listener.ended(end.why, end.place && placeText(end.place));
      });
    return () => wake();
  }

  /** Ends all of them. */
  interrupt(): void {
    for (const [seat, over] of [...this.all]) {
      over.abort();
      seat.isOver = true;
      seat.listener.ended('interrupted');
    }
  }

  // -------------------------------------------------------------- machinery

  private async untilBegun(signal: AbortSignal): Promise<boolean> {
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await this.parts.begun();
        return !signal.aborted;
      } catch {
        await pause(this.parts.clock, attempt); // The broker is away.
      }
    }
    return false;
  }

  /** @returns why the listener is ended; undefined when it has gone on, or left */
  private async tell(past: Past, place: EventPlace): Promise<End | undefined> {
    const { source, join, clock } = this.parts;
    const { seat, signal, taken, endMs } = past;
    const reading = new AbortController();
    const stop = () => reading.abort();
    signal.addEventListener('abort', stop);
    const passage = new Passage(place);
    let bytes = 0;
    const gaps: string[] = [];
    const pages = source.read(place, reading.signal, (sentence) => void gaps.push(sentence));
    try {
      for (let next = handled(pages.next()); !signal.aborted; ) {
        const page = await soon(clock, next);
        if (signal.aborted) return undefined;
        if (page !== undefined) {
          if (page.done === true) return { why: 'interrupted' };
          for (const sentence of gaps.splice(0)) {
            if (!seat.listener.gap(sentence) && (await taken()) === 'late') return { why: 'too_slow' };
          }
          passage.ended(page.value.ended);
          for (const message of page.value.messages) {
            await this.parsing.turn(past);
            if (signal.aborted) return undefined;
            const at = await this.events(past, toldFrom(message, passage.pass(message, page.value.created)), place);
            if (at === 'late') return { why: 'too_slow' };
            if (signal.aborted) return undefined;
            bytes += message.text.length;
            const isLast = clock.monotonic() >= endMs || bytes >= this.part.bytes;
            if (isLast) return join(seat, at) ? undefined : { why: 'interrupted', place: at };
          }
          next = handled(pages.next());
        }
        if (join(seat, passage.place)) return undefined;
        if (clock.monotonic() >= endMs) return { why: 'interrupted', place: passage.place };
      }
      return undefined;
    } finally {
      reading.abort();
      signal.removeEventListener('abort', stop);
      pages.return().catch(() => {}); // It ends with the signal.
    }
  }

  /**
   * @param place where the reading began: it may be within this message
   * @returns the place after what was told: within the message when the time is over
   */
  private async events(past: Past, message: Told, place: EventPlace): Promise<EventPlace | 'late'> {
    const { seat, signal, taken, endMs } = past;
    for (const [index, event] of message.events.entries()) {
      if (index < toldOf(message, place) || !matches(seat.filter, event)) continue;
      const at = placeAfter(message, index);
      const isTaken = seat.listener.event({ id: placeText(at), text: event.text });
      if (isTaken) continue;
      if ((await taken()) === 'late') return 'late';
      if (signal.aborted || this.parts.clock.monotonic() >= endMs) return at;
    }
    return message.place;
  }
}
