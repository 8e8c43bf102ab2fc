-- The words of orders are made by this program (actors/search-words.ts), one way for what is stored and what is asked.
-- Rows of before have the words of the database's locale: they are found by those until the sweep beside service
-- has made them anew. A constant default writes no row.
alter table order_search add column folding smallint not null default 0;

-- A batch is leased: whoever took it and died keeps it from nobody for longer than that.
alter table order_search_queue add column leased_until timestamptz(3);

drop function search_query(text, text);
drop function search_words(text);
drop function search_values(json);
