/**
 * The records of the journals and of the claims log, and their text. A stored record never changes. A reader stops at
 * a record of an unknown version and names the version.
 *
 * A journal holds the turns of one incarnation of one node, numbered densely from 1. It may end in a seal; after the
 * seal no append of its writer succeeds. Every record of the claims log carries the whole map from partition to owner.
 */
import { listed } from '../flat-text.js';
import type { JournalId, NodeId, OrderId, ProductId, WriteId } from '../ids.js';
import type { NumberedLetter } from '../ports/letters.js';
import type {
  ActorEvent,
  HoldAnswer,
  Line,
  OrderContent,
  OrderEvent,
  ProductEvent,
  ProductRefusal,
} from '../protocol.js';
import { quoted } from '../quoted-text.js';
import { type ActorFacts, type PackedFacts, packFacts, unpackFacts } from './event-facts.js';

export const RECORD_VERSION = 1;

// The names of the logs.
export const CLAIMS_LOG = 'claims';
/** Holds the broker's copy of the settlement. */
export const SYSTEM_LOG = 'system';
export const journalLog = (journal: JournalId): string => `journal.${journal}`;

/** One event as the journal holds it; `version` is dense from 1 for each actor. */
export type JournaledEvent = ActorEvent & { readonly version: number };

/** Everything that one input led to. */
export interface Cascade {
  readonly correlation: string;
  readonly events: readonly JournaledEvent[];
  /**
   * Of each actor whose first event is not here, what public events tell beside its events. Cascades of older versions
   * have none.
   */
  readonly before?: readonly ActorFacts[];
}

export interface TurnPart {
  readonly epoch: number;
  /** Watermarks moved by this turn: the highest letter handled, by sending partition. */
  readonly seen?: { readonly [from: number]: number };
}

/** A stock write that was refused under a client's key. It is no event: nothing happened to the product. */
export interface RefusedWrite {
  readonly ref: WriteId;
  readonly product: ProductId;
  readonly fingerprint: string;
  readonly refusal: ProductRefusal;
}

/**
 * A partition begins to run in a journal: nothing of the partition stands before this in the journal, and none of its
 * rows names the journal before.
 */
export interface Join {
  readonly partition: number;
  readonly epoch: number;
  /**
   * What EVENTS must have before anything of this partition from this journal: of each journal the records up to an n,
   * or the whole journal up to its seal.
   */
  readonly after: readonly (readonly [JournalId, number | 'seal'])[];
}

export interface TurnRecord {
  readonly kind: 'turn';
  readonly id: string;
  readonly journal: JournalId;
  readonly n: number;
  /** Wall clock of the turn, milliseconds. */
  readonly at: number;
  /** By partition: only those that this turn touched. */
  readonly parts: { readonly [partition: number]: TurnPart };
  readonly cascades: readonly Cascade[];
  readonly letters: readonly NumberedLetter[];
  /** Absent where there are none. */
  readonly refused?: readonly RefusedWrite[];
  /** The partitions that begin to run with this record. Absent where there are none. */
  readonly joins?: readonly Join[];
}

export interface SealRecord {
  readonly kind: 'seal';
  readonly id: string;
  readonly journal: JournalId;
  readonly by: JournalId;
  readonly at: number;
  /** The last turn of the journal; 0 when it has none. Seals of older versions do not say it. */
  readonly n?: number;
}

export interface Claim {
  readonly epoch: number;
  readonly node: NodeId;
  readonly journal: JournalId;
  /** Wall clock of the claim, milliseconds. Claims of older versions have none. */
  readonly at?: number;
  /** Set by a release: the owner has flushed everything up to this n of its journal. */
  readonly released?: number;
  /** Beside `released`: the node that shall claim it next. Others wait a moment. */
  readonly to?: NodeId;
}

export interface ClaimsRecord {
  readonly kind: 'claims';
  readonly id: string;
  readonly by: JournalId;
  readonly at: number;
  /** By partition. */
  readonly map: readonly (Claim | null)[];
  /** The names of the map's nodes, for people. Records of older versions have none. */
  readonly names?: NodeNames;
  /** The id of the claims record before it. The first one has none, and neither have records of older versions. */
  readonly previous?: string;
}

export type NodeNames = { readonly [node: NodeId]: string };

export type StoredRecord = TurnRecord | SealRecord | ClaimsRecord;

/** The stored text could not be read; the message names the log and the position. */
export class UnreadableRecord extends Error {
  override name = 'UnreadableRecord';
}

// Events are packed as [kind, id, version, event]: four fields an event, without their names.
type PackedEvent = ['o', OrderId, number, OrderEvent] | ['p', ProductId, number, ProductEvent];

/** The event as JSON. The most frequent types are written by hand, because this runs for every event of every order. */
export function eventJson(event: OrderEvent | ProductEvent): string {
  switch (event.type) {
    case 'placed':
      if (event.late !== undefined) return JSON.stringify(event);
      return `{"type":"placed","content":${contentJson(event.content)},"correlation":${quoted(event.correlation)}}`;
    case 'held':
      if ('answers' in event) {
        const { answers, currency, total } = event;
        return `{"type":"held","answers":[${jsonOf(answers, answerJson)}],"currency":${quoted(currency)},"total":${total}}`;
      }
      return moved(event);
    case 'confirmed':
      return '{"type":"confirmed"}';
    case 'paid':
      if (event.captureOn !== undefined) return JSON.stringify(event);
      return event.captured ? '{"type":"paid","captured":true}' : '{"type":"paid","captured":false}';
    case 'released':
    case 'committed':
      return moved(event);
    default:
      return JSON.stringify(event);
  }
}

