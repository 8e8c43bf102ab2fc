/**
 * Indexes the words of orders in the background, outside the flush. A flush statement adds the ids of its new orders to
 * `order_search_queue`; each call of `work` indexes one bounded batch of them.
 *
 * Law: a batch is leased, not removed. The statement that stores its words removes it, so a crash loses nothing. Words
 * that are made twice are stored once. Nodes lease different batches.
 *
 * Words of a forgotten order never come back: the statement that forgets it leaves a row without words, whose `folding` is
 * above that of any words which were read before (search-queue.ts).
 */
import type { SearchIndex } from '../../actors/ports/queries.js';
import type { Json } from '../../actors/protocol.js';
import { orderWords, wordsOf } from '../../actors/search-words.js';
import { msOf, plain, texts } from '../postgres/column-arrays.js';
import type { PostgresClient } from '../postgres/postgres.js';
import { HAS_ENDED_EARLY, IS_PLAIN } from '../snapshots/plain-orders.js';
import { ERASED, queued } from '../snapshots/search-queue.js';

/** The version of the word rules (actors/search-words.ts). Raise it when they change: the sweep then redoes older rows. */
const FOLDING = 1;
/** Of an order of alias `o`: what its words must have at least. Those of a forgotten order outrank all that it had before. */
const WANTED = `(case when o.life ->> 'forgotten' = 'true' then ${ERASED + FOLDING} else ${FOLDING} end)`;
/** Queue rows per batch. A flush statement writes up to 400 orders, and no row has more than a thousand ids. */
const STATEMENTS = 4;
const SWEPT = 5_000;
/** Orders, users or products handled without a pause: at most a millisecond of the event loop. */
const AT_ONCE = 50;
/** A product keeps the words of former names up to so many words; beyond it those of its present name alone. */
const PRODUCT_WORDS = 300;

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
         from order_items i where i.order_id = o.order_id), ${WANTED}) end as body
  from orders o where o.order_id = any($1::text[])
    and (select true from order_search s where s.order_id = o.order_id and s.folding >= ${WANTED}) is null`;

// Most were only restocked: their names are known. Each is looked up by its key, however many there are. A product that
// orders name and nobody ever received has an empty name: a received one never has.
const READ_PRODUCTS = `select json_build_array(id, name) as body
  from (select id, coalesce((select p.name from products p where p.product_id = id), '') as name from unnest($1::text[]) id) looked
  where (select s.name from search_products s where s.product_id = id) is distinct from name`;

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
    on conflict (product_id) do update set name = excluded.name, words = case
        when length(search_products.words) + length(excluded.words) <= ${PRODUCT_WORDS} then search_products.words || excluded.words
        else excluded.words end
      where search_products.name <> excluded.name and excluded.name <> ''),
  added as (
    insert into order_search (order_id, created_at, words, folding)
    select order_id, to_timestamp(ms / 1000::float8), array_to_tsvector(string_to_array(words, ' ')), folding
    from (select unnest($2::text[]) as order_id, unnest($3::bigint[]) as ms, unnest($4::text[]) as words,
      unnest($10::int[])::smallint as folding) made order by order_id
    on conflict (order_id) do update set words = excluded.words, folding = excluded.folding
      where order_search.folding < excluded.folding
    returning 1)
  select count(*)::int as added, set_config('synchronous_commit', 'off', true) from added`;

// Queues orders without words, orders whose words have an older `folding`, and one order for each user without words.
// Orders without any text have no row in `order_search`: a row left from an older version is deleted, that of a forgotten one stays. Their products that
// nobody ever received are queued too.
const SWEEP = `with looked as materialized (
    select o.order_id, o.user_id, ${IS_PLAIN} as is_plain, ${HAS_ENDED_EARLY} as has_ended_early, ${WANTED} as wanted
    from orders o where o.order_id > $1 order by o.order_id limit ${SWEPT}),
  missing as (
    select order_id as id from looked l where not is_plain
      and (select true from order_search s where s.order_id = l.order_id and s.folding >= l.wanted) is null
    union
    select min(order_id) from looked l where is_plain
      and (select true from search_users u where u.user_id = l.user_id) is null group by user_id),
  needless as (
    delete from order_search where order_id = any(array(select order_id from looked where is_plain)) and folding < ${ERASED}),
  queued as (${queued('order_ids', 'select id from missing')}),
  nameless as (
    select distinct i.product_id as id from looked l
    cross join lateral (select product_id from order_items where order_id = l.order_id and unit_price is null offset 0) i
    where is_plain and has_ended_early
      and (select true from search_products s where s.product_id = i.product_id) is null),
  queued_products as (${queued('product_ids', 'select id from nameless')})
  select (select max(order_id) from looked) as last, set_config('synchronous_commit', 'off', true)`;

