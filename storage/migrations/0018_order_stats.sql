-- Numbers of orders by day, status, product and currency, kept by the flush. The view `order_stats` is exact at every
-- moment: it adds what the queue has to the sums.

-- Sums of what the queue had. Product '' stands for all products.
create table order_stats_sums (
  product_id text collate "C" not null,
  -- The day in UTC on which the orders were placed.
  day date not null,
  -- '' while no product has named it.
  currency text collate "C" not null,
  status text collate "C" not null,
  -- Why the orders failed; '' for others.
  reason text collate "C" not null,
  -- Each order counts once: at its first product.
  orders bigint not null,
  -- Each order counts at each of its products.
  containing bigint not null,
  units bigint not null,
  revenue numeric not null,
  primary key (product_id, day, currency, status, reason)
) with (fillfactor = 70);
create index order_stats_sums_day on order_stats_sums (day);

-- What flush statements changed: a row for each day, currency, status and reason, with array literals of the products
-- and of their numbers. The statement that writes the orders writes this row too.
create table order_stats_queue (
  id bigint generated always as identity primary key,
  day date not null,
  currency text not null,
  status text not null,
  reason text not null,
  products text not null,
  orders text not null,
  containing text not null,
  units text not null,
  revenue text not null
);
-- A row is read once and deleted. Compression would slow every flush.
alter table order_stats_queue
  alter column products set storage external, alter column orders set storage external,
  alter column containing set storage external, alter column units set storage external,
  alter column revenue set storage external;

-- The orders that are stored already, a month at a time. Readers go on meanwhile.
lock table orders in share mode;
set local plan_cache_mode = force_custom_plan;
do $$
declare
  month timestamp;
begin
  for month in select generate_series(date_trunc('month', min(created_at) at time zone 'UTC'),
      max(created_at) at time zone 'UTC', interval '1 month') from orders loop
    insert into order_stats_sums (product_id, day, currency, status, reason, orders, containing, units, revenue)
      with by_product as (
        select i.product_id, (o.created_at at time zone 'UTC')::date as day, coalesce(o.currency, '') as currency, o.status,
          coalesce(o.reason, '') as reason, count(*) filter (where i.line = 1) as orders, count(*) as containing,
          sum(i.quantity) as units,
          coalesce(sum(i.subtotal) filter (where o.status in ('confirmed', 'shipped', 'delivered')), 0) as revenue
        from orders o join order_items i on i.order_id = o.order_id
        where o.created_at >= month at time zone 'UTC' and o.created_at < (month + interval '1 month') at time zone 'UTC'
        group by 1, 2, 3, 4, 5)
      select * from by_product
      union all
      select '', day, currency, status, reason, sum(orders), sum(orders), sum(units), sum(revenue)
      from by_product group by 2, 3, 4, 5;
    raise info 'the orders of % are counted', to_char(month, 'YYYY-MM');
  end loop;
end $$;

-- From here on readers wait for the end of the migration.
drop view order_stats;

-- What the row was counted as before it was last overwritten: status, reason and currency; '' in a new row. The flush
-- learns from it what to take off. Without a default, an older version cannot write a row that is not counted.
alter table orders add column stats_before text not null default '';
alter table orders alter column stats_before drop default;

-- The sums and the queue in one form. Some rows have the same key: a reader adds them up.
create view order_stats_parts as
  select product_id, day, currency, status, reason, orders, containing, units, revenue from order_stats_sums
  union all
  select v.product_id, q.day, q.currency, q.status, q.reason, l.orders, v.containing, l.units, l.revenue
  from order_stats_queue q
    cross join lateral unnest(q.products::text[], q.orders::bigint[], q.containing::bigint[], q.units::bigint[],
      q.revenue::numeric[]) as l(product_id, orders, containing, units, revenue)
    cross join lateral (values (l.product_id, l.containing), ('', l.orders)) as v(product_id, containing);

create view order_stats as
  select day, status, nullif(reason, '') as reason, product_id, nullif(currency, '') as currency,
    sum(orders)::bigint as orders, sum(containing)::bigint as containing, sum(units)::bigint as units, sum(revenue) as revenue
  from order_stats_parts
  where product_id <> ''
  group by day, status, order_stats_parts.reason, product_id, order_stats_parts.currency
  having sum(containing) <> 0;
