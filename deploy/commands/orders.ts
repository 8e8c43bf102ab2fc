// `holdfast order` and `holdfast orders`: one order with its history, and lists with the filters of the API.

import { STATUSES } from '../../actors/order/transitions.js';
import { type Command, EXIT, type Given, type Terminal, wholeIn } from './command.js';
import { type History, type Order, type OrderPage, orderLines, orderTable, shown } from './order-lines.js';
import { interrupted } from './place.js';
import { budgetIn, System, TIMEOUT_OPTION } from './system.js';

export const orderCommand: Command = {
  name: 'order',
  summary: 'Show an order, or its history',
  about: 'system',
  arguments: [{ name: 'ID', what: 'such as ORD-4PE9TG5Y4ATA7R877CD86BWVCS' }],
  options: [{ name: '--history', what: 'every event of the order, oldest first' }, TIMEOUT_OPTION],
  examples: [
    { line: 'order ORD-4PE9TG5Y4ATA7R877CD86BWVCS', what: 'as it is now' },
    { line: 'order ORD-4PE9TG5Y4ATA7R877CD86BWVCS --history', what: 'how it came to be' },
  ],
  exits: '0: shown; 1: there is no such order, or it is not yours to see',
  run: showOrder,
};

const LIMIT = 20;
const MOST = 10_000;
const PAGE = 100;
const FILTERS = {
  '--status': 'status',
  '--user': 'user_id',
  '--product': 'product_id',
  '--from': 'from',
  '--to': 'to',
  '--search': 'q',
} as const;

export const ordersCommand: Command = {
  name: 'orders',
  summary: 'List orders, the newest first',
  about: 'system',
  options: [
    { name: '--status', value: 'STATUS', what: 'those that have it now', words: STATUSES },
    { name: '--user', value: 'U', what: 'those of a user' },
    { name: '--product', value: 'ID', what: 'those with a product' },
    { name: '--from', value: 'TIME', what: 'placed at this time or later: 2026-11-21, or 2026-11-21T11:49:34Z' },
    { name: '--to', value: 'TIME', what: 'placed before this time' },
    { name: '--search', value: 'WORDS', what: 'those that have all words in ids, users, products, addresses or notes' },
    { name: '--limit', value: 'N', what: `${LIMIT} if it is left out, ${MOST} at most` },
    TIMEOUT_OPTION,
  ],
  notes: ['All orders, as a file: GET /api/orders/export (API.md).'],
  examples: [
    { line: 'orders --status confirmed --limit 5', what: 'the five newest' },
    { line: 'orders --user ada --json', what: 'a JSON array, for jq' },
  ],
  exits: '0: listed, also if there are none; 1: refused',
  run: listOrders,
};

async function showOrder(given: Given, terminal: Terminal): Promise<number> {
  const system = System.at(terminal, budgetIn(given), interrupted());
  const path = `/api/orders/${encodeURIComponent(given.arguments[0] ?? '')}`;
  if (given.flag('--history')) {
    const { data } = (await system.ask({ path: `${path}/history` })).body as History;
    const rows = data.map(({ time, event, version, data: facts }) => [
      time,
      String(version),
      event,
      JSON.stringify(facts),
    ]);
    terminal.answer(data, shown(['TIME', 'VERSION', 'EVENT', 'DATA'], rows, terminal));
  } else {
    const { data } = (await system.ask({ path })).body as { readonly data: Order };
    terminal.answer(data, orderLines(data, terminal));
  }
  return EXIT.done;
}

async function listOrders(given: Given, terminal: Terminal): Promise<number> {
  const limit = wholeIn('--limit', given.text('--limit') ?? String(LIMIT), 1, MOST);
  const system = System.at(terminal, budgetIn(given), interrupted());
  const query = new URLSearchParams();
  for (const [option, name] of Object.entries(FILTERS)) {
    const value = given.text(option);
    if (value !== undefined) query.set(name, value);
  }
  const orders: Order[] = [];
  let cursor: string | null = null;
  do {
    query.set('limit', String(Math.min(PAGE, limit - orders.length)));
    if (cursor !== null) query.set('cursor', cursor);
    const page = (await system.ask({ path: `/api/orders?${query}` })).body as OrderPage;
    orders.push(...page.data);
    cursor = 'next_cursor' in page.pagination ? page.pagination.next_cursor : null;
    if (limit > PAGE && process.stderr.isTTY) process.stderr.write(`\r${orders.length} orders`);
  } while (cursor !== null && orders.length < limit);
  if (limit > PAGE && process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  terminal.answer(orders, orders.length === 0 ? [] : orderTable(orders, terminal));
  if (orders.length === 0) terminal.say('There are no such orders.');
  else if (cursor !== null) terminal.say(`These are the newest ${orders.length}: --limit shows more.`);
  return EXIT.done;
}
