/**
 * The latest messages of EVENTS, bounded by their bytes. All listeners share it: each has a place in it, and none a queue of
 * its own.
 */
import type { JournalId } from '../../actors/ids.js';
import type { LiveEvent } from '../../actors/ports/live-events.js';
import { type EventPlace, MARGIN_MS, placeText, withPart } from './event-place.js';
import type { LiveMessage } from './live-source.js';
import type { LastTurn } from './passage.js';
import { eventsIn, type ToldEvent } from './told-events.js';

export interface Told {
  readonly kind: 'message';
  readonly journal: JournalId;
  readonly turn: number;
  readonly storedMs: number;
  readonly events: readonly ToldEvent[];
  readonly bytes: number;
  /** After the whole message. */
  readonly place: EventPlace;
}

/** Messages were lost before what follows. */
export interface Gap {
  readonly kind: 'gap';
  readonly sentence: string;
  readonly bytes: 0;
}

export function toldFrom({ journal, turn, storedMs, text }: LiveMessage, place: EventPlace): Told {
  return { kind: 'message', journal, turn, storedMs, place, bytes: text.length, events: eventsIn(text) };
}

/** After the event of this index. */
export function placeAfter({ place, journal, turn, events }: Told, index: number): EventPlace {
  return index >= events.length - 1 ? place : withPart(place, journal, { turn, events: index + 1 });
}

export class EventRing {
  private entries: (Told | Gap | undefined)[] = [];
  /** Entries of the array that have left the ring already. */
  private gone = 0;
  private before = 0;
  private bytes = 0;
  private readonly texts = new WeakMap<Told, LiveEvent[]>();
  /** By journal the last turn that is not in the ring any more, or never was. */
  private readonly missing: Map<JournalId, LastTurn>;

  constructor(
    private readonly mostBytes: number,
    lasts: ReadonlyMap<JournalId, LastTurn>,
  ) {
    this.missing = new Map(lasts);
  }

  /** The number of the first entry. Numbers are dense. */
  get first(): number {
    return this.before + this.gone;
  }

  /** The number of the entry that comes next. */
  get next(): number {
    return this.before + this.entries.length;
  }

  at(number: number): Told | Gap | undefined {
    return this.entries[number - this.before];
  }

  add(entry: Told | Gap): void {
    this.entries.push(entry);
    this.bytes += entry.bytes + ENTRY_BYTES;
    while (this.bytes > this.mostBytes && this.next - this.first > 1) this.removeFirst();
  }

  /** Whether everything that is not told at the place is here, or comes later. */
  hasAllAfter({ turns, time }: EventPlace): boolean {
    for (const [journal, { turn, storedMs }] of this.missing) {
      const told = turns.get(journal);
      if (told === undefined ? storedMs >= time - MARGIN_MS : told < turn) return false;
    }
    return true;
  }

  /** Made once, for all listeners. */
  eventOf(message: Told, index: number): LiveEvent {
    let texts = this.texts.get(message);
    if (texts === undefined) {
      texts = [];
      this.texts.set(message, texts);
    }
    const made = texts[index];
    if (made !== undefined) return made;
    const event = { id: placeText(placeAfter(message, index)), text: message.events[index]?.text ?? '' };
    texts[index] = event;
    return event;
  }

  private removeFirst(): void {
    const entry = this.entries[this.gone];
    this.entries[this.gone++] = undefined;
    if (entry === undefined) return;
    this.bytes -= entry.bytes + ENTRY_BYTES;
    if (entry.kind === 'message') {
      const { journal, turn, storedMs } = entry;
      this.missing.set(journal, { turn, storedMs });
    }
    if (this.gone < COMPACT) return;
    this.entries = this.entries.slice(this.gone);
    this.before += this.gone;
    this.gone = 0;
  }
}

/** What an entry takes beside its text. */
const ENTRY_BYTES = 500;
const COMPACT = 1_000;
