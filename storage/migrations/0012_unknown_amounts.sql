-- An amount that is not known is shown as none, and lies within no bound: only what is known is in the index.
drop index orders_total_amount;
create index orders_total_amount on orders (total_amount) include (order_id) where total_amount is not null;
