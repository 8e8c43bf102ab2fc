/**
 * Adds what `order_stats_queue` has to `order_stats_days` and `order_stats_months`, in the background, outside the flush. So many flushes become
 * one change of a row.
 *
 * Law: one statement takes rows from the queue and adds them, so each counts once, whoever dies when. Nodes take turns
 * by a lock that nobody waits for. Rows are changed in the order of their keys.
 */
import type { StatsFold } from '../../actors/ports/numbers.js';
import type { PostgresClient } from '../postgres/postgres.js';

/** Queue rows per call. One has the products of one flush statement, of one day, currency and status. */
const BATCH = 100;
/** Whoever changes the sums holds this lock. */
export const SUMS_LOCK = 4_862_110_718;

const KEYS = {
  order_stats_days: 'product_id, day, currency, status, reason',
  order_stats_months: 'month, product_id, currency, status, reason',
  archived_stats: 'product_id, day, currency, status, reason',
} as const;
const SUMS = ['orders', 'containing', 'units', 'revenue'] as const;

/** Adds the rows of a query to a table of sums. @param rows selects the table's columns by their names, once a key. */
export function addedTo(table: keyof typeof KEYS, rows: string): string {
  const columns = `${KEYS[table]}, ${SUMS.join(', ')}`;
  const sums = SUMS.map((sum) => `${sum} = ${table}.${sum} + excluded.${sum}`);
  return `insert into ${table} (${columns}) select ${columns} from (${rows}) added order by ${KEYS[table]}
    on conflict (${KEYS[table]}) do update set ${sums.join(', ')}`;
}

const BY_MONTH = `select date_trunc('month', day::timestamp)::date as month, product_id, currency, status, reason,
    ${SUMS.map((sum) => `sum(${sum}) as ${sum}`).join(', ')} from by_product group by 1, 2, 3, 4, 5`;

// The commit does not wait for the disk (synchronous_commit): a lost transaction leaves its batch in the queue.
const FOLD = `with turn as materialized (select pg_try_advisory_xact_lock(${SUMS_LOCK}) as is_mine),
  batch as materialized (
    select id from order_stats_queue where (select is_mine from turn) order by id limit ${BATCH}),
  taken as (delete from order_stats_queue where id = any(array(select id from batch)) returning *),
  by_product as (
    select l.product_id, q.day, q.currency, q.status, q.reason, sum(l.orders) as orders, sum(l.containing) as containing,
      sum(l.units) as units, sum(l.revenue) as revenue
    from taken q cross join lateral unnest(q.products::text[], q.orders::bigint[], q.containing::bigint[], q.units::bigint[],
      q.revenue::numeric[]) as l(product_id, orders, containing, units, revenue)
    group by 1, 2, 3, 4, 5),
  of_all as (select '' as product_id, day, currency, status, reason, sum(orders) as orders, sum(orders) as containing,
      sum(units) as units, sum(revenue) as revenue
    from by_product group by 2, 3, 4, 5),
  days as (${addedTo('order_stats_days', 'select * from by_product union all select * from of_all')}),
  months as (${addedTo('order_stats_months', BY_MONTH)})
  select count(*)::int as folded, set_config('synchronous_commit', 'off', true) from taken`;

export function postgresStatsFold(client: PostgresClient): StatsFold {
  return {
    async fold() {
      const [row] = await client.query<{ folded: number }>('add up what flushes counted', FOLD);
      const folded = row?.folded ?? 0;
      return { folded, more: folded === BATCH };
    },
  };
}
