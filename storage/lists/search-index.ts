/**
 * The words of orders, made beside the flush: a flush statement leaves the ids of its new orders in
 * `order_search_queue`, and this takes them from there, a bounded batch a call. What is taken and what it
 * becomes are one statement, so a crash loses and doubles nothing, and nodes take turns at different rows.
 */
import type { SearchIndex } from '../../actors/ports/queries.js';
import type { PostgresClient } from '../postgres/postgres.js';

/** Flush statements a batch: some 1,600 orders, a tenth of a second. */
const STATEMENTS = 4;
const SWEPT = 5_000;

/**
 * Postgres makes no words of more than a mebibyte, and one order that it refuses would hold up all that stand behind. Only
 * names of products are ever cut: a search within a product's orders counts on the words of its id (order-filter.ts).
 */
const MOST_CHARS = 200_000;

const WORDS = `array_to_tsvector(search_words(left(concat_ws(' ', o.order_id, o.user_id, o.user_email,
    search_values(o.shipping_address), search_values(o.billing_address), o.notes,
    (select concat_ws(' ', string_agg(i.product_id, ' '), string_agg(p.name, ' '))
       from order_items i left join products p on p.product_id = i.product_id where i.order_id = o.order_id)), ${MOST_CHARS})))`;

// An index that is lost with its transaction is made again: nobody waits for the disk.
const WORK = `with taken as materialized (
    select id, order_ids, queued_at from order_search_queue order by id limit ${STATEMENTS} for update skip locked),
  gone as (delete from order_search_queue q using taken t where q.id = t.id),
  added as (
    insert into order_search (order_id, created_at, words)
    select o.order_id, o.created_at, ${WORDS}
    from (select distinct unnest(order_ids::text[]) collate "C" as order_id from taken) ids
      join orders o on o.order_id = ids.order_id
    where not exists (select from order_search s where s.order_id = o.order_id)
    on conflict do nothing returning 1)
  select (select count(*) from taken)::int as taken, (select count(*) from added)::int as added,
    (select coalesce(extract(epoch from clock_timestamp() - min(queued_at)), 0) * 1000 from taken)::float8 as late_ms,
    (select coalesce(max(id), 0) from order_search_queue) as queued,
    set_config('synchronous_commit', 'off', true)`;

// Orders that someone else's statement wrote are queued here.
const SWEEP = `with looked as materialized (
    select order_id from orders where order_id > $1 order by order_id limit ${SWEPT}),
  missing as (
    select order_id from looked l where not exists (select from order_search s where s.order_id = l.order_id)),
  queued as (
    insert into order_search_queue (order_ids) select array_agg(order_id)::text from missing having count(*) > 0)
  select (select max(order_id) from looked) as last, set_config('synchronous_commit', 'off', true)`;

interface Worked {
  readonly taken: number;
  readonly added: number;
  readonly late_ms: number;
  readonly queued: number;
}

export function postgresSearchIndex(client: PostgresClient): SearchIndex {
  return {
    async work() {
      const [row] = await client.query<Worked>('index orders', WORK);
      if (row === undefined) throw new Error('the search index told nothing of its work');
      return { more: row.taken === STATEMENTS, added: row.added, lateMs: row.late_ms, queued: row.queued };
    },

    async sweep(after) {
      const [row] = await client.query<{ last: string | null }>('look for orders to index', SWEEP, [after]);
      return row?.last ?? undefined;
    },
  };
}
