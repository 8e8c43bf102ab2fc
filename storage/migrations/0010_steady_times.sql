-- From this version on, the times of an order or product never go back. Older times came from the clock unchanged, so
-- `verify` judges times only from `steady_since` on. Null: it judges all times.
alter table settlement add column steady_since timestamptz(3);
update settlement set steady_since = now();
