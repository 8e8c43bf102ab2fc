// Orders and products as lines for people. The types name what is shown of the API's replies.

import type { z } from 'zod';
import { minorDigits } from '../../actors/money.js';
import type { historyReply, orderListReply, orderReply, productListReply } from '../../http/api/reply-schemas.js';
import type { Color, Terminal } from './command.js';
import { onOneLine, tableOf } from './text-table.js';

export type Order = z.output<typeof orderReply>['data'];
export type OrderPage = z.output<typeof orderListReply>;
export type History = z.output<typeof historyReply>;
export type ProductPage = z.output<typeof productListReply>;
export type Product = ProductPage['data'][number];

const COLORS: Readonly<Record<string, Color>> = {
  ...{ confirmed: 'green', shipped: 'green', delivered: 'green', up: 'green', ok: 'green', yes: 'green' },
  ...{ pending: 'yellow', degraded: 'yellow', waiting: 'yellow', cancelled: 'dim', off: 'dim' },
  ...{ failed: 'red', down: 'red', no: 'red' },
};
const WORDS = new RegExp(`(?<=^|  )(${Object.keys(COLORS).join('|')})(?=  |$)`, 'g');

/** A table for this terminal: its head is bold, and words such as `failed` have their colour. */
export function shown(head: readonly string[], rows: readonly (readonly string[])[], terminal: Terminal): string[] {
  const [first = '', ...rest] = tableOf(head, rows, terminal.columns);
  return [terminal.colored('bold', first), ...rest.map((line) => tinted(line, terminal))];
}

export const tinted = (line: string, terminal: Pick<Terminal, 'colored'>): string =>
  line.replace(WORDS, (word) => terminal.colored(COLORS[word] ?? 'dim', word));

const outcomeOf = ({ status, reason }: Order): string => (reason === undefined ? status : `${status} (${reason})`);

const moneyOf = (amount: number | undefined, currency = ''): string =>
  amount === undefined ? '-' : `${numberOf(amount, currency)} ${currency}`.trim();

const numberOf = (amount: number | undefined, currency = ''): string => amount?.toFixed(minorDigits(currency)) ?? '-';

/** One order: what became of it, and its lines. */
export function orderLines(order: Order, terminal: Terminal): string[] {
  const total = moneyOf(order.total_amount, order.currency);
  const head = [order.order_id, outcomeOf(order), order.payment_status, order.fulfillment_status, total].join('  ');
  const rows = order.order_items.map(({ product_id, quantity, unit_price, subtotal, backordered }) => [
    product_id,
    `${quantity}${backordered === undefined ? '' : ` (${backordered} to come)`}`,
    numberOf(unit_price, order.currency),
    numberOf(subtotal, order.currency),
  ]);
  return [
    tinted(head, terminal),
    onOneLine(`user ${order.user_id}, placed ${order.created_at}, changed ${order.updated_at}`),
    ...shown(['PRODUCT', 'QUANTITY', 'PRICE', 'SUBTOTAL'], rows, terminal),
  ];
}

export const orderTable = (orders: readonly Order[], terminal: Terminal): string[] =>
  shown(
    ['ORDER', 'PLACED', 'USER', 'STATUS', 'PAYMENT', 'TOTAL', 'ITEMS'],
    orders.map((order) => [
      ...[order.order_id, order.created_at, String(order.user_id), outcomeOf(order), order.payment_status],
      moneyOf(order.total_amount, order.currency),
      order.order_items.map(({ product_id, quantity }) => `${quantity} ${product_id}`).join(', '),
    ]),
    terminal,
  );

export const productTable = (products: readonly Product[], terminal: Terminal): string[] =>
  shown(
    ['PRODUCT', 'AVAILABLE', 'HELD', 'ON HAND', 'BACKORDERED', 'PRICE', 'NAME'],
    products.map((product) => [
      product.product_id,
      ...[product.available, product.held, product.on_hand, product.backordered].map(String),
      moneyOf(product.unit_price, product.currency),
      product.name,
    ]),
    terminal,
  );
