/**
 * The numbers of orders by day, status, product and currency (`order_stats`), as the flush keeps them.
 *
 * Law: the statement that writes an order's row adds one row to `order_stats_queue` for what it changed, and nothing for
 * rows that its guards skipped. So a replay, a repeat and a take-over count nothing twice. Queue rows are only ever
 * added, so flushes of several nodes never wait for one another. storage/lists/order-numbers.ts adds the queue up.
 *
 *  - Rows known to be new are added up here: nothing is taken off for them.
 *  - For other rows Postgres adds up (`RECOUNTED`): only it knows which rows were written, and what they were before.
 */
import { DEFAULT_CURRENCY, decimalText } from '../../actors/money.js';
import type { OrderState } from '../../actors/order/order.js';
import { isSold, SOLD, statusOf } from '../../actors/order/transitions.js';
import { type Column, encode, names, plain, texts, unnest, values } from '../postgres/column-arrays.js';
import type { Parameter } from '../postgres/postgres.js';
import { IF_OPEN } from './journal-lock.js';

/** The SQL condition on a status. Only sold orders count as revenue. */
export const IS_SOLD = `in (${SOLD.map((status) => `'${status}'`).join(', ')})`;

/** What the stored row counts as. An overwritten row keeps it in `stats_before`; a new row has ''. */
export const COUNTED_AS = `orders.status || ' ' || coalesce(orders.reason, '') || ' ' || coalesce(orders.currency, '')`;

// ---------------------------------------------------------------- rows known to be new

interface Group {
  readonly day: string;
  readonly currency: string;
  readonly status: string;
  readonly reason: string;
  readonly products: Map<string, Sums>;
}

interface Sums {
  readonly product: string;
  orders: number;
  containing: number;
  units: number;
  /** Minor units. */
  revenue: number;
}

const numbers = (of: (sums: Sums) => number | string) => (group: Group) => plain([...group.products.values()], of);

const STATS: readonly Column<Group>[] = [
  { name: 'day', type: 'word', as: 'r.day::date', of: ({ day }) => day },
  { name: 'currency', type: 'text', of: ({ currency }) => currency },
  { name: 'status', type: 'word', of: ({ status }) => status },
  { name: 'reason', type: 'text', of: ({ reason }) => reason },
  { name: 'products', type: 'text', of: ({ products }) => texts([...products.values()], ({ product }) => product) },
  { name: 'orders', type: 'word', of: numbers(({ orders }) => orders) },
  { name: 'containing', type: 'word', of: numbers(({ containing }) => containing) },
  { name: 'units', type: 'word', of: numbers(({ units }) => units) },
  {
    name: 'revenue',
    type: 'word',
    of: (group) =>
      numbers(({ revenue }) => (revenue === 0 ? 0 : decimalText(revenue, group.currency || DEFAULT_CURRENCY)))(group),
  },
];

/** @param at the number of the first parameter. */
export const counted = (at: number): string =>
  `insert into order_stats_queue (${names(STATS)}) select ${values(STATS)} from ${unnest(STATS, at)} where ${IF_OPEN}`;

/** @param orders those with rows known to be new. */
export const countedParameters = (orders: Iterable<OrderState>): Parameter[] => encode(STATS, groupsOf(orders));

const DAY_MS = 86_400_000;

function groupsOf(orders: Iterable<OrderState>): Group[] {
  const groups = new Map<string, Group>();
  for (const order of orders) {
    const { currency = '', reason = '', createdAt, phase, lines } = order;
    const status = statusOf(phase);
    const dayNo = Math.floor(createdAt / DAY_MS);
    const key = `${dayNo} ${status} ${reason} ${currency}`;
    let group = groups.get(key);
    if (group === undefined) {
      const day = new Date(dayNo * DAY_MS).toISOString().slice(0, 10);
      group = { day, currency, status, reason, products: new Map() };
      groups.set(key, group);
    }
    const counts = isSold(status);
    let isFirst = true;
    for (const { product, quantity, unitPrice = 0 } of lines) {
      add(group.products, product, isFirst, quantity, counts ? unitPrice * quantity : 0);
      isFirst = false;
    }
  }
  return [...groups.values()];
}

function add(products: Group['products'], product: string, isFirst: boolean, units: number, revenue: number): void {
  const sums = products.get(product);
  if (sums === undefined) {
    products.set(product, { product, orders: isFirst ? 1 : 0, containing: 1, units, revenue });
    return;
  }
  // What a double cannot hold exactly begins a row of its own. The former one stays, under a key that no product has.
  if (!Number.isSafeInteger(sums.revenue + revenue)) {
    products.set(`\0${products.size}`, sums);
    products.delete(product);
    add(products, product, isFirst, units, revenue);
    return;
  }
  if (isFirst) sums.orders++;
  sums.containing++;
  sums.units += units;
  sums.revenue += revenue;
}

// ---------------------------------------------------------------- rows that may be there

/**
 * What the rows of `changed` count as now, less what they counted as before.
 * @param items the rows of their items, as a table `r`.
 */
export const recounted = (items: string): string => `insert into order_stats_queue (${names(STATS)})
  select day, currency, status, reason, array_agg(product_id)::text, array_agg(orders)::text,
    array_agg(containing)::text, array_agg(units)::text, array_agg(revenue)::text
  from (
    select c.day, c.currency, c.status, c.reason, r.product_id,
      sum(case when r.line = 1 then c.sign else 0 end) as orders, sum(c.sign) as containing,
      sum(c.sign * r.quantity) as units,
      sum(case when c.status ${IS_SOLD} then c.sign * coalesce(r.subtotal, 0) else 0 end) as revenue
    from (
      select order_id, (created_at at time zone 'UTC')::date as day, v.*
      from (select *, ${COUNTED_AS.replaceAll('orders.', '')} as stats_now from changed) written
        cross join lateral (values
          (1, status, coalesce(reason, ''), coalesce(currency, '')),
          (-1, split_part(stats_before, ' ', 1), split_part(stats_before, ' ', 2), split_part(stats_before, ' ', 3))
        ) as v(sign, status, reason, currency)
      where stats_before <> stats_now and (v.sign = 1 or stats_before <> '')) c
    join ${items} on r.order_id = c.order_id
    group by 1, 2, 3, 4, 5) delta
  group by 1, 2, 3, 4`;
