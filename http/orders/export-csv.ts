/**
 * An order as a row of CSV (RFC 4180), its lines as JSON in the last cell.
 *
 * Law: a spreadsheet must not run what a client wrote. A text that begins with = + - @, a tab or a line end gets an
 * apostrophe in front, and every such cell is quoted.
 */

import { amountText } from '../../actors/money.js';
import type { OrderState } from '../../actors/order/order.js';
import { fulfillmentStatusOf, paymentStatusOf, statusOf, trackingOf } from '../../actors/order/transitions.js';
import type { Json } from '../../actors/protocol.js';
import { isoTime, linesJson } from './order-view.js';

type Cell = readonly [name: string, of: (state: OrderState) => string | undefined];

const CELLS: readonly Cell[] = [
  ['order_id', ({ id }) => id],
  ['user_id', ({ content }) => content.user],
  ['user_email', ({ content }) => content.email],
  ['status', ({ phase }) => statusOf(phase)],
  ['reason', ({ reason }) => reason],
  ['payment_status', paymentStatusOf],
  ['fulfillment_status', fulfillmentStatusOf],
  [
    'total_amount',
    ({ total, currency }) => (total === undefined || currency === undefined ? undefined : amountText(total, currency)),
  ],
  ['currency', ({ currency }) => currency],
  ['shipping_address', ({ content }) => addressText(content.shippingAddress)],
  ['billing_address', ({ content }) => addressText(content.billingAddress)],
  ['notes', ({ content }) => content.notes],
  ['tracking_id', ({ life }) => trackingOf(life)],
  ['created_at', ({ createdAt }) => isoTime(createdAt)],
  ['updated_at', ({ updatedAt }) => isoTime(updatedAt)],
  ['order_items', (state) => linesJson(state)],
];

export const CSV_HEADER = `${CELLS.map(([name]) => name).join(',')}\r\n`;

export function csvRow(state: OrderState): string {
  let row = '';
  for (const [, of] of CELLS) row += `${row === '' ? '' : ','}${cell(of(state))}`;
  return `${row}\r\n`;
}

// ---------------------------------------------------------------- machinery

const RISKY = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
const TO_QUOTE = /[",\r\n]|^\s|\s$/;

function cell(text: string | undefined): string {
  if (text === undefined) return '';
  const isRisky = RISKY.test(text);
  if (!isRisky && !TO_QUOTE.test(text)) return text;
  return `"${isRisky ? "'" : ''}${text.replaceAll('"', '""')}"`;
}

const addressText = (address: Json | undefined): string | undefined =>
  address === undefined || typeof address === 'string' ? address : JSON.stringify(address);
