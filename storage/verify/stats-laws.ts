/**
 * The sums of `order_stats` are what a recount of the orders gives, with what archived orders count for: those by day, with the queue, are of the orders; those by month are of
 * those by day. The statement that writes an order counts it, so this holds in every snapshot. A mistake in an order shows
 * here as well, so these laws are judged only when nothing else is found.
 */
import { OFFENDERS, type SqlLaw } from './sql-laws.js';
import type { Violation } from './verdict.js';

export const SUMS = ['orders', 'containing', 'units', 'revenue'] as const;

const summed = SUMS.map((name) => `sum(${name}) as ${name}`).join(', ');

const BY_PRODUCT = `select product_id, day, currency, status, reason, ${summed} from (
  select i.product_id, (o.created_at at time zone 'UTC')::date as day, coalesce(o.currency, '') as currency,
    o.status, coalesce(o.reason, '') as reason, count(*) filter (where i.line = 1) as orders, count(*) as containing,
    sum(i.quantity) as units,
    coalesce(sum(i.subtotal) filter (where o.status in ('confirmed', 'shipped', 'delivered')), 0) as revenue
  from orders o join order_items i on i.order_id = o.order_id group by 1, 2, 3, 4, 5
  union all select product_id, day, currency, status, reason, orders, containing, units, revenue from archived_stats) counted
  group by 1, 2, 3, 4, 5`;

/** Sums as they are stored, and as they should be, once a key. Product '' is all products. */
interface Recount {
  readonly table: 'order_stats_days' | 'order_stats_months';
  readonly at: 'day' | 'month';
  readonly now: string;
  readonly recount: string;
}

export const RECOUNTS: readonly Recount[] = [
  {
    table: 'order_stats_days',
    at: 'day',
    now: `select product_id, day, currency, status, reason, ${summed} from order_stats_parts group by 1, 2, 3, 4, 5`,
    recount: `with by_product as materialized (${BY_PRODUCT})
      select * from by_product union all
      select '', day, currency, status, reason, sum(orders), sum(orders), sum(units), sum(revenue) from by_product
      group by 2, 3, 4, 5`,
  },
  {
    table: 'order_stats_months',
    at: 'month',
    now: 'select * from order_stats_months',
    recount: `select make_date(extract(year from day)::int, extract(month from day)::int, 1) as month, product_id, currency,
        status, reason, ${summed}
      from order_stats_days where product_id <> '' group by 1, 2, 3, 4, 5`,
  },
];

/** The sums that differ, as a table `wrong`. @param columns made of `now` and `recount`; each may be missing */
export const wrong = ({ at, now, recount }: Recount, columns: string): string =>
  `wrong as (select product_id, ${at}, currency, status, reason, ${columns}
    from (${now}) now full join (${recount}) recount using (product_id, ${at}, currency, status, reason)
    where ${SUMS.map((name) => `coalesce(now.${name}, 0) <> coalesce(recount.${name}, 0)`).join(' or ')})`;

const shown = (side: string): string =>
  SUMS.map((name) => `coalesce(${side}.${name}, 0) || ' ${name}'`).join(` || ', ' || `);

function lawOf(recount: Recount): SqlLaw {
  const { at } = recount;
  const named = `'${at} ' || ${at} || ', ' || case product_id when '' then 'all products' else 'product ' || product_id end
    || ', ' || status || case reason when '' then '' else ' ' || reason end || case currency when '' then '' else ', ' || currency end`;
  return {
    promise: 'durable',
    of: 'table',
    what: `the numbers of orders by ${at}`,
    text: `with ${wrong(recount, `${shown('now')} as found, ${shown('recount')} as expected`)}
      select 'order_stats' as id, ${named} as what, found, expected, (select count(*) from wrong)::int as total
      from wrong order by product_id, ${at}, currency, status, reason ${OFFENDERS}`,
  };
}

export const statsLaws: readonly SqlLaw[] = RECOUNTS.map(lawOf);

export const isOfStats = ({ thing }: Violation): boolean => thing === 'table order_stats';