function moved(event: Extract<ProductEvent, { readonly quantity: number; readonly order: OrderId }>): string {
  if ('no' in event && event.no !== undefined) return JSON.stringify(event);
  return `{"type":"${event.type}","order":${quoted(event.order)},"quantity":${event.quantity}}`;
}

function contentJson(content: OrderContent): string {
  const { user, userIsNumber, lines, currency, email, shippingAddress, billingAddress, notes, paymentMethod } = content;
  for (const rare of [email, shippingAddress, billingAddress, notes, paymentMethod]) {
    if (rare !== undefined) return JSON.stringify(content);
  }
  const of = currency === undefined ? '' : `,"currency":${quoted(currency)}`;
  return `{"user":${quoted(user)},"userIsNumber":${userIsNumber},"lines":[${jsonOf(lines, lineJson)}]${of}}`;
}

const lineJson = ({ product, quantity }: Line): string => `{"product":${quoted(product)},"quantity":${quantity}}`;

function answerJson(answer: HoldAnswer): string {
  if (answer.answer !== 'held' || answer.backordered !== undefined) return JSON.stringify(answer);
  const { product, unitPrice, currency } = answer;
  return `{"product":${quoted(product)},"answer":"held","unitPrice":${unitPrice},"currency":${quoted(currency)}}`;
}

function jsonOf<T>(items: readonly T[], json: (item: T) => string): string {
  let all = '';
  for (const item of items) all = all === '' ? json(item) : `${all},${json(item)}`;
  return all;
}

/** Begins with a comma: the correlation, or another event, always comes before it. */
export const packEvent = (kind: 'order' | 'product', id: string, version: number, event: string): string =>
  `${kind === 'order' ? ',["o",' : ',["p",'}${quoted(id)},${version},${event}]`;

/** What was known of actors before a cascade, without the brackets around. Products come with every order. */
export function packBefore(before: readonly ActorFacts[]): string {
  return jsonOf(before, (of) => {
    if (of.kind === 'order' || of.facts.backordered > 0) return JSON.stringify(packFacts(of));
    return `["p",${quoted(of.id)},${of.facts.onHand},${of.facts.held}]`;
  });
}

const unpackEvent = ([kind, id, version, event]: PackedEvent): JournaledEvent =>
  kind === 'o' ? { of: { kind: 'order', id }, version, event } : { of: { kind: 'product', id }, version, event };

/** Grows the text by addition only: it is flattened once, with the whole record. */
export function packCascade(correlation: string, packedEvents: readonly string[]): string {
  let text = `[${quoted(correlation)}`;
  for (const event of packedEvents) text += event;
  return `${text}]`;
}

/**
 * @param cascades already packed, so a turn's events become text only once.
 * @param before of each cascade, packed by `packBefore`
 */
export function encodeTurn(
  turn: Omit<TurnRecord, 'kind' | 'cascades'>,
  cascades: readonly string[],
  before: readonly string[] = [],
): string {
  const { id, journal, n, at, parts, letters, refused, joins } = turn;
  const head = JSON.stringify({
    ...{ v: RECORD_VERSION, kind: 'turn', id, journal, n, at, parts, letters },
    ...(refused !== undefined && { refused }),
    ...(joins !== undefined && { joins }),
  });
  const known = before.every((text) => text === '') ? '' : `,"before":[[${before.join('],[')}]]`;
  return listed(`${head.slice(0, -1)}${known},"cascades":[`, cascades.slice(), ']}');
}

export const encodeSeal = (seal: Omit<SealRecord, 'kind'>): string =>
  JSON.stringify({ v: RECORD_VERSION, kind: 'seal', ...seal });

export const encodeClaims = (claims: Omit<ClaimsRecord, 'kind'>): string =>
  JSON.stringify({ v: RECORD_VERSION, kind: 'claims', ...claims });

/** @param where log and position, for the error. @throws UnreadableRecord */
export function decodeRecord(text: string, where: string): StoredRecord {
  let raw: { v?: unknown; kind?: unknown; cascades?: [string, ...PackedEvent[]][]; before?: PackedFacts[][] };
  try {
    raw = JSON.parse(text);
  } catch (error) {
    throw new UnreadableRecord(`${where} holds no JSON: ${String(error)}`);
  }
  if (raw?.v !== RECORD_VERSION) {
    throw new UnreadableRecord(
      `${where} holds a record of version ${String(raw?.v)}; this Holdfast reads version ${RECORD_VERSION}`,
    );
  }
  if (raw.kind === 'turn' && Array.isArray(raw.cascades)) {
    const { before = [], ...turn } = raw;
    const cascades = raw.cascades.map(([correlation, ...events], i): Cascade => {
      const cascade = { correlation, events: events.map(unpackEvent) };
      const known = before[i];
      return known === undefined || known.length === 0 ? cascade : { ...cascade, before: known.map(unpackFacts) };
    });
    return { ...(turn as unknown as TurnRecord), cascades };
  }
  if (raw.kind === 'seal' || raw.kind === 'claims') return raw as unknown as SealRecord | ClaimsRecord;
  throw new UnreadableRecord(`${where} holds a record of the unknown kind ${String(raw.kind)}`);
}
