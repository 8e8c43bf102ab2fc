/**
 * How far FEED has come, told by FEED alone.
 *
 * Law:
 *  C1. The last turn of each journal follows from the messages themselves (feed-message.ts). A cursor sums up all before it, so
 *      that only the messages after the last cursor are read.
 *  C2. A cursor is a message of the same stream, stored with the same compare-and-set. So whatever the broker forgets, FEED
 *      never says more than it has.
 *  C3. The turn of the last message may be told in part. The rest of it is still to come.
 *  C4. Without a cursor all of FEED is read. An empty FEED begins with what EVENTS has.
 */
import type { EventCursor } from '../events/event-reader.js';
import { underAny } from '../joined-signal.js';
import type { Nats, OrderedMessage, StreamInfo } from '../nats/nats.js';
import { readStream } from '../nats/stream-reader.js';
import { hasMessageAfter, lastMessage, refuseDamaged } from '../nats/streams.js';
import { FEED_PREFIX, type FeedPlace, placeIn } from './feed-message.js';
import { CURSOR_SUBJECT, FEED_STREAM } from './feed-shape.js';

interface FeedEnd {
  /** The stream's last sequence. */
  readonly last: number;
  /** From where EVENTS is read on; undefined: from its start. */
  readonly cursor: EventCursor | undefined;
  readonly told: ToldInPart;
  /** Of the last cursor; 0: there is none. */
  readonly keptSeq: number;
  readonly keptAt: number;
  /** Messages since then. */
  readonly since: number;
}

/** Turns that are told in part (feed-cursor.C3): of a journal the turn, and the number of its last event on FEED. */
export type ToldInPart = Readonly<Record<string, readonly [turn: number, number: number]>>;

const CURSOR_FORM = 1;

interface StoredCursor extends EventCursor {
  readonly form: typeof CURSOR_FORM;
  /** Wall clock, milliseconds. */
  readonly at: number;
  readonly told: ToldInPart;
}

/** @param isLasting the broker keeps it beyond the stream's age */
export function cursorMessage(cursor: EventCursor, told: ToldInPart, at: number, isLasting: boolean): OrderedMessage {
  const open = Object.entries(told).filter(([journal, [turn]]) => (cursor.journals[journal] ?? -1) < turn);
  const stored: StoredCursor = { form: CURSOR_FORM, at, ...cursor, told: Object.fromEntries(open) };
  const headers = `Nats-Rollup: sub\r\n${isLasting ? 'Nats-TTL: never\r\n' : ''}Content-Type: application/json\r\n`;
  return { subject: CURSOR_SUBJECT, headers, payload: JSON.stringify(stored) };
}

/** @throws when a newer version has written it */
export function cursorIn(text: string): StoredCursor {
  const stored = JSON.parse(text) as StoredCursor;
  if (stored.form === CURSOR_FORM) return stored;
  throw new Error(
    `The cursor on ${FEED_STREAM} has form ${stored.form}, which this version does not know: use a newer one.`,
  );
}

/** Reads where FEED ends. What others add meanwhile shows in the next compare-and-set. */
export async function feedEnd(nats: Nats, info: StreamInfo, signal: AbortSignal): Promise<FeedEnd> {
  const message = await lastMessage(nats, FEED_STREAM, CURSOR_SUBJECT);
  const stored = message && cursorIn(message.text);
  const keptSeq = message?.seq ?? 0;
  const end = { last: Math.max(info.state.last_seq, keptSeq), keptSeq, keptAt: stored?.at ?? 0 };
  const isRead = !(await hasMessageAfter(nats, FEED_STREAM, `${FEED_PREFIX}>`, keptSeq));
  if (isRead && end.last > keptSeq) await refuseDamaged(nats, FEED_STREAM, `${FEED_PREFIX}>`);
  const found = isRead ? NOTHING : await readAfter(nats, keptSeq, end.last, signal);
  const { turns, count, at } = found;
  const told = Object.entries(stored?.told ?? {}).filter(([journal]) => turns[journal] === undefined);
  if (at === undefined) return { ...end, cursor: stored, told: Object.fromEntries(told), since: 0 };
  const { created = '', ended = {} } = stored ?? {};
  const unsure = stored?.unsure?.filter((journal) => turns[journal] === undefined) ?? [];
  const journals = { ...stored?.journals, ...turns, [at.journal]: at.turn - 1 };
  const cursor = { created, seq: at.seq, time: at.time, journals, ended, ...(unsure.length > 0 && { unsure }) };
  return { ...end, cursor, told: { ...Object.fromEntries(told), [at.journal]: [at.turn, at.number] }, since: count };
}

// ---------------------------------------------------------------- machinery

/** So long no message may come. */
const SILENT_MS = 10_000;

interface Found {
  /** The last turn of each journal. */
  readonly turns: Readonly<Record<string, number>>;
  /** The place of the last message. */
  readonly at: FeedPlace | undefined;
  readonly count: number;
}

const NOTHING: Found = { turns: {}, at: undefined, count: 0 };

async function readAfter(nats: Nats, after: number, last: number, signal: AbortSignal): Promise<Found> {
  const silent = new AbortController();
  const timer = setTimeout(() => silent.abort(), SILENT_MS);
  try {
    return await underAny([signal, silent.signal], (until) => readUntil(nats, after, last, timer, until));
  } finally {
    clearTimeout(timer);
  }
}

/** @param silence begins anew with each page */
async function readUntil(
  nats: Nats,
  after: number,
  last: number,
  silence: NodeJS.Timeout,
  signal: AbortSignal,
): Promise<Found> {
  const turns: Record<string, number> = {};
  let at: FeedPlace | undefined;
  let count = 0;
  const from = { kind: 'sequence', sequence: after + 1 } as const;
  const reading = { stream: FEED_STREAM, filter: `${FEED_PREFIX}>`, from, headersOnly: true, signal };
  for await (const page of readStream(nats, reading)) {
    silence.refresh();
    for (const { sequence, headers } of page) {
      at = placeIn(headers);
      if (at === undefined) {
        throw new Error(`The message ${sequence} of ${FEED_STREAM} was not published by Holdfast.`);
      }
      turns[at.journal] = at.turn;
      count += 1;
    }
    const end = page.at(-1);
    if (end === undefined || end.sequence >= last || end.pending === 0) return { turns, at, count };
  }
  throw new Error(`${FEED_STREAM} was not read to its end in time`);
}
