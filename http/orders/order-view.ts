/**
 * The JSON of an order, the same in the answer to its POST, to a GET and in lists. It is concatenated by hand, because
 * it is the largest part of the hottest answer. The characters `"order_id":"` occur in it exactly once: quotes in user
 * text are escaped, so user text cannot imitate them.
 */

import { withoutTrace } from '../../actors/correlation.js';
import { limits } from '../../actors/limits.js';
import { amountText, DEFAULT_CURRENCY } from '../../actors/money.js';
import { minorOfCost } from '../../actors/order/imported-order.js';
import { type Life, NO_LIFE, type OrderState, type Refund, revision } from '../../actors/order/order.js';
import { fulfillmentStatusOf, paymentStatusOf, statusOf, trackingOf } from '../../actors/order/transitions.js';
import type { HistoryRow } from '../../actors/ports/snapshot-rows.js';
import type { HoldAnswer, Json, Line, OrderEvent } from '../../actors/protocol.js';

const quote = JSON.stringify;

/** A strong ETag: two texts of an order at the same version are equal. */
export const entityTag = (state: OrderState): string => `"${revision(state)}"`;

/** The versions that the tags name. A tag that no order can have, such as "04", names none. */
export const versionsOf = (tags: readonly string[]): number[] =>
  tags.filter((tag) => /^"[1-9]\d{0,14}"$/.test(tag)).map((tag) => Number(tag.slice(1, -1)));

/** Unknown values are absent: prices and the currency until products answer, the total until all lines are held. */
export function orderJson(state: OrderState): string {
  const { content } = state;
  const id = quote(state.id);
  const { currency, total } = state;
  const created = isoTime(state.createdAt);
  let text = `{"id":${id},"order_id":${id},"user_id":${content.userIsNumber ? content.user : quote(content.user)}`;
  if (content.email !== undefined) text += `,"user_email":${quote(content.email)}`;
  text += `,"status":"${statusOf(state.phase)}"`;
  if (state.reason !== undefined) text += `,"reason":"${state.reason}"`;
  text += `,"payment_status":"${paymentStatusOf(state)}","fulfillment_status":"${fulfillmentStatusOf(state)}"`;
  if (currency !== undefined) {
    if (total !== undefined) text += `,"total_amount":${amountText(total, currency)}`;
    text += `,"currency":"${currency}"`;
  }
  if (content.shippingAddress !== undefined) text += `,"shipping_address":${addressJson(content.shippingAddress)}`;
  if (content.billingAddress !== undefined) text += `,"billing_address":${addressJson(content.billingAddress)}`;
  if (content.notes !== undefined) text += `,"notes":${quote(content.notes)}`;
  text += ',"order_items":';
  text += linesJson(state, id);
  if (state.life !== NO_LIFE) text += lifeJson(state);
  return `${text},"created_at":"${created}","updated_at":"${state.updatedAt === state.createdAt ? created : isoTime(state.updatedAt)}"}`;
}

/** The lines of an order, as `order_items` shows them. */
export function linesJson(state: OrderState, id = quote(state.id)): string {
  const { currency } = state;
  let text = '[';
  for (let i = 0; i < state.lines.length; i++) {
    const line = state.lines[i];
    if (line === undefined) break;
    if (i > 0) text += ',';
    text += `{"id":${id.slice(0, -1)}-${i + 1}","product_id":${quote(line.product)},"quantity":${line.quantity}`;
    if (line.unitPrice !== undefined && currency !== undefined) {
      const subtotal = line.unitPrice * line.quantity;
      text += `,"unit_price":${amountText(line.unitPrice, currency)}`;
      if (subtotal <= limits.amountMinor) text += `,"subtotal":${amountText(subtotal, currency)}`;
    }
    text += line.backordered > 0 ? `,"backordered":${line.backordered}}` : '}';
  }
  return `${text}]`;
}

/** The same JSON value without the characters that must occur only once in a reply. */
const addressJson = (address: Json): string => quote(address).replaceAll('"order_id":"', '"\\u006frder_id":"');

/** The life of the order after its outcome. Empty lists are absent. */
function lifeJson({ life, currency = DEFAULT_CURRENCY }: OrderState): string {
  const shown: { [name: string]: unknown } = {};
  const tracking = trackingOf(life);
  if (tracking !== undefined) shown.tracking_id = tracking;
  if (life.cancelled?.reason !== undefined) shown.cancel_reason = life.cancelled.reason;
  if (life.fulfillments.length > 0) {
    shown.fulfillments = life.fulfillments.map(({ id, lines, tracking, carrier, shippedAt, deliveredAt }) => ({
      id,
      status: deliveredAt === undefined ? 'shipped' : 'delivered',
      lines: lines.map(shownLine),
      ...(tracking !== undefined && { tracking_id: tracking }),
      ...(carrier !== undefined && { carrier }),
      shipped_at: isoTime(shippedAt),
      ...(deliveredAt !== undefined && { delivered_at: isoTime(deliveredAt) }),
    }));
  }
  if (life.returns.length > 0) {
    shown.returns = life.returns.map(({ id, status, lines, reason, restocked, requestedAt }) => ({
      id,
      status,
      lines: lines.map(shownLine),
      ...(reason !== undefined && { reason }),
      ...(restocked !== undefined && { restocked }),
      requested_at: isoTime(requestedAt),
    }));
  }
  if (life.imported !== undefined) shown.imported = shownImport(life.imported);
  let text = quote(shown).slice(1, -1);
  const shipping = life.imported?.shipping && minorOfCost(life.imported.shipping, currency);
  if (shipping !== undefined) text += `,"shipping_cost":${amountText(shipping, currency)}`;
  if (life.refunds.length > 0) {
    const refunds = life.refunds.map((refund) => refundJson(refund, currency)).join(',');
    text += `${text === '' ? '' : ','}"refunds":[${refunds}]`;
  }
  return text === '' ? '' : `,${text}`;
}

