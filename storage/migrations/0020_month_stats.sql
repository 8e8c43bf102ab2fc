-- Sums of products by month, beside those by day: best sellers of many days are added up from few rows.

-- Readers go on while the months are added up.
lock table order_stats_sums in share mode;

create table order_stats_months (
  -- Its first day.
  month date not null,
  product_id text collate "C" not null,
  currency text collate "C" not null,
  status text collate "C" not null,
  reason text collate "C" not null,
  orders bigint not null,
  containing bigint not null,
  units bigint not null,
  revenue numeric not null,
  primary key (month, product_id, currency, status, reason)
) with (fillfactor = 70);

insert into order_stats_months (month, product_id, currency, status, reason, orders, containing, units, revenue)
  select date_trunc('month', day::timestamp)::date, product_id, currency, status, reason, sum(orders), sum(containing),
    sum(units), sum(revenue)
  from order_stats_sums where product_id <> '' group by 1, 2, 3, 4, 5;

-- The queue as rows. Some have the same key: a reader adds them up.
create view order_stats_queued as
  select v.product_id, q.day, q.currency, q.status, q.reason, l.orders, v.containing, l.units, l.revenue
  from order_stats_queue q
    cross join lateral unnest(q.products::text[], q.orders::bigint[], q.containing::bigint[], q.units::bigint[],
      q.revenue::numeric[]) as l(product_id, orders, containing, units, revenue)
    cross join lateral (values (l.product_id, l.containing), ('', l.orders)) as v(product_id, containing);

-- By its new name no older version adds the queue to the days alone.
alter table order_stats_sums rename to order_stats_days;
alter index order_stats_sums_pkey rename to order_stats_days_pkey;
alter index order_stats_sums_day rename to order_stats_days_day;
create or replace view order_stats_parts as
  select product_id, day, currency, status, reason, orders, containing, units, revenue from order_stats_days
  union all
  select product_id, day, currency, status, reason, orders, containing, units, revenue from order_stats_queued;
