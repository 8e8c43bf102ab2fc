-- Indexes for exact counts of orders under several filters. The index of each filter also holds the columns of the other
-- filters, so that a count reads no table row.

drop index order_items_product_id;
create index order_items_product_id on order_items (product_id, created_at) include (order_id);
-- An unknown total is shown as 0. The column itself is included for index-only scans.
drop index orders_total_amount;
create index orders_total_amount on orders (coalesce(total_amount, 0)) include (order_id, total_amount);

-- As before, these indexes hold only the values that few orders have.
drop index orders_status;
create index orders_status on orders (status, created_at)
  include (order_id, payment_status, fulfillment_status, currency, total_amount) where status <> 'confirmed';
drop index orders_payment_status;
create index orders_payment_status on orders (payment_status, created_at)
  include (order_id, status, fulfillment_status, currency, total_amount) where payment_status <> 'paid';
drop index orders_fulfillment_status;
create index orders_fulfillment_status on orders (fulfillment_status, created_at)
  include (order_id, status, payment_status, currency, total_amount) where fulfillment_status <> 'unfulfilled';
drop index orders_currency;
create index orders_currency on orders (currency, created_at)
  include (order_id, status, payment_status, fulfillment_status, total_amount) where currency <> 'USD';

-- The statuses depend on each other: a confirmed order is paid. Without these statistics the planner expects many rows for a
-- combination that has none, and chooses a bad plan.
create statistics orders_statuses (dependencies, mcv) on status, payment_status, fulfillment_status, currency from orders;
analyze orders;
