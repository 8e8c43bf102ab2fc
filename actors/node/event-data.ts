/**
 * The `data` of each public event, a row a type. What each field means is in actors/events/event-types.ts.
 *
 * Fields have the names of the REST API. An amount is a decimal of the currency beside it, and once more a whole number of
 * minor units, under the same name with `_minor`. Free text goes through JSON.stringify; the rest are our own words and
 * numbers.
 */
import { amountText } from '../money.js';
import { NO_USER } from '../order/imported-order.js';
import type { HoldAnswer, ImportedItem, Json, Line, OrderEvent, ProductEvent, Shortage } from '../protocol.js';
import { quoted } from '../quoted-text.js';
import type { OrderFacts, PricedLine } from './event-facts.js';
import { MOST_BYTES_OF_ONE } from './message-room.js';

/**
 * What follows `"order_id":"..."` in each event of an order: whose it is, and its total. Unknown facts are absent.
 * @param pieces grows; texts that many events share are joined once
 */
export function addLead(pieces: string[], { user, currency, total }: OrderFacts): void {
  if (user !== undefined && user !== NO_USER) pieces.push(',"user_id":', quoted(user));
  if (currency === undefined) return;
  pieces.push(',"currency":', quoted(currency));
  if (total !== undefined) pieces.push(',"total_amount":', amountText(total, currency), ',"total_minor":', `${total}`);
}

/** All lines of the order. */
export function addItems(pieces: string[], { lines, currency }: OrderFacts): void {
  if (lines !== undefined) addLines(pieces, lines, lines, currency);
}

/** The lines of an event that is about a part of the order, with the prices that the order's lines have. */
export function partText(part: readonly Line[], { lines, currency }: OrderFacts): string {
  const pieces: string[] = [];
  addLines(pieces, part, lines, currency);
  return pieces.join('');
}

function addLines(
  pieces: string[],
  part: readonly Line[],
  lines: readonly PricedLine[] | undefined,
  currency: string | undefined,
): void {
  let before = ',"items":[{"product_id":';
  for (const line of part) {
    const { product, quantity } = line;
    const unitPrice = (part === lines ? (line as PricedLine) : lines?.find((each) => each.product === product))
      ?.unitPrice;
    pieces.push(before, quoted(product), `,"quantity":${quantity}`);
    if (unitPrice !== undefined && currency !== undefined) {
      pieces.push(`,"unit_price":${amountText(unitPrice, currency)}`, `,"unit_price_minor":${unitPrice}`);
    }
    before = '},{"product_id":';
  }
  pieces.push(part.length === 0 ? ',"items":[]' : '}]');
}

type Fields<Event extends { type: string }, Facts> = {
  readonly [T in Event['type']]: (event: Extract<Event, { type: T }>, facts: Facts, isPersonal: boolean) => string;
};

/** Each row continues the order's lead and the items. The facts are those before the event. */
export const ORDER_DATA: Fields<OrderEvent, OrderFacts> = {
  placed: ({ content }, _, isPersonal) =>
    optional('payment_method', content.paymentMethod) +
    (isPersonal
      ? optional('user_email', content.email) +
        optional('shipping_address', addressOf(content.shippingAddress)) +
        optional('billing_address', addressOf(content.billingAddress)) +
        optional('notes', content.notes)
      : ''),
  imported: ({ content, facts: { origin, placedAt, tracking, shipping, items } }, _, isPersonal) =>
    optional('origin', origin) +
    optional('placed_at', placedAt === undefined ? undefined : new Date(placedAt).toISOString()) +
    optional('tracking_id', tracking) +
    optional('shipping', shipping) +
    optional('exact_items', items?.map(exactItem)) +
    (isPersonal
      ? optional('user_email', content.email) + optional('shipping_address', addressOf(content.shippingAddress))
      : ''),
  import_differed: ({ fields }) => `,"fields":${list(fields, quoted)}`,
  answered: ({ answers }) => `,"answers":${list(answers, answerText)}`,
  held: ({ answers }) => `,"answers":${list(answers, answerText)}`,
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
  stock_arrived: () => '',
  shipped: ({ id, tracking, carrier }) =>
    `,"fulfillment_id":${quoted(id)}${optional('tracking_id', tracking)}${optional('carrier', carrier)}`,
  delivered: ({ ids }) => `,"fulfillment_ids":${list(ids, quoted)}`,
  return_requested: ({ id, reason }) => `,"return_id":${quoted(id)}${optional('reason', reason)}`,
  return_received: ({ id, restocked }) => `,"return_id":${quoted(id)},"restocked":${restocked}`,
  refund_requested: ({ id, minor, currency, returned, reason }) =>
    `,"refund_id":${quoted(id)}${amount('amount', minor, currency)}${optional('return_id', returned)}${optional('reason', reason)}`,
  refunded: ({ id }, facts) => refundText(id, facts),
  refund_failed: ({ id }, facts) => refundText(id, facts),
  forgotten: () => '',
  act_answered: ({ refused }) => optional('refused', refused),
};

