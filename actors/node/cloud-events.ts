/**
 * The public events: each event of a turn as one CloudEvents 1.0 event in JSON (cloudevents.io).
 *
 * Law: the text is a function of the journal alone. So every node that publishes a turn publishes the same bytes, and an
 * event always has the same id: `<kind>/<actor id>/<version>`. A type ends in a version; its data changes only by
 * addition. Fields have the names of the REST API. An amount is a decimal of the currency beside it.
 *
 * The JSON is written by hand, because this code runs for every event of every order. Free text goes through
 * JSON.stringify; the rest are our own words and numbers.
 */
import { flat } from '../flat-text.js';
import type { Address } from '../ids.js';
import { amountText } from '../money.js';
import type { ActorEvent, HoldAnswer, Line, OrderEvent, ProductEvent, Shortage } from '../protocol.js';
import { quoted } from '../quoted-text.js';
import { MOST_BYTES_OF_ONE } from './message-room.js';
import type { Cascade, TurnRecord } from './record.js';

/** Ends an event log: a batch without events. No turn publishes an empty batch. */
export const EVENTS_SEAL = '[]';

/** A turn's events in order, as one JSON array; empty text when the turn has no events. */
export function eventBatch(turn: Pick<TurnRecord, 'at' | 'cascades'>, source: string): string {
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
export const eventFrame = (at: number, source: string): EventFrame => ({
  types: typesOf(source),
  time: flat(',"time":"', new Date(at).toISOString(), '","datacontenttype":"application/json","correlationid":'),
});

/** By the event's type: the text from the source to the subject. */
interface Types {
  readonly source: string;
  readonly quotedSource: string;
  readonly order: { readonly [T in OrderEvent['type']]: string };
  readonly product: { readonly [T in ProductEvent['type']]: string };
}

/** The types of the last source: a process has only one. */
let types: Types | undefined;

function typesOf(source: string): Types {
  if (types?.source === source) return types;
  const quotedSource = JSON.stringify(source);
  const named = <T extends string>(fields: { readonly [type in T]: unknown }, prefix: string) =>
    Object.fromEntries(
      (Object.keys(fields) as T[]).map((type) => [
        type,
        flat('","source":', quotedSource, ',"type":"', prefix, type, '.v1","subject":'),
      ]),
    ) as { [type in T]: string };
  types = { source, quotedSource, order: named(orderFields, 'order.'), product: named(productFields, 'inventory.') };
  return types;
}

/** One cascade's events with commas between. A caller collects a turn cascade by cascade. */
export function cascadeEvents({ correlation, events }: Cascade, frame: EventFrame): string {
  const abouts: About[] = [];
  let about: About | undefined;
  let text = '';
  for (const { of, version, event } of events) {
    if (about?.id !== of.id || about.kind !== of.kind) {
      about = abouts.find(({ id, kind }) => id === of.id && kind === of.kind);
      if (about === undefined) {
        about = aboutOf(of, correlation, frame);
        if (abouts.length < ABOUTS) abouts.push(about);
      }
    }
    const { order, product } = frame.types;
    const isOrder = of.kind === 'order';
    const type = isOrder ? order[event.type as OrderEvent['type']] : product[event.type as ProductEvent['type']];
    const data = isOrder ? orderData(event as OrderEvent) : productData(event as ProductEvent);
    const one = `${about.head}${version}${type}${about.rest}${data}}}`;
    text = text === '' ? one : `${text},${one}`;
  }
  return text;
}

/** Size of an event's envelope without the parts that differ. */
const ENVELOPE_BYTES = 320;
/** Field names and amounts take at most this many times the space they take in the journal. */
const LONGER = 2;

/** An upper bound of the bytes of one cascade's events in UTF-8, without writing them. */
export function mostEventBytes(
  cascade: { readonly correlation: string; readonly events: readonly (Pick<ActorEvent, 'of'> & { json: string })[] },
  { types }: EventFrame,
): number {
  const each = ENVELOPE_BYTES + MOST_BYTES_OF_ONE * (types.quotedSource.length + quoted(cascade.correlation).length);
  let bytes = 0;
  for (const { of, json } of cascade.events)
    bytes += each + MOST_BYTES_OF_ONE * (3 * quoted(of.id).length + LONGER * json.length);
  return bytes;
}

/** The texts that all events of one actor in one cascade share: before the version, and from the subject on. */
interface About extends Pick<Address, 'kind' | 'id'> {
  readonly head: string;
  readonly rest: string;
}

/** Most actors of a cascade whose texts are kept: the search for them is linear. */
const ABOUTS = 8;

function aboutOf({ kind, id }: Address, correlation: string, { time }: EventFrame): About {
  const name = quoted(id);
  return {
    kind,
    id,
    head: flat('{"specversion":"1.0","id":"', kind, '/', name.slice(1, -1), '/'),
    rest: flat(
      name,
      time,
      quoted(correlation),
      kind === 'order' ? ',"data":{"order_id":' : ',"data":{"product_id":',
      name,
    ),
  };
}

// ---------------------------------------------------------------- data, a row a type

type Fields<Event extends { type: string }> = {
  readonly [T in Event['type']]: (event: Extract<Event, { type: T }>) => string;
};

/** Each row continues `{"order_id":"..."`. */
const orderFields: Fields<OrderEvent> = {
  placed: ({ content }) =>
    `,"user_id":${userText(content.user, content.userIsNumber)},"items":${list(content.lines, lineText)}` +
    optional('currency', content.currency) +
    optional('user_email', content.email) +
    optional('shipping_address', content.shippingAddress) +
    optional('billing_address', content.billingAddress) +
    optional('notes', content.notes) +
    optional('payment_method', content.paymentMethod),
  answered: ({ answers }) => `,"answers":${list(answers, answerText)}`,
  held: ({ answers, currency, total }) =>
    `,"total_amount":${amountText(total, currency)},"currency":${quoted(currency)},"answers":${list(answers, answerText)}`,
  late_sent: () => '',
  hold_extended: () => '',
  paid: ({ captured }) => `,"payment_status":"${captured ? 'paid' : 'authorized'}"`,
  confirmed: () => '',
  captured: () => ',"payment_status":"paid"',
  capture_failed: () => ',"payment_status":"failed"',
  failed: ({ reason, answers, shortages, voidOwed }) =>
    `,"reason":"${reason}","details":${list(shortages, shortageText)},"answers":${list(answers, answerText)},"void_owed":${voidOwed}`,
  voided: () => ',"payment_status":"voided"',
  cancelled: ({ was, reason, voidOwed }) => `,"was":"${was}"${optional('reason', reason)},"void_owed":${voidOwed}`,
  stock_arrived: ({ lines }) => items(lines),
  shipped: ({ id, lines, tracking, carrier }) =>
    `,"fulfillment_id":${quoted(id)}${items(lines)}${optional('tracking_id', tracking)}${optional('carrier', carrier)}`,
  delivered: ({ ids }) => `,"fulfillment_ids":${list(ids, quoted)}`,
  return_requested: ({ id, lines, reason }) => `,"return_id":${quoted(id)}${items(lines)}${optional('reason', reason)}`,
  return_received: ({ id, restocked }) => `,"return_id":${quoted(id)},"restocked":${restocked}`,
  refund_requested: ({ id, minor, currency, returned, reason }) =>
    `,"refund_id":${quoted(id)},"amount":${amountText(minor, currency)},"currency":${quoted(currency)}${optional('return_id', returned)}${optional('reason', reason)}`,
  refunded: ({ id }) => `,"refund_id":${quoted(id)}`,
  refund_failed: ({ id }) => `,"refund_id":${quoted(id)}`,
  act_answered: ({ refused }) => optional('refused', refused),
};

/** Each row continues `{"product_id":"..."`. */
const productFields: Fields<ProductEvent> = {
  received: ({ ref, name, unitPrice, currency, quantity }) =>
    `,"quantity":${quantity},"name":${JSON.stringify(name)},"unit_price":${amountText(unitPrice, currency)},` +
    `"currency":${quoted(currency)},"ref":${JSON.stringify(ref)}`,
  adjusted: ({ ref, delta, reason }) =>
    `,"delta":${delta},"reason":${JSON.stringify(reason)},"ref":${JSON.stringify(ref)}`,
  held: moved,
  released: moved,
  committed: moved,
  returned: moved,
  backordered: moved,
  unbackordered: moved,
};

// ---------------------------------------------------------------- machinery

const orderData = (event: OrderEvent): string => (orderFields[event.type] as (event: OrderEvent) => string)(event);
const productData = (event: ProductEvent): string =>
  (productFields[event.type] as (event: ProductEvent) => string)(event);

function moved({ order, quantity }: { readonly order: string; readonly quantity: number }): string {
  return `,"order_id":${quoted(order)},"quantity":${quantity}`;
}

function list<T>(items: readonly T[], text: (item: T) => string): string {
  let all = '';
  for (const item of items) all += (all === '' ? '' : ',') + text(item);
  return `[${all}]`;
}

const items = (lines: readonly Line[]): string => `,"items":${list(lines, lineText)}`;

const lineText = ({ product, quantity }: Line): string => `{"product_id":${quoted(product)},"quantity":${quantity}}`;

const shortageText = ({ product, asked, available }: Shortage): string =>
  `{"product_id":${quoted(product)},"asked":${asked},"available":${available}}`;

function answerText(answer: HoldAnswer): string {
  const head = `{"product_id":${quoted(answer.product)},"answer":"${answer.answer}"`;
  if (answer.answer === 'held') {
    const { unitPrice, currency, backordered } = answer;
    const waits = backordered === undefined ? '' : `,"backordered":${backordered}`;
    return `${head},"unit_price":${amountText(unitPrice, currency)},"currency":${quoted(currency)}${waits}}`;
  }
  if (answer.answer === 'unknown') return `${head}}`;
  const { available, unitPrice, currency } = answer;
  const price =
    unitPrice === undefined || currency === undefined
      ? ''
      : `,"unit_price":${amountText(unitPrice, currency)},"currency":${quoted(currency)}`;
  return `${head},"available":${available}${price}}`;
}

/** The user id in the JSON type that the client sent: number or text. */
const userText = (user: string, isNumber: boolean): string =>
  isNumber && /^-?(0|[1-9]\d*)$/.test(user) ? user : quoted(user);

const optional = (name: string, value: unknown): string =>
  value === undefined ? '' : `,"${name}":${JSON.stringify(value)}`;
