/**
 * Indexes the words of orders in the background, outside the flush. A flush statement adds the ids of its new orders to
 * `order_search_queue`; each call of `work` indexes one bounded batch of them.
 *
 * Law: a batch is leased, not removed. The statement that stores its words removes it, so a crash loses nothing. Words
 * that are made twice are stored once. Nodes lease different batches.
 */
import type { SearchIndex } from '../../actors/ports/queries.js';
import type { Json } from '../../actors/protocol.js';
import { orderWords, wordsOf } from '../../actors/search-words.js';
import { msOf, plain, texts } from '../postgres/column-arrays.js';
import type { PostgresClient } from '../postgres/postgres.js';
import { IS_PLAIN } from '../snapshots/plain-orders.js';

/** The version of the word rules (actors/search-words.ts). Raise it when they change: the sweep then redoes older rows. */
const FOLDING = 1;
/** Queue rows per batch, one per flush statement: about 1,600 orders. */
const STATEMENTS = 4;
const SWEPT = 5_000;
/** Orders handled without a pause: at most a millisecond of the event loop. */
const AT_ONCE = 50;

/**
 * Postgres limits a tsvector to one mebibyte, and a refused order would block all batches behind it. Only the names of
 * products are ever cut: a search within a product's orders relies on the words of the product's id (order-filter.ts).
 */
const MOST_BYTES = 900_000;

const LEASE = `with free as materialized (
    select id from order_search_queue where leased_until is null or leased_until < clock_timestamp()
    order by id limit ${STATEMENTS} for update skip locked),
  leased as (
    update order_search_queue q set leased_until = clock_timestamp() + interval '30 seconds'
    where q.id = any(array(select id from free))
    returning q.id, q.order_ids, q.product_ids, q.queued_at)
  select coalesce((select json_agg(id) from leased), '[]') as batch,
    (select json_agg(id) from (select distinct unnest(order_ids::text[]) as id from leased) ids) as orders,
    (select json_agg(id) from (select distinct unnest(product_ids::text[]) as id from leased) ids) as products,
    (select coalesce(extract(epoch from clock_timestamp() - min(queued_at)), 0) * 1000 from leased)::float8 as late_ms,
    (select coalesce(max(id), 0) from order_search_queue) as queued,
    set_config('synchronous_commit', 'off', true)`;

// For an order without any text only the user is read.
const READ = `select case when ${IS_PLAIN} then json_build_array(o.user_id) else
    json_build_array(o.user_id, o.order_id, ${msOf('o.created_at')}, o.user_email, o.notes, o.shipping_address, o.billing_address,
      (select json_agg(json_build_array(i.product_id, (select p.name from products p where p.product_id = i.product_id)) order by i.line)
         from order_items i where i.order_id = o.order_id)) end as body
  from orders o where o.order_id = any($1::text[])
    and (select true from order_search s where s.order_id = o.order_id and s.folding >= ${FOLDING}) is null`;

const READ_PRODUCTS = `select json_build_array(product_id, name) as body from products p where product_id = any($1::text[])`;

// The commit does not wait for the disk (synchronous_commit): a lost transaction leaves its batch in the queue.
const ADD = `with gone as (delete from order_search_queue where id = any($1::bigint[])),
  users as (
    insert into search_users (user_id, words)
    select user_id, array_to_tsvector(string_to_array(words, ' '))
    from (select unnest($5::text[]) as user_id, unnest($6::text[]) as words) made on conflict do nothing),
  products as (
    insert into search_products (product_id, name, words)
    select product_id, name, array_to_tsvector(string_to_array(words, ' '))
    from (select unnest($7::text[]) as product_id, unnest($8::text[]) as name, unnest($9::text[]) as words) made
    on conflict (product_id) do update set name = excluded.name, words = search_products.words || excluded.words
      where search_products.name <> excluded.name),
  added as (
    insert into order_search (order_id, created_at, words, folding)
    select order_id, to_timestamp(ms / 1000::float8), array_to_tsvector(string_to_array(words, ' ')), ${FOLDING}
    from (select unnest($2::text[]) as order_id, unnest($3::bigint[]) as ms, unnest($4::text[]) as words) made
    on conflict (order_id) do update set words = excluded.words, folding = excluded.folding
      where order_search.folding < excluded.folding
    returning 1)
  select count(*)::int as added, set_config('synchronous_commit', 'off', true) from added`;