const SWEEP_PRODUCTS = `with looked as materialized (
    select product_id, name from products where product_id > $1 order by product_id limit ${SWEPT}),
  missing as (
    select product_id as id from looked l
    where (select s.name from search_products s where s.product_id = l.product_id) is distinct from l.name),
  queued as (${queued('product_ids', 'select id from missing')})
  select (select max(product_id) from looked) as last, set_config('synchronous_commit', 'off', true)`;

/** Where the sweep is: it passes through all products first, then through all orders. */
const [IN_PRODUCTS, IN_ORDERS] = ['product ', 'order '];

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
      const { orders, users } = await wordedOrders(await bodiesOf('read orders to index', READ, row.orders));
      const products = await wordedProducts(await bodiesOf('read products to index', READ_PRODUCTS, row.products));
      const parameters = [
        plain(batch, (id) => id),
        texts(orders, ({ id }) => id),
        plain(orders, ({ ms }) => ms),
        texts(orders, ({ words }) => words),
        texts(users, ({ id }) => id),
        texts(users, ({ words }) => words),
        texts(products, ({ id }) => id),
        texts(products, ({ name }) => name),
        texts(products, ({ words }) => words),
        plain(orders, ({ folding }) => folding),
      ];
      const [done] = await client.query<{ added: number }>('index orders', ADD, parameters);
      return { more, added: done?.added ?? 0, lateMs, queued };
    },

    async sweep(after) {
      const look = async (what: string, text: string, since: string) =>
        (await client.query<{ last: string | null }>(what, text, [since]))[0]?.last ?? undefined;
      if (after.startsWith(IN_ORDERS)) {
        const last = await look('look for orders to index', SWEEP, after.slice(IN_ORDERS.length));
        return last === undefined ? undefined : IN_ORDERS + last;
      }
      const last = await look('look for products to index', SWEEP_PRODUCTS, after.slice(IN_PRODUCTS.length));
      return last === undefined ? IN_ORDERS : IN_PRODUCTS + last;
    },
  };
}

// ---------------------------------------------------------------- machinery

interface Worded {
  readonly id: string;
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
  folding: number,
];

async function wordedOrders(bodies: readonly string[]) {
  const orders: (Worded & { readonly ms: number; readonly folding: number })[] = [];
  const users = new Set<string>();
  await each(bodies, (body) => {
    const [user, id, ms, email, notes, shippingAddress, billingAddress, products, folding] = JSON.parse(body) as Body;
    users.add(user);
    if (id === undefined) return;
    const words = orderWords({
      ...{ id, user, shippingAddress, billingAddress },
      email: email ?? undefined,
      notes: notes ?? undefined,
      products: (products ?? []).map(([product, name]) => [product, name ?? undefined]),
    });
    orders.push({ id, ms, words: joined(words), folding });
  });
  const worded: Worded[] = [];
  await each([...users], (user) => worded.push({ id: user, words: joined(wordsOf(user)) }));
  return { orders, users: worded };
}

async function wordedProducts(bodies: readonly string[]) {
  const products: (Worded & { readonly name: string })[] = [];
  await each(bodies, (body) => {
    const [id, name] = JSON.parse(body) as readonly [string, string];
    products.push({ id, name, words: joined([...wordsOf(id), ...wordsOf(name)]) });
  });
  return products;
}

/** With a pause behind every few: requests are served in between. */
async function each<T>(rows: readonly T[], act: (row: T) => void): Promise<void> {
  for (const [i, row] of rows.entries()) {
    if (i % AT_ONCE === AT_ONCE - 1) await new Promise<void>((resolve) => setImmediate(resolve));
    act(row);
  }
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
