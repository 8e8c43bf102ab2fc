/**
 * The live events of one process: EVENTS is read once for all listeners, from the first of them on.
 *
 * Law:
 *  H1. Each listener has a place, and is told what its filter matches after it. It is in one of three states. At the head it
 *      is told what comes. Behind, it did not take something, and goes on through the ring when it wants more. In the past, it
 *      is told what EVENTS has (backlog.ts) until the ring has all that is left.
 *  H2. A place may be ahead of this process, or in another order: whatever it has is not told again, until all of it has passed
 *      here.
 *  H3. Whoever is behind the ring is ended. So the ring is all the memory that slow listeners take.
 */
import { limits } from '../../actors/limits.js';
import type { EndOfEvents, EventFilter, Listener, Listening, LiveEvents } from '../../actors/ports/live-events.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { Unavailable } from '../../actors/unavailable.js';
import { within } from '../retry.js';
import { Backlogs } from './backlog.js';
import { both, type EventPlace, placeOf, placeText, toldOf } from './event-place.js';
import { EventRing, type Gap, placeAfter, type Told, toldFrom } from './event-ring.js';
import { Listeners } from './listeners.js';
import type { LiveSource } from './live-source.js';
import { Passage } from './passage.js';
import { matches } from './told-events.js';

interface LiveHubParts {
  readonly source: LiveSource;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly ringBytes?: number;
  /** The part of the past that one is told at a time, and the time for it. */
  readonly part?: { readonly bytes: number; readonly ms: number };
  /** Without listeners EVENTS is read so long. */
  readonly restMs?: number;
}

/** A listener with its place (live-hub.H1). */
export interface Seat {
  readonly filter: EventFilter;
  readonly listener: Listener;
  readonly caller: string | undefined;
  /** What it was told elsewhere, while not all of it has passed here (live-hub.H2). */
  known: EventPlace | undefined;
  /** The next entry of the ring and the next event in it; undefined at the head, and in the past. */
  behind: { entry: number; event: number } | undefined;
  isOver: boolean;
}

/** One reading of EVENTS, with all that is known of it. */
interface Reading {
  readonly ring: EventRing;
  readonly passage: Passage;
  readonly end: AbortController;
}

export class LiveHub implements LiveEvents {
  readonly absence = undefined;
  private readonly seats = new Listeners<Seat>();
  private readonly behind = new Set<Seat>();
  /** Those at the head that know of more than has passed here. */
  private readonly ahead = new Set<Seat>();
  private readonly backlogs: Backlogs;
  private reading: Promise<Reading> | undefined;
  private current: Reading | undefined;
  private rest: (() => void) | undefined;
  private present = { place: undefined as EventPlace | undefined, text: '' };
  private isStopped = false;

  constructor(private readonly parts: LiveHubParts) {
    this.backlogs = new Backlogs({
      ...parts,
      begun: () => this.begin(),
      join: (seat, place) => this.join(seat, place),
      left: () => this.restSoon(),
    });
  }

  /** Those that are told what comes. */
  get listeners(): number {
    return this.seats.size;
  }

  async now(): Promise<string> {
    const { passage } = await this.begin();
    this.restSoon();
    return this.presentText(passage.place);
  }

  isPlace(text: string): boolean {
    return placeOf(text) !== undefined;
  }

  listen(filter: EventFilter, place: string, listener: Listener, caller?: string): Listening {
    const at = placeOf(place);
    if (at === undefined) throw new Error(`${place} is not a place among the events`);
    const seat: Seat = { filter, listener, caller, known: at, behind: undefined, isOver: false };
    const stop = new AbortController();
    const goOn = this.join(seat, at) ? () => {} : this.backlogs.begin(seat, at, stop.signal);
    const hub = this;
    return {
      get place() {
        const isAtHead = hub.seats.has(seat) && seat.known === undefined && seat.behind === undefined;
        return isAtHead && hub.current !== undefined ? hub.presentText(hub.current.passage.place) : undefined;
      },
      goOn: () => (this.seats.has(seat) ? this.pump(seat) : goOn()),
      stop: () => {
        stop.abort();
        this.leave(seat);
      },
    };
  }

  /** Nobody is told anything any more. */
  stop(): void {
    this.isStopped = true;
    this.interrupt();
  }

  // -------------------------------------------------------------- reading

  private async begin(): Promise<Reading> {
    if (this.isStopped) throw new Unavailable('this node is stopping', true);
    this.rest?.();
    this.reading ??= this.open().catch((error) => {
      this.reading = undefined;
      throw new Unavailable(`EVENTS does not answer: ${error instanceof Error ? error.message : String(error)}`, true);
    });
    return this.reading;
  }

  private async open(): Promise<Reading> {
    const { source, clock, ringBytes = limits.liveRingBytes } = this.parts;
    const { place, lasts } = await within(clock, limits.liveBeginMs, source.end(), 'its end was not read in time');
    const reading = {
      ring: new EventRing(ringBytes, lasts),
      passage: new Passage(place, lasts),
      end: new AbortController(),
    };
    this.current = reading;
    void this.follow(reading, place);
    return reading;
  }

  private async follow(reading: Reading, from: EventPlace): Promise<void> {
    const { source, logger } = this.parts;
    const { ring, passage, end } = reading;
    const onGap = (sentence: string) => {
      logger.warn({}, `live events: ${sentence}`);
      this.tell(ring, { kind: 'gap', sentence, bytes: 0 });
    };
    try {
      for await (const { messages, created, ended } of source.read(from, end.signal, onGap)) {
        if (end.signal.aborted) return;
        passage.ended(ended);
        for (const message of messages) this.tell(ring, toldFrom(message, passage.pass(message, created)));
        this.forgetKnown(passage.place);
      }
    } catch (error) {
      logger.error({ err: error }, 'EVENTS cannot be read on: all listeners are told to come again');
    }
    if (this.current === reading) this.interrupt();
  }

