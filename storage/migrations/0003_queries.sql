-- What lists and searches need at a million orders and more.

-- Lists are newest first: an item carries its order's time, so that a product's orders come from one index.
alter table order_items add column created_at timestamptz(3);
update order_items i set created_at = o.created_at from orders o where o.order_id = i.order_id;
alter table order_items alter column created_at set not null;
create index order_items_product_id on order_items (product_id, created_at);

create index orders_total_amount on orders (total_amount);
-- What most orders have costs no entry here, and is found by time.
create index orders_payment_status on orders (payment_status, created_at) where payment_status <> 'paid';
create index orders_fulfillment_status on orders (fulfillment_status, created_at) where fulfillment_status <> 'unfulfilled';
create index orders_currency on orders (currency, created_at) where currency <> 'USD';

-- Orders whose words are not in the index yet: one row a flush statement, an array literal of ids. The statement
-- that writes the orders writes it, so none is missed, whatever order transactions end in.
create table order_search_queue (
  id bigint generated always as identity primary key,
  order_ids text not null,
  queued_at timestamptz(3) not null default clock_timestamp()
);
-- Read once and gone: compressing it would cost every flush.
alter table order_search_queue alter column order_ids set storage external;

-- The words of an order, without positions. No foreign key: it would lock and rewrite each order's row.
create table order_search (
  order_id text collate "C" primary key,
  created_at timestamptz(3) not null,
  words tsvector not null
);
create index order_search_created_at on order_search (created_at);
-- What is added waits in the index's own list, which every search reads: a short one.
create index order_search_words on order_search using gin (words) with (fastupdate = on, gin_pending_list_limit = 1024);

-- Lower case, split at what is neither a letter nor a digit: ASCII's, Latin-1's and the general punctuation. In no way
-- dependent on the locale, but for the case of letters beyond ASCII. A word is cut after 64 characters.
create function search_words(content text) returns text[] language sql immutable parallel safe as $$
  select array(select left(word, 64) from unnest(string_to_array(
    regexp_replace(lower(content collate "default"), '[\u0001-\u002f:-@\u005b-`{-\u00bf\u2000-\u206f\u3000-\u303f\uff00-\uff0f\uff1a-\uff20]+', ' ', 'g'), ' ')) as word where word <> '')
$$;

-- The values in a JSON text, without the names of its fields.
create function search_values(content json) returns text language sql immutable parallel safe as $$
  select regexp_replace(content::text, '"(\\.|[^"\\])*"\s*:|\\u[0-9a-fA-F]{4}|\\.', ' ', 'g')
$$;

-- Every word ('all'), the last one as the beginning of one; or the last one alone ('last'), or all others ('rest').
-- Null, which matches nothing, where there is no word.
create function search_query(content text, part text) returns tsquery language sql immutable parallel safe as $$
  select string_agg(format('''%s''%s', word, case place when array_length(words, 1) then ':*' else '' end), ' & ')::tsquery
  from search_words(content) as words, unnest(words) with ordinality as each(word, place)
  where part = 'all' or (part = 'last') = (place = array_length(words, 1))
$$;
