-- Holdfast itself now makes the words of orders and of searches, by the same rules (actors/search-words.ts). Older rows have
-- words made by the database's locale, and are found by those until the background sweep has redone them. A constant
-- default rewrites no row.
alter table order_search add column folding smallint not null default 0;

-- A batch is leased. If its node dies, other nodes may take it when the lease ends.
alter table order_search_queue add column leased_until timestamptz(3);

drop function search_query(text, text);
drop function search_words(text);
drop function search_values(json);
