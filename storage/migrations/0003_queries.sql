-- Columns, indexes and tables that lists and searches need with a million orders or more.

-- Lists are newest first. An item has its order's time, so that one index lists a product's orders.
alter table order_items add column created_at timestamptz(3);
update order_items i set created_at = o.created_at from orders o where o.order_id = i.order_id;
alter table order_items alter column created_at set not null;
create index order_items_product_id on order_items (product_id, created_at);

create index orders_total_amount on orders (total_amount);
-- The value of most orders has no entry in these indexes. Such orders are found by time.
create index orders_payment_status on orders (payment_status, created_at) where payment_status <> 'paid';
create index orders_fulfillment_status on orders (fulfillment_status, created_at) where fulfillment_status <> 'unfulfilled';
create index orders_currency on orders (currency, created_at) where currency <> 'USD';

-- Orders whose words are not in the index yet: one row per flush statement, with an array literal of ids. The statement
-- that writes the orders writes this row too, so no order is missed, in whatever order transactions commit.
create table order_search_queue (
  id bigint generated always as identity primary key,
  order_ids text not null,
  queued_at timestamptz(3) not null default clock_timestamp()
);
-- A row is read once and deleted. Compression would slow every flush.
alter table order_search_queue alter column order_ids set storage external;

-- The words of each order, without positions. No foreign key: it would lock and rewrite the order's row.
create table order_search (
  order_id text collate "C" primary key,
  created_at timestamptz(3) not null,
  words tsvector not null
);
create index order_search_created_at on order_search (created_at);
-- New entries wait in the index's pending list. Every search reads that list, so it is kept short.
create index order_search_words on order_search using gin (words) with (fastupdate = on, gin_pending_list_limit = 1024);

-- Words in lower case, split at ASCII, Latin-1 and general punctuation and spaces. The locale matters only for the case of
-- letters beyond ASCII. A word is cut after 64 characters.
create function search_words(content text) returns text[] language sql immutable parallel safe as $$
  select array(select left(word, 64) from unnest(string_to_array(
    regexp_replace(lower(content collate "default"), '[\u0001-\u002f:-@\u005b-`{-\u00bf\u2000-\u206f\u3000-\u303f\uff00-\uff0f\uff1a-\uff20]+', ' ', 'g'), ' ')) as word where word <> '')
$$;

-- The values in a JSON text, without the field names.
create function search_values(content json) returns text language sql immutable parallel safe as $$
  select regexp_replace(content::text, '"(\\.|[^"\\])*"\s*:|\\u[0-9a-fA-F]{4}|\\.', ' ', 'g')
$$;

-- All words ('all'), the last word alone ('last'), or the other words ('rest'). The last word matches as a prefix.
-- Null when there is no word: null matches nothing.
create function search_query(content text, part text) returns tsquery language sql immutable parallel safe as $$
  select string_agg(format('''%s''%s', word, case place when array_length(words, 1) then ':*' else '' end), ' & ')::tsquery
  from search_words(content) as words, unnest(words) with ordinality as each(word, place)
  where part = 'all' or (part = 'last') = (place = array_length(words, 1))
$$;
