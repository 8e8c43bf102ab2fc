/**
 * What a client sees of an order: the same text in the answer to its POST, to a GET and in lists.
 * It is put together by hand, since it is the largest part of the hottest answer. The characters
 * `"order_id":"` stand in it exactly once: quotes in user text are escaped, so none can fake them.
 */

import { DEFAULT_CURRENCY, toDecimal } from '../actors/money.js';
import type { HistoryRow } from '../actors/node/rows.js';
import type { OrderState, Phase } from '../actors/order.js';
import type { OrderEvent } from '../actors/protocol.js';

export type ShownStatus = 'pending' | 'confirmed' | 'failed';

const STATUS: { readonly [P in Phase]: ShownStatus } = {
  absent: 'pending',
  holding: 'pending',
  charging: 'pending',
  confirmed: 'confirmed',
  failed: 'failed',
};

const quote = JSON.stringify;

/** Amounts are 0 until the lines are held, which is when their prices are known. */
export function orderJson(state: OrderState): string {
  const { content } = state;
  const id = quote(state.id);
  const currency = state.currency ?? content.currency ?? DEFAULT_CURRENCY;
  const created = isoTime(state.createdAt);
  let text = `{"id":${id},"order_id":${id},"user_id":${content.userIsNumber ? content.user : quote(content.user)}`;
  if (content.email !== undefined) text += `,"user_email":${quote(content.email)}`;
  text += `,"status":"${STATUS[state.phase]}"`;
  if (state.reason !== undefined) text += `,"reason":"${state.reason}"`;
  text += `,"payment_status":"${state.payment}","fulfillment_status":"unfulfilled","total_amount":${toDecimal(state.total ?? 0, currency)},"currency":"${currency}"`;
  if (content.shippingAddress !== undefined) text += `,"shipping_address":${quote(content.shippingAddress)}`;
  if (content.billingAddress !== undefined) text += `,"billing_address":${quote(content.billingAddress)}`;
  if (content.notes !== undefined) text += `,"notes":${quote(content.notes)}`;
  text += ',"order_items":[';
  for (let i = 0; i < state.lines.length; i++) {
    const line = state.lines[i];
    if (line === undefined) break;
    const price = line.unitPrice ?? 0;
    if (i > 0) text += ',';
    text += `{"id":${id.slice(0, -1)}-${i + 1}","product_id":${quote(line.product)},"quantity":${line.quantity},"unit_price":${toDecimal(price, currency)},"subtotal":${toDecimal(price * line.quantity, currency)}}`;
  }
  return `${text}],"created_at":"${created}","updated_at":"${state.updatedAt === state.createdAt ? created : isoTime(state.updatedAt)}"}`;
}

let lastMs = Number.NaN;
let lastIso = '';

/** All orders of a turn bear the same time: it is turned into text once. */
export function isoTime(ms: number): string {
  if (ms !== lastMs) {
    lastIso = new Date(ms).toISOString();
    lastMs = ms;
  }
  return lastIso;
}

export const historyJson = ({ event, version, at, correlation }: HistoryRow): string =>
  `{"event":"${event.type}","version":${version},"time":"${isoTime(at)}","correlation_id":${quote(correlation)},"data":${quote(shownData(event))}}`;

/** What an event tells a client: amounts as decimals, nothing of how it was asked for. */
function shownData(event: OrderEvent): object {
  switch (event.type) {
    case 'placed':
      return { items: event.content.lines.map((line) => ({ product_id: line.product, quantity: line.quantity })) };
    case 'answered':
      return { items: shownAnswers(event) };
    case 'held':
      return {
        total_amount: toDecimal(event.total, event.currency),
        currency: event.currency,
        items: shownAnswers(event),
      };
    case 'paid':
      return { captured: event.captured };
    case 'failed':
      return {
        reason: event.reason,
        ...(event.shortages.length > 0 && {
          details: event.shortages.map((s) => ({ product_id: s.product, asked: s.asked, available: s.available })),
        }),
      };
    case 'confirmed':
    case 'captured':
    case 'voided':
      return {};
  }
}

const shownAnswers = ({ answers }: Extract<OrderEvent, { type: 'held' | 'answered' }>): object[] =>
  answers.map((a) => ({
    product_id: a.product,
    answer: a.answer,
    ...(a.answer === 'held' && { unit_price: toDecimal(a.unitPrice, a.currency) }),
    ...(a.answer === 'short' && { available: a.available }),
  }));
