/**
 * The public events: each event of a turn as one CloudEvents 1.0 event in JSON (cloudevents.io).
 *
 * Law: the text is a function of the journal and of the event source, which is the same on every node and after every
 * change of a name. So every node that publishes a turn publishes the same bytes, and an event always has the same id:
 * `<kind>/<actor id>/<version>`. A type ends in a version; its data changes only by addition, and `dataschema` names its
 * schema (actors/events/event-schemas.ts). The rows of `data` are in event-data.ts.
 *
 * The JSON is written by hand, because this code runs for every event of every order.
 */
import { traceOf, withoutTrace } from '../correlation.js';
import { eventType, schemaId } from '../events/event-names.js';
import { flat } from '../flat-text.js';
import type { Address } from '../ids.js';
import type { Stock } from '../product/inventory.js';
import type { ActorEvent, Line, OrderEvent, ProductEvent } from '../protocol.js';
import { quoted } from '../quoted-text.js';
import {
  addItems,
  addLead,
  mostFactsBytes,
  ORDER_DATA,
  orderData,
  PRODUCT_DATA,
  partText,
  productData,
} from './event-data.js';
import {
  type ActorFacts,
  factsAfter,
  NO_STOCK,
  type OrderFacts,
  stockAfter,
  stockText,
  UNKNOWN_ORDER,
} from './event-facts.js';
import { MOST_BYTES_OF_ONE } from './message-room.js';
import type { Cascade, TurnRecord } from './record.js';

/** Ends an event log: a batch without events. No turn publishes an empty batch. */
export const EVENTS_SEAL = '[]';

/** The `source` attribute. As an object: events tell personal data as well (e-mail, addresses, notes). */
export type EventSource = string | { readonly uri: string; readonly isPersonal: boolean };

/** A turn's events in order, as one JSON array; empty text when the turn has no events. */
export function eventBatch(turn: Pick<TurnRecord, 'at' | 'cascades'>, source: EventSource): string {
  const frame = eventFrame(turn.at, source);
  let text = '';
  for (const cascade of turn.cascades) {
    const events = cascadeEvents(cascade, frame);
    if (events !== '') text += (text === '' ? '' : ',') + events;
  }
  return text === '' ? '' : `[${text}]`;
}

/** The texts that all events of a turn share, made once. */
export interface EventFrame {
  readonly types: Types;
  readonly time: string;
}

/** @param at wall clock of the turn, milliseconds. */
export const eventFrame = (at: number, source: EventSource): EventFrame => ({
  types: typesOf(source),
  time: flat(',"time":"', new Date(at).toISOString(), '","datacontenttype":"application/json","correlationid":'),
});

/** By the event's type: the text from the source to the subject. */
interface Types {
  readonly source: EventSource;
  readonly isPersonal: boolean;
  readonly quotedSource: string;
  readonly order: { readonly [T in OrderEvent['type']]: string };
  readonly product: { readonly [T in ProductEvent['type']]: string };
}

/** The types of the last source: a process has only one. */
let types: Types | undefined;

function typesOf(source: EventSource): Types {
  if (types?.source === source) return types;
  const { uri, isPersonal } = typeof source === 'string' ? { uri: source, isPersonal: false } : source;
  const quotedSource = JSON.stringify(uri);
  const named = <T extends string>(kind: Address['kind'], fields: { readonly [type in T]: unknown }) =>
    Object.fromEntries(
      (Object.keys(fields) as T[]).map((event) => {
        const type = eventType(kind, event);
        return [
          event,
          flat('","source":', quotedSource, ',"type":"', type, '","dataschema":"', schemaId(type), '","subject":'),
        ];
      }),
    ) as { [type in T]: string };
  types = {
    source,
    isPersonal,
    quotedSource,
    order: named('order', ORDER_DATA),
    product: named('product', PRODUCT_DATA),
  };
  return types;
}

/** The attribute's value, and after it the trace of a request that is traced (CloudEvents' extension `traceparent`). */
function correlationJson(correlation: string): string {
  const trace = traceOf(correlation);
  if (trace === undefined) return quoted(correlation);
  return `${quoted(withoutTrace(correlation))},"traceparent":${quoted(trace)}`;
}

