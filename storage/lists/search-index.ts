/**
 * The words of orders, made beside the flush: a flush statement leaves the ids of its new orders in
 * `order_search_queue`, and this takes them from there, a bounded batch a call.
 *
 * Law: a batch is leased, not taken. The statement that adds its words removes it, so a crash loses nothing, and what
 * is made twice is stored once. Nodes lease different batches.
 */
import type { SearchIndex } from '../../actors/ports/queries.js';
import type { Json } from '../../actors/protocol.js';
import { orderWords } from '../../actors/search-words.js';
import { msOf, plain, texts } from '../postgres/column-arrays.js';
import type { PostgresClient } from '../postgres/postgres.js';

/** Raised whenever a text gets other words: rows of a lower one are made anew by the sweep. */
const FOLDING = 1;
/** Flush statements a batch: some 1,600 orders. */
const STATEMENTS = 4;
const SWEPT = 5_000;
/** Orders whose words are made in one go: a millisecond or less, so that nobody waits for them. */
const AT_ONCE = 50;

/**
 * Postgres takes no more than a mebibyte of words, and one order that it refuses would hold up all that stand behind. Only
 * names of products are ever cut: a search within a product's orders counts on the words of its id (order-filter.ts).
 */
const MOST_BYTES = 900_000;

const LEASE = `with free as materialized (
    select id from order_search_queue where leased_until is null or leased_until < clock_timestamp()
    order by id limit ${STATEMENTS} for update skip locked),
  leased as (
    update order_search_queue q set leased_until = clock_timestamp() + interval '30 seconds'
    where q.id = any(array(select id from free))
    returning q.id, q.order_ids, q.queued_at)
  select coalesce((select json_agg(id) from leased), '[]') as batch,
    (select json_agg(id) from (select distinct unnest(order_ids::text[]) as id from leased) ids) as ids,
    (select coalesce(extract(epoch from clock_timestamp() - min(queued_at)), 0) * 1000 from leased)::float8 as late_ms,
    (select coalesce(max(id), 0) from order_search_queue) as queued,
    set_config('synchronous_commit', 'off', true)`;

const READ = `select json_build_array(o.order_id, ${msOf('o.created_at')}, o.user_id, o.user_email, o.notes, o.shipping_address, o.billing_address,
    (select json_agg(json_build_array(i.product_id, (select p.name from products p where p.product_id = i.product_id)) order by i.line)
       from order_items i where i.order_id = o.order_id)) as body
  from orders o where o.order_id = any($1::text[])
    and (select true from order_search s where s.order_id = o.order_id and s.folding >= ${FOLDING}) is null`;

// An index that is lost with its transaction is made again: nobody waits for the disk.
const ADD = `with gone as (delete from order_search_queue where id = any($1::bigint[])),
  added as (
    insert into order_search (order_id, created_at, words, folding)
    select order_id, to_timestamp(ms / 1000::float8), array_to_tsvector(string_to_array(words, ' ')), ${FOLDING}
    from (select unnest($2::text[]) as order_id, unnest($3::bigint[]) as ms, unnest($4::text[]) as words) made
    on conflict (order_id) do update set words = excluded.words, folding = excluded.folding
      where order_search.folding < excluded.folding
    returning 1)
  select count(*)::int as added, set_config('synchronous_commit', 'off', true) from added`;

// Orders that someone else's statement wrote, or whose words are of before, are queued here.
const SWEEP = `with looked as materialized (
    select order_id from orders where order_id > $1 order by order_id limit ${SWEPT}),
  missing as (
    select order_id from looked l
    where (select true from order_search s where s.order_id = l.order_id and s.folding >= ${FOLDING}) is null),
  queued as (
    insert into order_search_queue (order_ids) select array_agg(order_id)::text from missing having count(*) > 0)
  select (select max(order_id) from looked) as last, set_config('synchronous_commit', 'off', true)`;

interface Leased {
  readonly batch: string;
  readonly ids: string | null;
  readonly late_ms: number;
  readonly queued: number;
}

export function postgresSearchIndex(client: PostgresClient): SearchIndex {
  return {
    async work() {
      const [row] = await client.query<Leased>('lease orders to index', LEASE);
      if (row === undefined) throw new Error('the search index told nothing of its work');
      const batch = JSON.parse(row.batch) as readonly number[];
      const ids = JSON.parse(row.ids ?? '[]') as readonly string[];
      const { late_ms: lateMs, queued } = row;
      const more = batch.length === STATEMENTS;
      if (batch.length === 0) return { more, added: 0, lateMs, queued };
      const read = await client.query<{ body: string }>('read orders to index', READ, [texts(ids, (id) => id)]);
      const made = await worded(read.map(({ body }) => body));
      const parameters = [
        plain(batch, (id) => id),
        texts(made, ({ id }) => id),
        plain(made, ({ ms }) => ms),
        texts(made, ({ words }) => words),
      ];
      const [done] = await client.query<{ added: number }>('index orders', ADD, parameters);
      return { more, added: done?.added ?? 0, lateMs, queued };
    },

    async sweep(after) {
      const [row] = await client.query<{ last: string | null }>('look for orders to index', SWEEP, [after]);
      return row?.last ?? undefined;
    },
  };
}

// ---------------------------------------------------------------- machinery

interface Worded {
  readonly id: string;
  readonly ms: number;
  readonly words: string;
}

type Body = readonly [
  id: string,
  ms: number,
  user: string,
  email: string | null,
  notes: string | null,
  shipping: Json,
  billing: Json,
  products: readonly (readonly [string, string | null])[] | null,
];

async function worded(bodies: readonly string[]): Promise<readonly Worded[]> {
  const made: Worded[] = [];
  for (const body of bodies) {
    if (made.length % AT_ONCE === AT_ONCE - 1) await new Promise<void>((resolve) => setImmediate(resolve));
    const [id, ms, user, email, notes, shippingAddress, billingAddress, products] = JSON.parse(body) as Body;
    const words = orderWords({
      ...{ id, user, shippingAddress, billingAddress },
      email: email ?? undefined,
      notes: notes ?? undefined,
      products: (products ?? []).map(([product, name]) => [product, name ?? undefined]),
    });
    made.push({ id, ms, words: joined(words) });
  }
  return made;
}

function joined(words: ReadonlySet<string>): string {
  let text = '';
  for (const word of words) text += text === '' ? word : ` ${word}`;
  if (Buffer.byteLength(text) <= MOST_BYTES) return text;
  return Buffer.from(text)
    .subarray(0, MOST_BYTES)
    .toString()
    .replace(/ [^ ]*$/, '');
}
