-- An unknown total is shown as null and lies within no bound. The index holds known totals only.
drop index orders_total_amount;
create index orders_total_amount on orders (total_amount) include (order_id) where total_amount is not null;