/** One cascade's events with commas between. A caller collects a turn cascade by cascade. */
export function cascadeEvents({ correlation, events, before }: Cascade, frame: EventFrame): string {
  const { order, product, isPersonal } = frame.types;
  const abouts: About[] = [];
  let about: About | undefined;
  let text = '';
  for (const { of, version, event } of events) {
    if (about?.id !== of.id || about.kind !== of.kind) {
      about = abouts.find(({ id, kind }) => id === of.id && kind === of.kind);
      if (about === undefined) {
        about = new About(of, version, before, correlation, frame);
        abouts.push(about);
      }
    }
    const isOrder = of.kind === 'order';
    const type = isOrder ? order[event.type as OrderEvent['type']] : product[event.type as ProductEvent['type']];
    const data = isOrder ? about.orderData(event as OrderEvent, isPersonal) : about.productData(event as ProductEvent);
    const one = `${about.head}${version}${type}${data}}}`;
    text = text === '' ? one : `${text},${one}`;
  }
  return text;
}

/** Size of an event without its texts: names, punctuation, words and numbers. */
const ENVELOPE_BYTES = 640;
/** Field names and amounts take at most this many times the space they take in the journal. */
const LONGER = 2;

/** An upper bound of the bytes of one cascade's events in UTF-8, without writing them. */
export function mostEventBytes(
  cascade: Omit<Cascade, 'events'> & {
    readonly events: readonly (Pick<ActorEvent, 'of' | 'event'> & { readonly json: string })[];
  },
  { types }: EventFrame,
): number {
  const each =
    ENVELOPE_BYTES + MOST_BYTES_OF_ONE * (types.quotedSource.length + correlationJson(cascade.correlation).length);
  let facts = 0;
  for (const before of cascade.before ?? []) {
    if (before.kind === 'order') facts = Math.max(facts, mostFactsBytes(before.facts.user, before.facts.lines));
  }
  let bytes = 0;
  for (const { of, event, json } of cascade.events) {
    if (event.type === 'placed' || event.type === 'imported')
      facts = Math.max(facts, mostFactsBytes(event.content.user, event.content.lines));
    bytes += each + MOST_BYTES_OF_ONE * (3 * quoted(of.id).length + LONGER * json.length);
    if (of.kind === 'order') bytes += facts;
  }
  return bytes;
}

/** One actor in one cascade: the texts that its events share, and the facts after the last of them. */
class About {
  readonly kind: Address['kind'];
  readonly id: string;
  /** Before the version. */
  readonly head: string;
  /** From the subject on; of an order with all its lines. */
  private rest = '';
  private readonly pieces: readonly string[];
  private order: OrderFacts = UNKNOWN_ORDER;
  private stock: Stock | undefined;

  constructor(
    { kind, id }: Address,
    version: number,
    before: readonly ActorFacts[] | undefined,
    correlation: string,
    { time }: EventFrame,
  ) {
    const name = quoted(id);
    this.kind = kind;
    this.id = id;
    this.head = flat('{"specversion":"1.0","id":"', kind, '/', name.slice(1, -1), '/');
    const field = kind === 'order' ? ',"data":{"order_id":' : ',"data":{"product_id":';
    this.pieces = [name, time, correlationJson(correlation), field, name];
    const known = before?.find((each) => each.id === id && each.kind === kind);
    if (kind === 'product') {
      this.stock = known?.kind === 'product' ? known.facts : version === 1 ? NO_STOCK : undefined;
      this.rest = this.pieces.join('');
    } else if (known?.kind === 'order') this.order = known.facts;
  }

  /** From the subject to the data's last field. */
  orderData(event: OrderEvent, isPersonal: boolean): string {
    const before = this.order;
    const after = factsAfter(before, event);
    if (after !== before || this.rest === '') this.know(after);
    const rest = 'lines' in event ? this.restAbout(event.lines) : this.rest;
    return rest + orderData(event, before, isPersonal);
  }

  productData(event: ProductEvent): string {
    this.stock &&= stockAfter(this.stock, event);
    const text = this.rest + productData(event);
    return this.stock === undefined ? text : text + stockText(this.stock);
  }

  private know(facts: OrderFacts): void {
    const pieces = this.pieces.slice();
    addLead(pieces, facts);
    addItems(pieces, facts);
    this.order = facts;
    this.rest = pieces.join('');
  }

  private restAbout(part: readonly Line[]): string {
    const pieces = this.pieces.slice();
    addLead(pieces, this.order);
    return pieces.join('') + partText(part, this.order);
  }
}
