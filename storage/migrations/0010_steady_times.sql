-- Times of an order and of a product do not go back any more. What is stored already was taken from the clock as it was,
-- so verify judges times only from here on; null judges all.
alter table settlement add column steady_since timestamptz(3);
update settlement set steady_since = now();
