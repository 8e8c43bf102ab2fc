/**
 * A place among the public events, and the text of it that a listener gets as an event's id.
 *
 * Law:
 *  P1. A place says what was told by journals and turns. A sequence of the broker says nothing after a roll back, or when the
 *      stream was made anew. So a place means the same at every node.
 *  P2. It names the journals that are written, and those that ended a moment ago. A message of any other journal is told
 *      already if it is older than the place by more than a margin: whoever reads on begins no earlier than that.
 *  P3. Of a message that was told in part it counts the events.
 */
import { type JournalId, journalId } from '../../actors/ids.js';

export interface EventPlace {
  /** When the stream was made, in milliseconds. */
  readonly created: number;
  /** The broker's number of the last message. Only gaps are judged by it. */
  readonly seq: number;
  /** The latest time at which the broker stored a message up to here, in milliseconds. */
  readonly time: number;
  /** By journal the last turn that was told, all of it. */
  readonly turns: ReadonlyMap<JournalId, number>;
  /** By journal the turn that was told in part. */
  readonly parts?: ReadonlyMap<JournalId, Part>;
}

interface Part {
  readonly turn: number;
  readonly events: number;
}

/** Whoever reads on begins so long before the place's time: the broker's clock may be set back by less. */
export const MARGIN_MS = 10_000;

interface Placed {
  readonly journal: JournalId;
  readonly turn: number;
  readonly storedMs: number;
}

/** How many of the message's events were told at this place: all of them is infinite. */
export function toldOf({ journal, turn, storedMs }: Placed, { turns, time, parts }: EventPlace): number {
  const told = turns.get(journal);
  const isTold = told === undefined ? storedMs < time - MARGIN_MS : turn <= told; // event-place.P2
  if (isTold) return Number.POSITIVE_INFINITY;
  const part = parts?.get(journal);
  return part?.turn === turn ? part.events : 0;
}

/** Within a message of the journal that ends at the place. */
export function withPart(place: EventPlace, journal: JournalId, { turn, events }: Part): EventPlace {
  const turns = new Map(place.turns).set(journal, turn - 1);
  return { ...place, turns, parts: new Map(place.parts).set(journal, { turn, events }) };
}

/** What is told at either of them. */
export function both(a: EventPlace, b: EventPlace): EventPlace {
  const turns = new Map(a.turns);
  for (const [journal, turn] of b.turns) turns.set(journal, Math.max(turn, turns.get(journal) ?? -1));
  const parts = new Map<JournalId, Part>();
  for (const [journal, part] of [...(a.parts ?? []), ...(b.parts ?? [])]) {
    const other = parts.get(journal) ?? { turn: turns.get(journal) ?? -1, events: 0 };
    const isMore = part.turn > other.turn || (part.turn === other.turn && part.events > other.events);
    if (isMore && part.turn > (turns.get(journal) ?? -1)) parts.set(journal, part);
  }
  return { created: a.created, seq: a.seq, time: Math.max(a.time, b.time), turns, parts };
}

/** Such as `mh3k.2s.mh4a~01JD….7.2~01JC….4`: stream, sequence and time; then each journal with its turn, or a part of it. */
export function placeText({ created, seq, time, turns, parts }: EventPlace): string {
  let text = `${created.toString(36)}.${seq.toString(36)}.${time.toString(36)}`;
  for (const [journal, turn] of turns) {
    const part = parts?.get(journal);
    const [number, events] = part === undefined ? [turn, ''] : [part.turn, `.${part.events.toString(36)}`];
    text += `~${journal}.${number.toString(36)}${events}`;
  }
  return text;
}

const NUMBER = '[0-9a-z]{1,11}';
const FORM = new RegExp(`^${NUMBER}\\.${NUMBER}\\.${NUMBER}(~[\\w-]{1,64}\\.${NUMBER}(\\.${NUMBER})?){0,100}$`);
const LONGEST = 8_192;
/** The latest time that a Date can have. */
const LATEST_MS = 8.64e15;

/** Undefined if the text is not a place. */
export function placeOf(text: string): EventPlace | undefined {
  if (text.length > LONGEST || !FORM.test(text)) return undefined;
  const [head = '', ...journals] = text.split('~');
  const [created = 0, seq = 0, time = 0] = head.split('.').map(number);
  const turns = new Map<JournalId, number>();
  const parts = new Map<JournalId, Part>();
  for (const named of journals) {
    const [journal = '', turn = '', events] = named.split('.');
    const id = journalId(journal);
    turns.set(id, events === undefined ? number(turn) : number(turn) - 1);
    if (events !== undefined) parts.set(id, { turn: number(turn), events: number(events) });
  }
  const numbers = [seq, ...turns.values(), ...[...parts.values()].map(({ events }) => events)];
  if (!numbers.every(Number.isSafeInteger) || created > LATEST_MS || time > LATEST_MS) return undefined;
  return { created, seq, time, turns, parts };
}

// ---------------------------------------------------------------- machinery

const number = (text: string): number => Number.parseInt(text, 36);