// Queues orders without words, orders whose words have an older `folding`, and one order for each user without words.
// Orders without any text have no row in `order_search`: a row left from an older version is deleted.
const SWEEP = `with looked as materialized (
    select o.order_id, o.user_id, ${IS_PLAIN} as is_plain from orders o where o.order_id > $1 order by o.order_id limit ${SWEPT}),
  missing as (
    select order_id from looked l where not is_plain
      and (select true from order_search s where s.order_id = l.order_id and s.folding >= ${FOLDING}) is null
    union
    select min(order_id) from looked l where is_plain
      and (select true from search_users u where u.user_id = l.user_id) is null group by user_id),
  needless as (
    delete from order_search where order_id = any(array(select order_id from looked where is_plain))),
  queued as (
    insert into order_search_queue (order_ids) select array_agg(order_id)::text from missing having count(*) > 0)
  select (select max(order_id) from looked) as last, set_config('synchronous_commit', 'off', true)`;

const SWEEP_PRODUCTS = `with missing as (
    select p.product_id from products p left join search_products s on s.product_id = p.product_id
    where s.name is null or s.name <> p.name)
  insert into order_search_queue (product_ids) select array_agg(product_id)::text from missing having count(*) > 0`;

interface Leased {
  readonly batch: string;
  readonly orders: string | null;
  readonly products: string | null;
  readonly late_ms: number;
  readonly queued: number;
}

export function postgresSearchIndex(client: PostgresClient): SearchIndex {
  return {
    async work() {
      const [row] = await client.query<Leased>('lease orders to index', LEASE);
      if (row === undefined) throw new Error('the search index told nothing of its work');
      const batch = JSON.parse(row.batch) as readonly number[];
      const { late_ms: lateMs, queued } = row;
      const more = batch.length === STATEMENTS;
      if (batch.length === 0) return { more, added: 0, lateMs, queued };
      const bodiesOf = async (what: string, text: string, json: string | null) => {
        const ids = JSON.parse(json ?? '[]') as readonly string[];
        if (ids.length === 0) return [];
        return (await client.query<{ body: string }>(what, text, [texts(ids, (id) => id)])).map(({ body }) => body);
      };
      const { orders, users } = await worded(await bodiesOf('read orders to index', READ, row.orders));
      const products = (await bodiesOf('read products to index', READ_PRODUCTS, row.products)).map(
        (body) => JSON.parse(body) as readonly [string, string],
      );
      const parameters = [
        plain(batch, (id) => id),
        texts(orders, ({ id }) => id),
        plain(orders, ({ ms }) => ms),
        texts(orders, ({ words }) => words),
        texts(users, (user) => user),
        texts(users, (user) => joined(wordsOf(user))),
        texts(products, ([product]) => product),
        texts(products, ([, name]) => name),
        texts(products, ([product, name]) => joined([...wordsOf(product), ...wordsOf(name)])),
      ];
      const [done] = await client.query<{ added: number }>('index orders', ADD, parameters);
      return { more, added: done?.added ?? 0, lateMs, queued };
    },

    async sweep(after) {
      if (after === '') await client.query('look for products to index', SWEEP_PRODUCTS);
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
  user: string,
  id: string | undefined,
  ms: number,
  email: string | null,
  notes: string | null,
  shipping: Json,
  billing: Json,
  products: readonly (readonly [string, string | null])[] | null,
];

async function worded(bodies: readonly string[]) {
  const orders: Worded[] = [];
  const users = new Set<string>();
  for (const body of bodies) {
    const [user, id, ms, email, notes, shippingAddress, billingAddress, products] = JSON.parse(body) as Body;
    users.add(user);
    if (id === undefined) continue;
    if (orders.length % AT_ONCE === AT_ONCE - 1) await new Promise<void>((resolve) => setImmediate(resolve));
    const words = orderWords({
      ...{ id, user, shippingAddress, billingAddress },
      email: email ?? undefined,
      notes: notes ?? undefined,
      products: (products ?? []).map(([product, name]) => [product, name ?? undefined]),
    });
    orders.push({ id, ms, words: joined(words) });
  }
  return { orders, users: [...users] };
}

function joined(words: Iterable<string>): string {
  let text = '';
  for (const word of words) text += text === '' ? word : ` ${word}`;
  if (Buffer.byteLength(text) <= MOST_BYTES) return text;
  return Buffer.from(text)
    .subarray(0, MOST_BYTES)
    .toString()
    .replace(/ [^ ]*$/, '');
}
