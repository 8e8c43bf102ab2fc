-- The life of an order after its outcome, and backorders.

-- Shipments, returns, refunds and the refs of the requests for them; null while there are none.
alter table orders add column life json;

alter table order_items add column backordered bigint not null default 0;

alter table products add column backordered bigint not null default 0 check (backordered >= 0);
alter table products add column allow_backorder boolean not null default false;
-- Null: limited only by the largest stock allowed.
alter table products add column backorder_limit bigint;
-- The orders that wait for stock, first come, first served; null when none waits.
alter table products add column waiting json;

alter table inventory_operations add column backordered_after bigint not null default 0;
