/**
 * Adds what `order_stats_queue` has to `order_stats_sums`, in the background, outside the flush. So many flushes become
 * one change of a row.
 *
 * Law: one statement takes rows from the queue and adds them, so each counts once, whoever dies when. Nodes take turns
 * by a lock that nobody waits for. Rows are changed in the order of their keys.
 */
import type { StatsFold } from '../../actors/ports/numbers.js';
import type { PostgresClient } from '../postgres/postgres.js';

/** Queue rows per call. One has the products of one flush statement, of one day, currency and status. */
const BATCH = 100;
const LOCK = 4_862_110_718;

const KEY = 'product_id, day, currency, status, reason';

/** Adds the rows of a query to the sums. */
const addedToSums = (rows: string): string => `insert into order_stats_sums (${KEY}, orders, containing, units, revenue)
  ${rows} order by product_id, day, currency, status, reason
  on conflict (${KEY}) do update set orders = order_stats_sums.orders + excluded.orders,
    containing = order_stats_sums.containing + excluded.containing, units = order_stats_sums.units + excluded.units,
    revenue = order_stats_sums.revenue + excluded.revenue`;

// The commit does not wait for the disk (synchronous_commit): a lost transaction leaves its batch in the queue.
const FOLD = `with turn as materialized (select pg_try_advisory_xact_lock(${LOCK}) as is_mine),
  batch as materialized (
    select id from order_stats_queue where (select is_mine from turn) order by id limit ${BATCH}),
  taken as (delete from order_stats_queue where id = any(array(select id from batch)) returning *),
  by_product as (
    select l.product_id, q.day, q.currency, q.status, q.reason, sum(l.orders) as orders, sum(l.containing) as containing,
      sum(l.units) as units, sum(l.revenue) as revenue
    from taken q cross join lateral unnest(q.products::text[], q.orders::bigint[], q.containing::bigint[], q.units::bigint[],
      q.revenue::numeric[]) as l(product_id, orders, containing, units, revenue)
    group by 1, 2, 3, 4, 5),
  added as (${addedToSums(`select * from (
    select * from by_product
    union all
    select '', day, currency, status, reason, sum(orders), sum(orders), sum(units), sum(revenue)
    from by_product group by 2, 3, 4, 5) both_of_them`)})
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
