-- An order without e-mail, addresses and notes has only the words of its id, user and products. A search finds it by those,
-- so it needs no row in order_search. These tables hold the words of each user and product once.
-- A product also keeps the words of its latest earlier names.
create table search_users (
  user_id text collate "C" primary key,
  words tsvector not null
);
create index search_users_words on search_users using gin (words) with (fastupdate = on, gin_pending_list_limit = 1024);

create table search_products (
  product_id text collate "C" primary key,
  name text not null,
  words tsvector not null
);
create index search_products_words on search_products using gin (words) with (fastupdate = on, gin_pending_list_limit = 1024);

-- An array literal of products that were received: their names may be new.
alter table order_search_queue add column product_ids text;
alter table order_search_queue alter column order_ids drop not null;