/** Each row continues `"product_id":"..."`; the stock after the event follows. */
export const PRODUCT_DATA: Fields<ProductEvent, undefined> = {
  received: ({ ref, name, unitPrice, currency, quantity }) =>
    `,"quantity":${quantity},"name":${JSON.stringify(name)}${amount('unit_price', unitPrice, currency)},` +
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

export const orderData = (event: OrderEvent, facts: OrderFacts, isPersonal: boolean): string =>
  (ORDER_DATA[event.type] as (event: OrderEvent, facts: OrderFacts, isPersonal: boolean) => string)(
    event,
    facts,
    isPersonal,
  );

export const productData = (event: ProductEvent): string =>
  (PRODUCT_DATA[event.type] as (event: ProductEvent) => string)(event);

/** Names, punctuation and numbers of one line. */
const LINE_BYTES = 120;

/** An upper bound of what `addLead` and `addItems` write of an order at any time. */
export function mostFactsBytes(user: string | undefined, lines: readonly Line[] = []): number {
  let chars = quoted(user ?? '').length;
  for (const { product } of lines) chars += quoted(product).length;
  return MOST_BYTES_OF_ONE * chars + LINE_BYTES * lines.length;
}

// ---------------------------------------------------------------- machinery

function moved({ order, quantity }: { readonly order: string; readonly quantity: number }): string {
  return `,"order_id":${quoted(order)},"quantity":${quantity}`;
}

function list<T>(items: readonly T[], text: (item: T) => string): string {
  let all = '';
  for (const item of items) all += (all === '' ? '' : ',') + text(item);
  return `[${all}]`;
}

const amount = (name: string, minor: number, currency: string): string =>
  `,"${name}":${amountText(minor, currency)},"${name}_minor":${minor}`;

function refundText(id: string, { refunds, currency }: OrderFacts): string {
  const minor = refunds?.find((each) => each.id === id)?.minor;
  const text = `,"refund_id":${quoted(id)}`;
  return minor === undefined || currency === undefined ? text : text + amount('amount', minor, currency);
}

const shortageText = ({ product, asked, available }: Shortage): string =>
  `{"product_id":${quoted(product)},"asked":${asked},"available":${available}}`;

function answerText(answer: HoldAnswer): string {
  const head = `{"product_id":${quoted(answer.product)},"answer":"${answer.answer}"`;
  if (answer.answer === 'held') {
    const { unitPrice, currency, backordered } = answer;
    const waits = backordered === undefined ? '' : `,"backordered":${backordered}`;
    return `${head}${amount('unit_price', unitPrice, currency)},"currency":${quoted(currency)}${waits}}`;
  }
  if (answer.answer === 'unknown') return `${head}}`;
  const { available, unitPrice, currency } = answer;
  const price =
    unitPrice === undefined || currency === undefined
      ? ''
      : `${amount('unit_price', unitPrice, currency)},"currency":${quoted(currency)}`;
  return `${head},"available":${available}${price}}`;
}

const exactItem = ({ product, quantity, cost }: ImportedItem) => ({
  product_id: product,
  quantity,
  ...(cost !== undefined && { cost }),
});

/** One shape for all: an object as the client sent it; anything else as `{"text": ...}`. */
const addressOf = (address: Json | undefined): Json | undefined =>
  address === undefined || (typeof address === 'object' && address !== null && !Array.isArray(address))
    ? address
    : { text: typeof address === 'string' ? address : JSON.stringify(address) };

const optional = (name: string, value: unknown): string =>
  value === undefined ? '' : `,"${name}":${JSON.stringify(value)}`;