const shownImport = ({ origin, placedAt, shipping, items, differed }: NonNullable<Life['imported']>) => ({
  origin,
  ...(placedAt !== undefined && { placed_at: isoTime(placedAt) }),
  ...(shipping !== undefined && { shipping }),
  ...(items !== undefined && {
    items: items.map(({ cost, ...line }) => ({ ...shownLine(line), ...(cost !== undefined && { cost }) })),
  }),
  ...(differed !== undefined && { differed }),
});

function refundJson({ id, minor, status, returned, reason, requestedAt }: Refund, currency: string): string {
  const rest = quote({
    ...(returned !== undefined && { return_id: returned }),
    ...(reason !== undefined && { reason }),
    requested_at: isoTime(requestedAt),
  });
  return `{"id":${quote(id)},"status":"${REFUND_STATUS[status]}","amount":${amountText(minor, currency)},${rest.slice(1)}`;
}

const REFUND_STATUS = { owed: 'pending', done: 'refunded', failed: 'failed' } as const;

const shownLine = ({ product, quantity }: Line) => ({ product_id: product, quantity });

let lastMs = Number.NaN;
let lastIso = '';

/** All orders of a turn have the same time, so its text is made once. */
export function isoTime(ms: number): string {
  if (ms !== lastMs) {
    lastIso = new Date(ms).toISOString();
    lastMs = ms;
  }
  return lastIso;
}

export const historyJson = ({ event, version, at, correlation }: HistoryRow): string =>
  `{"event":"${event.type}","version":${version},"time":"${isoTime(at)}","correlation_id":${quote(withoutTrace(correlation))},"data":${shownData(event)}}`;

/** The part of an event that clients see: amounts as decimals, and nothing about the request behind it. */
function shownData(event: OrderEvent): string {
  switch (event.type) {
    case 'answered':
      return `{"items":${shownAnswers(event)}}`;
    case 'held': {
      const { total, currency } = event;
      return `{"total_amount":${amountText(total, currency)},"currency":${quote(currency)},"items":${shownAnswers(event)}}`;
    }
    case 'refund_requested': {
      const { id, minor, currency, returned, reason } = event;
      const rest = quote({
        ...(returned !== undefined && { return_id: returned }),
        ...(reason !== undefined && { reason }),
      });
      const more = rest === '{}' ? '' : `,${rest.slice(1, -1)}`;
      return `{"refund_id":${quote(id)},"amount":${amountText(minor, currency)}${more}}`;
    }
    default:
      return quote(shownWords(event));
  }
}

type WithAmounts = 'answered' | 'held' | 'refund_requested';

function shownWords(event: Exclude<OrderEvent, { type: WithAmounts }>): object {
  switch (event.type) {
    case 'placed':
      return { items: event.content.lines.map((line) => ({ product_id: line.product, quantity: line.quantity })) };
    case 'imported':
      return { origin: event.facts.origin, items: event.content.lines.map(shownLine) };
    case 'import_differed':
      return { fields: event.fields };
    case 'paid':
      return { captured: event.captured };
    case 'failed':
      return {
        reason: event.reason,
        ...(event.shortages.length > 0 && {
          details: event.shortages.map((s) => ({ product_id: s.product, asked: s.asked, available: s.available })),
        }),
      };
    case 'cancelled':
      return { was: event.was, ...(event.reason !== undefined && { reason: event.reason }) };
    case 'stock_arrived':
      return { items: event.lines.map(shownLine) };
    case 'shipped':
      return {
        fulfillment_id: event.id,
        items: event.lines.map(shownLine),
        ...(event.tracking !== undefined && { tracking_id: event.tracking }),
        ...(event.carrier !== undefined && { carrier: event.carrier }),
      };
    case 'delivered':
      return { fulfillment_ids: event.ids };
    case 'return_requested':
      return {
        return_id: event.id,
        items: event.lines.map(shownLine),
        ...(event.reason !== undefined && { reason: event.reason }),
      };
    case 'return_received':
      return { return_id: event.id, restocked: event.restocked };
    case 'refunded':
    case 'refund_failed':
      return { refund_id: event.id };
    case 'act_answered':
      return event.refused === undefined ? {} : { refused: event.refused };
    case 'late_sent':
    case 'hold_extended':
    case 'confirmed':
    case 'captured':
    case 'capture_failed':
    case 'voided':
    case 'forgotten':
      return {};
  }
}

const shownAnswers = ({ answers }: Extract<OrderEvent, { type: 'held' | 'answered' }>): string =>
  `[${answers.map(shownAnswer).join(',')}]`;

function shownAnswer(a: HoldAnswer): string {
  const head = `{"product_id":${quote(a.product)},"answer":"${a.answer}"`;
  if (a.answer === 'held') return `${head},"unit_price":${amountText(a.unitPrice, a.currency)}}`;
  if (a.answer === 'unknown') return `${head}}`;
  const { available, unitPrice, currency } = a;
  const price =
    unitPrice === undefined || currency === undefined ? '' : `,"unit_price":${amountText(unitPrice, currency)}`;
  return `${head},"available":${available}${price}}`;
}
