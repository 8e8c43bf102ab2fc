-- The rest of an order's life, and stock that is promised before it is there.

-- Shipments, returns, refunds and the names of the requests for them; null while there is nothing of it.
alter table orders add column life json;

alter table order_items add column backordered bigint not null default 0;

alter table products add column backordered bigint not null default 0 check (backordered >= 0);
alter table products add column allow_backorder boolean not null default false;
-- Null: as much as stock may be.
alter table products add column backorder_limit bigint;
-- Who waits, first come, first served; null for nobody.
alter table products add column waiting json;

alter table inventory_operations add column backordered_after bigint not null default 0;
