-- An order without e-mail, addresses and notes has no words but those of its id, its user and its products. It is found by
-- their own indexes, and costs none in order_search. What the words of users and products are stands here, once for each.
-- A product keeps the words of the names that it had.
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

-- Products that were received, an array literal of ids: their names may be new.
alter table order_search_queue add column product_ids text;
alter table order_search_queue alter column order_ids drop not null;
