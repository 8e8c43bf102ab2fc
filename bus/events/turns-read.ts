/**
 * How far a reader of EVENTS has come: for each journal the last turn that it has. A message's sequence says nothing: a broker
 * that was rolled back, or whose stream was made anew, has other ones for the same messages.
 *
 * Law:
 *  T1. A message is new if its turn is beyond the last one of its journal. Whatever is read again is known.
 *  T2. A message that names what comes before it in other journals (event-headers.ts) waits for that, and so does all after it
 *      in its journal. What the reader has never seen of a journal does not count: the reader began later.
 *  T3. A message whose journal's previous message is not known shows a gap: EVENTS has lost it unread.
 *  T4. Journals that have ended are forgotten after a day, and the oldest beyond a thousand.
 *  T5. Once a loss is told of which nobody knows what it held, each known journal is unsure until its next message. An unsure
 *      journal is not waited for: what is named may be lost. Its own gap is part of the loss, and is not told again.
 *  T6. What waits too long, or makes too much wait, waits for something that is lost: that is told as a gap, and then not waited
 *      for.
 */
import type { JournalId } from '../../actors/ids.js';
import type { EventsBefore } from '../../actors/ports/events.js';

export interface TurnMessage {
  readonly journal: JournalId;
  readonly turn: number;
  /** Undefined in messages of versions that did not tell. */
  readonly previous: number | undefined;
  readonly after: EventsBefore;
  /** It ends its journal. */
  readonly isSeal: boolean;
  /** When the broker stored it, in milliseconds. */
  readonly storedMs: number;
  /** Counts for the bound on what waits. */
  readonly text?: string;
}

export interface Gap {
  readonly journal: JournalId;
  /** The last turn that is known, and one after it that should be known. */
  readonly known: number;
  readonly missing: number;
}

/** What a cursor keeps; plain JSON. */
export interface JournalsRead {
  readonly journals: { readonly [journal: string]: number };
  /** When those that have ended did so, in milliseconds. */
  readonly ended: { readonly [journal: string]: number };
  /** Those of which something may be lost, as was told (turns-read.T5). */
  readonly unsure?: readonly string[];
}

/** The same place, once a loss is told of which nobody knows what it held (turns-read.T5). */
export const withAllUnsure = <R extends JournalsRead>(read: R): R => ({ ...read, unsure: Object.keys(read.journals) });

const KEPT_MS = 24 * 3_600_000;
const KEPT = 1_000;
/** What waits at most (turns-read.T6). Publishers repeat within minutes what a broker has lost. */
const MOST_HELD = { messages: 10_000, chars: 67_108_864, ms: 600_000 };

export class TurnsRead<M extends TurnMessage> {
  private readonly turns: Map<JournalId, number>;
  private readonly ended: Map<JournalId, number>;
  private readonly unsure: Set<JournalId>;
  private held: M[] = [];
  private heldChars = 0;

  /** @param onGap called for each gap (turns-read.T3), before the message that shows it is given out */
  constructor(
    known: JournalsRead,
    private readonly onGap: (gap: Gap) => void,
  ) {
    this.turns = new Map(Object.entries(known.journals) as [JournalId, number][]);
    this.ended = new Map(Object.entries(known.ended) as [JournalId, number][]);
    this.unsure = new Set((known.unsure ?? []) as JournalId[]);
  }

  /** The messages that may be told now: this one if it is new, and those that waited for it. */
  take(message: M): readonly M[] {
    if (!this.isNew(message)) return [];
    if (this.mustWait(message)) {
      if (!this.held.some((other) => isSame(other, message))) this.hold(message);
      return this.overdue(message.storedMs);
    }
    this.note(message);
    return this.held.length === 0 ? [message] : [message, ...this.released(), ...this.overdue(message.storedMs)];
  }

  /** A loss was told (turns-read.T5). @returns what need not wait any more */
  doubt(): readonly M[] {
    for (const journal of this.turns.keys()) this.unsure.add(journal);
    return this.released();
  }

  /** How many messages wait. */
  get waiting(): number {
    return this.held.length;
  }

  /** When the broker stored the oldest message that waits; infinite when none does. */
  get waitsSinceMs(): number {
    return this.held.reduce((oldest, { storedMs }) => Math.min(oldest, storedMs), Number.POSITIVE_INFINITY);
  }

  get read(): JournalsRead {
    const { turns, ended, unsure } = this;
    const read = { journals: Object.fromEntries(turns), ended: Object.fromEntries(ended) };
    return unsure.size === 0 ? read : { ...read, unsure: [...unsure] };
  }

  // -------------------------------------------------------------- machinery

  private isNew({ journal, turn, isSeal }: M): boolean {
    const known = this.turns.get(journal) ?? -1;
    // A seal has the number of the last message before it.
    return turn > known || (isSeal && turn === known && !this.ended.has(journal));
  }

  private mustWait({ journal, after }: M): boolean {
    return !after.every((each) => this.has(each)) || this.held.some((other) => other.journal === journal);
  }

  private has([journal, turn]: readonly [JournalId, number]): boolean {
    return this.unsure.has(journal) || (this.turns.get(journal) ?? turn) >= turn;
  }

  private hold(message: M): void {
    this.held.push(message);
    this.heldChars += message.text?.length ?? 0;
  }

  /** What is given out because it has waited too long (turns-read.T6). */
  private overdue(nowMs: number): readonly M[] {
    const released: M[] = [];
    while (this.isTooMuch(nowMs)) {
      const of = new Set(this.held.map(({ journal }) => journal));
      const missing = this.held.flatMap(({ after }) => after.filter((each) => !this.has(each)));
      // What waits itself is not lost.
      const [journal, turn] = missing.find(([other]) => !of.has(other)) ?? missing[0] ?? [];
      if (journal === undefined || turn === undefined) break;
      this.onGap({ journal, known: this.turns.get(journal) ?? 0, missing: turn });
      this.unsure.add(journal);
      released.push(...this.released());
    }
    return released;
  }

  private isTooMuch(nowMs: number): boolean {
    const { held, heldChars } = this;
    const sinceMs = held[0]?.storedMs ?? nowMs;
    return held.length > MOST_HELD.messages || heldChars > MOST_HELD.chars || nowMs - sinceMs > MOST_HELD.ms;
  }

  private note({ journal, turn, previous, isSeal, storedMs }: M): void {
    const known = this.turns.get(journal);
    if (known !== undefined && previous !== undefined && previous > known && !this.unsure.has(journal)) {
      this.onGap({ journal, known, missing: previous });
    }
    this.unsure.delete(journal);
    this.turns.set(journal, turn);
    if (isSeal) this.end(journal, storedMs);
  }

  private end(journal: JournalId, storedMs: number): void {
    this.ended.set(journal, storedMs);
    for (const [other, ms] of this.ended) {
      if (ms > storedMs - KEPT_MS && this.ended.size <= KEPT) break;
      this.ended.delete(other);
      this.turns.delete(other);
      this.unsure.delete(other);
    }
  }

  private released(): readonly M[] {
    const released: M[] = [];
    for (let found = true; found; ) {
      const waiting = this.held;
      this.held = [];
      this.heldChars = 0;
      for (const message of waiting) {
        if (!this.isNew(message)) continue; // It came twice.
        if (this.mustWait(message)) this.hold(message);
        else {
          this.note(message);
          released.push(message);
        }
      }
      found = this.held.length < waiting.length && this.held.length > 0;
    }
    return released;
  }
}

const isSame = (one: TurnMessage, other: TurnMessage): boolean =>
  one.journal === other.journal && one.turn === other.turn && one.isSeal === other.isSeal;
