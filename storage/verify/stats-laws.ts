/**
 * `order_stats` is what a recount of the orders gives, and product '' is the sum of all products. The statement that
 * writes an order counts it, so this holds in every snapshot. A mistake in an order shows here as well, so this law is
 * judged only when nothing else is found.
 */
import { OFFENDERS, type SqlLaw } from './sql-laws.js';

const KEY = 'product_id, day, currency, status, reason';
const SUMS = ['orders', 'containing', 'units', 'revenue'] as const;

const NOW = `select ${KEY}, ${SUMS.map((name) => `sum(${name}) as ${name}`).join(', ')} from order_stats_parts group by ${KEY}`;

const BY_PRODUCT = `select i.product_id, (o.created_at at time zone 'UTC')::date as day, coalesce(o.currency, '') as currency,
    o.status, coalesce(o.reason, '') as reason, count(*) filter (where i.line = 1) as orders, count(*) as containing,
    sum(i.quantity) as units,
    coalesce(sum(i.subtotal) filter (where o.status in ('confirmed', 'shipped', 'delivered')), 0) as revenue
  from orders o join order_items i on i.order_id = o.order_id group by 1, 2, 3, 4, 5`;

const RECOUNTED = `select * from by_product union all
  select '', day, currency, status, reason, sum(orders), sum(orders), sum(units), sum(revenue) from by_product group by 2, 3, 4, 5`;

const named = `'day ' || day || ', ' || case product_id when '' then 'all products' else 'product ' || product_id end
  || ', ' || status || case reason when '' then '' else ' ' || reason end || case currency when '' then '' else ', ' || currency end`;
const shown = (side: string): string =>
  SUMS.map((name) => `coalesce(${side}.${name}, 0) || ' ${name}'`).join(` || ', ' || `);
const differ = SUMS.map((name) => `coalesce(now.${name}, 0) <> coalesce(recount.${name}, 0)`).join(' or ');

export const statsLaw: SqlLaw = {
  promise: 'durable',
  of: 'table',
  what: 'the numbers of orders',
  text: `with now as (${NOW}), by_product as materialized (${BY_PRODUCT}), recount as (${RECOUNTED}),
      wrong as (select ${KEY}, ${shown('now')} as found, ${shown('recount')} as expected
        from now full join recount using (${KEY}) where ${differ})
    select 'order_stats' as id, ${named} as what, found, expected, (select count(*) from wrong)::int as total
    from wrong order by ${KEY} ${OFFENDERS}`,
};
