/** The place of whoever reads EVENTS, message by message. */
import { type JournalId, journalId } from '../../actors/ids.js';
import { type EventPlace, MARGIN_MS } from './event-place.js';

interface Passed {
  readonly journal: JournalId;
  readonly turn: number;
  readonly storedMs: number;
  readonly sequence: number;
}

export interface LastTurn {
  readonly turn: number;
  readonly storedMs: number;
  /** Set if the journal has ended, when the broker stored that. */
  readonly endedMs?: number;
}

/** A journal that has ended is named so long: those who read on at a place begin no earlier. */
const ENDED_MS = 6 * MARGIN_MS;
/** Beyond so many journals the ones that were silent longest are not named. */
const NAMED = 64;

export class Passage {
  private readonly last: Map<JournalId, LastTurn>;
  private at: EventPlace;

  /** @param lasts when the last turn of each journal was stored, as far as it is known */
  constructor(from: EventPlace, lasts: ReadonlyMap<JournalId, LastTurn> = new Map()) {
    this.last = new Map([...lasts].sort(([, a], [, b]) => a.storedMs - b.storedMs));
    for (const [journal, turn] of from.turns) {
      if (!this.last.has(journal)) this.last.set(journal, { turn, storedMs: from.time });
    }
    this.at = { ...from, turns: this.named(from.time) };
  }

  /** After every message so far. */
  get place(): EventPlace {
    return this.at;
  }

  /** @param created when the stream was made that has the message */
  pass({ journal, turn, storedMs, sequence }: Passed, created: number): EventPlace {
    this.last.delete(journal); // The latest comes last.
    this.last.set(journal, { turn, storedMs });
    const time = Math.max(this.at.time, Math.floor(storedMs));
    const parts = new Map(this.at.parts);
    parts.delete(journal);
    this.at = { created, seq: sequence, time, turns: this.named(time), parts };
    return this.at;
  }

  /** @param journals when the broker stored their ends */
  ended(journals: { readonly [journal: string]: number }): void {
    for (const [journal, endedMs] of Object.entries(journals)) {
      const last = this.last.get(journalId(journal));
      if (last !== undefined && last.endedMs === undefined) this.last.set(journalId(journal), { ...last, endedMs });
    }
  }

  private named(time: number): ReadonlyMap<JournalId, number> {
    const turns = new Map<JournalId, number>();
    const all = [...this.last];
    for (let i = all.length - 1; i >= 0 && turns.size < NAMED; i--) {
      const [journal, { turn, endedMs = time }] = all[i] as (typeof all)[number];
      if (endedMs > time - ENDED_MS) turns.set(journal, turn);
    }
    return turns;
  }
}
