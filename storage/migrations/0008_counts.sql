-- What an exact count of orders under several filters needs: the index of each filter alone tells which orders it has and
-- what else is asked about them, so that no row is looked at.

drop index order_items_product_id;
create index order_items_product_id on order_items (product_id, created_at) include (order_id);
-- A total that is not known, or never will be, is shown as nothing. The column itself is there for scans of the index alone.
drop index orders_total_amount;
create index orders_total_amount on orders (coalesce(total_amount, 0)) include (order_id, total_amount);

-- As before only what few orders have is in them.
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

-- What is confirmed is paid: who does not know supposes many orders where there are none, and looks for them in the wrong way.
create statistics orders_statuses (dependencies, mcv) on status, payment_status, fulfillment_status, currency from orders;
analyze orders;
