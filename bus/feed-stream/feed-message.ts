/**
 * One public event as a message of FEED, by the NATS binding of CloudEvents in binary mode: its attributes are headers, its
 * data is the payload, byte by byte. So `order.confirmed.v1` goes to `feed.order.confirmed`.
 *
 *   Nats-Msg-Id: order/ORD-1/4              the event's id, percent-encoded as every attribute
 *   Holdfast-From: <journal> 12 3 678 1764  where it comes from: its journal, the turn, its number within the turn, and the
 *                                           place of EVENTS from which on a reader finds all that follows (sequence, time)
 */
import { type JournalId, journalId } from '../../actors/ids.js';
import { decoded, type EventText, eventTexts, stringIn } from '../events/event-texts.js';
import type { OrderedMessage } from '../nats/nats.js';

export const FEED_PREFIX = 'feed.';

/** Where an event comes from, and how far its reader has come. */
export interface FeedPlace {
  readonly journal: JournalId;
  readonly turn: number;
  /** From 1, among all events of the turn. */
  readonly number: number;
  /** Everything that is told after this event is on EVENTS from this sequence and this time on. */
  readonly seq: number;
  readonly time: number;
}

/** @throws when the text is not a JSON array of CloudEvents */
export function eventsIn(text: string): readonly EventText[] {
  const events = eventTexts(text);
  for (const event of events) {
    if (stringIn(event, 'id') === '' || typeOf(event) === '') throw new Error('an event has no id or type');
  }
  return events;
}

/** Such as `order.placed.v1`. */
export const typeOf = (event: EventText): string => stringIn(event, 'type');

export function feedMessage(event: EventText, { journal, turn, number, seq, time }: FeedPlace): OrderedMessage {
  let headers = '';
  for (const [name, value] of event.members) {
    if (name !== 'data') headers += `ce-${name}: ${percentEncoded(decoded(value))}\r\n`;
  }
  headers += `Content-Type: application/json\r\nHoldfast-From: ${journal} ${turn} ${number} ${seq} ${time}\r\n`;
  return {
    subject: subjectOf(typeOf(event)),
    id: percentEncoded(stringIn(event, 'id')),
    headers,
    payload: event.members.get('data') ?? 'null',
  };
}

/** `feed.<kind>.<event>`: the type without its version. A character that no subject may have becomes `_`. */
export const subjectOf = (type: string): string => FEED_PREFIX + type.replace(/\.v\d+$/, '').replace(/[^\w.-]/g, '_');

/** @returns undefined if Holdfast has not published the message */
export function placeIn(headers: string): FeedPlace | undefined {
  const found = /^Holdfast-From: *(\S+) (\d+) (\d+) (\d+) (\d+)/im.exec(headers);
  if (found === null) return undefined;
  const [journal = '', ...numbers] = found.slice(1);
  const [turn = 0, number = 0, seq = 0, time = 0] = numbers.map(Number);
  return { journal: journalId(journal), turn, number, seq, time };
}

/** As the binding wants it: what is not visible ASCII, a quotation mark, and the percent sign itself. */
export const percentEncoded = (text: string): string =>
  PLAIN.test(text) ? text : text.replace(NOT_PLAIN, (one) => (one === '%' ? '%25' : encoded(one)));

// ---------------------------------------------------------------- machinery

const PLAIN = /^[!#$&-~]*$/;
const NOT_PLAIN = /[^!#$&-~]/gu;

const encoded = (one: string): string =>
  [...Buffer.from(one)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