  /** Stops reading some time after the last listener left. */
  private restSoon(): void {
    this.rest?.();
    if (this.reading === undefined || this.seats.size > 0 || this.backlogs.size > 0) return;
    const { clock, restMs = limits.liveRestMs } = this.parts;
    const cancel = clock.after(restMs, () => this.interrupt());
    this.rest = () => {
      cancel();
      this.rest = undefined;
    };
  }

  private interrupt(): void {
    this.rest?.();
    this.current?.end.abort();
    this.current = undefined;
    this.reading = undefined;
    for (const seat of [...this.seats]) this.end(seat, 'interrupted');
    if (this.isStopped) this.backlogs.interrupt();
  }

  // -------------------------------------------------------------- telling

  /** Whether the listener can go on here from this place: at the head, or through the ring (live-hub.H1). */
  private join(seat: Seat, place: EventPlace): boolean {
    const { current } = this;
    if (current === undefined && !this.isStopped) this.begin().catch(() => {}); // Who reads the past asks again.
    if (current === undefined || seat.isOver || !current.ring.hasAllAfter(place)) return false;
    this.rest?.();
    seat.known = place;
    seat.behind = { entry: current.ring.first, event: 0 };
    this.seats.add(seat);
    this.pump(seat);
    return true;
  }

  private tell(ring: EventRing, entry: Told | Gap): void {
    const number = ring.next;
    ring.add(entry);
    for (const seat of [...this.behind]) if ((seat.behind?.entry ?? number) < ring.first) this.end(seat, 'too_slow');
    if (entry.kind === 'gap') {
      for (const seat of this.seats) {
        if (seat.behind === undefined && !seat.listener.gap(entry.sentence)) this.fallBehind(seat, number + 1, 0);
      }
      return;
    }
    for (const [index, event] of entry.events.entries()) {
      for (const seat of this.seats.of(event)) {
        if (seat.behind === undefined && !this.offer(seat, ring, entry, index))
          this.fallBehind(seat, number, index + 1);
      }
    }
  }

  /** @returns false when the listener takes no more */
  private offer({ filter, known, listener }: Seat, ring: EventRing, entry: Told, index: number): boolean {
    const event = entry.events[index];
    if (event === undefined || !matches(filter, event)) return true;
    if (known === undefined) return listener.event(ring.eventOf(entry, index));
    if (index < toldOf(entry, known)) return true;
    return listener.event({ id: placeText(both(placeAfter(entry, index), known)), text: event.text });
  }

  private isTold(ring: EventRing, entry: number, known: EventPlace | undefined): boolean {
    const there = ring.at(entry);
    return known !== undefined && there?.kind === 'message' && toldOf(there, known) >= there.events.length;
  }

  private fallBehind(seat: Seat, entry: number, event: number): void {
    if (seat.isOver) return;
    seat.behind = { entry, event };
    this.behind.add(seat);
  }

  /** Tells what the ring has, as far as the listener takes it. */
  private pump(seat: Seat): void {
    const { current } = this;
    if (current === undefined || seat.behind === undefined) return;
    const { ring, passage } = current;
    this.behind.delete(seat);
    let { entry, event } = seat.behind;
    for (; entry < ring.next; entry++, event = 0) {
      const there = ring.at(entry);
      if (there === undefined) continue;
      if (there.kind === 'gap') {
        if (this.isTold(ring, entry + 1, seat.known)) continue; // It had what this process has lost.
        if (!seat.listener.gap(there.sentence)) return this.fallBehind(seat, entry + 1, 0);
        continue;
      }
      for (; event < there.events.length; event++) {
        if (!this.offer(seat, ring, there, event)) return this.fallBehind(seat, entry, event + 1);
      }
    }
    seat.behind = undefined;
    if (seat.known !== undefined) this.ahead.add(seat);
    if (seat.known !== undefined && hasAll(passage.place, seat.known)) this.forget(seat);
  }

  /** Listeners whose places have passed here need not be asked what they know (live-hub.H2). */
  private forgetKnown(place: EventPlace): void {
    for (const seat of this.ahead) if (hasAll(place, seat.known)) this.forget(seat);
  }

  private forget(seat: Seat): void {
    seat.known = undefined;
    this.ahead.delete(seat);
  }

  private end(seat: Seat, why: EndOfEvents): void {
    if (seat.isOver) return;
    this.leave(seat);
    seat.listener.ended(why);
  }

  private leave(seat: Seat): void {
    seat.isOver = true;
    this.seats.delete(seat);
    this.behind.delete(seat);
    this.ahead.delete(seat);
    this.restSoon();
  }

  /** Made once for all who ask. */
  private presentText(place: EventPlace): string {
    if (this.present.place !== place) this.present = { place, text: placeText(place) };
    return this.present.text;
  }
}

// ---------------------------------------------------------------- machinery

/** A journal that nobody here has heard of for so long has nothing more to come. */
const LONG_MS = 120_000;

/** Whether what is told at the other place has passed at this one. */
function hasAll({ turns, time }: EventPlace, other: EventPlace | undefined): boolean {
  if (other === undefined) return true;
  for (const [journal, told] of other.turns) {
    const turn = other.parts?.get(journal)?.turn ?? told;
    const passed = turns.get(journal);
    if (passed === undefined ? time < other.time + LONG_MS : passed < turn) return false;
  }
  return true;
}
