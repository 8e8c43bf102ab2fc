-- The tables of Holdfast. Ids compare by their bytes (collate "C"). A row carries the (epoch, n) up to which it contains
-- the journal: an older row never overwrites a newer one.

create table settlement (
  one boolean primary key default true check (one),
  id text not null,
  partitions integer not null check (partitions > 0),
  journal text collate "C" not null,
  seed text not null,
  settled_at timestamptz(3) not null default now()
);

create table probe (
  one boolean primary key default true check (one),
  at timestamptz not null
) with (fillfactor = 10);

-- One row per incarnation of a node: how far its journal is folded into the tables below.
create table journals (
  journal text collate "C" primary key,
  node text not null,
  closed boolean not null default false,
  n bigint not null default 0,
  position bigint not null default 0,
  record_id text not null default '',
  published_n bigint not null default 0,
  opened_at timestamptz(3) not null default now()
) with (fillfactor = 30);

create table partitions (
  partition integer primary key,
  epoch bigint not null,
  journal text collate "C" not null,
  seen json not null,
  sent json not null
) with (fillfactor = 50);

create table orders (
  order_id text collate "C" primary key,
  user_id text collate "C" not null,
  user_id_is_number boolean not null default false,
  user_email text,
  status text not null,
  reason text,
  details json,
  payment_status text not null,
  fulfillment_status text not null default 'unfulfilled',
  payment_method text,
  currency text,
  currency_asked boolean not null default false,
  total_amount numeric,
  shipping_cost numeric not null default 0,
  shipping_address json,
  billing_address json,
  notes text,
  tracking_id text,
  correlation_id text not null,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  version integer not null,
  epoch bigint not null,
  n bigint not null,
  -- The rest of an unsettled order's state; null once the order is settled.
  state json,
  check (status in ('pending', 'confirmed', 'shipped', 'delivered', 'cancelled', 'failed'))
) with (fillfactor = 90);

create index orders_user_id on orders (user_id, created_at);
create index orders_created_at on orders (created_at);
-- Most orders are confirmed. A list of them uses the index by time, so they need no entry here.
create index orders_status on orders (status, created_at) where status <> 'confirmed';
create index orders_unsettled on orders (order_id) where state is not null;

create table order_items (
  id text not null generated always as (order_id || '-' || line::text) stored,
  order_id text collate "C" not null references orders on delete cascade,
  -- The first line is 1.
  line integer not null,
  product_id text collate "C" not null,
  quantity bigint not null,
  unit_price numeric,
  subtotal numeric,
  hold text not null,
  -- Also the index on order_id. It keeps the id unique.
  primary key (order_id, line)
);

-- One row per turn that changed an order.
create table order_turns (
  order_id text collate "C" not null,
  -- The version of the turn's first event. The other events follow densely.
  version integer not null,
  at timestamptz(3) not null,
  correlation_id text not null,
  -- A JSON array of the events, as the journal has them.
  events json not null,
  primary key (order_id, version)
);

-- One row per event. The type is read from cleaned text: Postgres rejects JSON with a NUL or half a surrogate pair.
create view order_history as
  select t.order_id, t.version + e.place::integer - 1 as version,
    case when strpos(e.event::text, '\u') = 0 then e.event
      else regexp_replace(e.event::text, '\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\ufffd', 'g')::json end ->> 'type' as type,
    t.at, t.correlation_id, e.event as data
  from order_turns t cross join lateral
    json_array_elements(case when json_typeof(t.events) = 'array' then t.events else '[]' end) with ordinality as e(event, place);

create table products (
  product_id text collate "C" primary key,
  name text not null,
  unit_price numeric not null,
  currency text not null,
  on_hand bigint not null,
  held bigint not null,
  updated_at timestamptz(3) not null,
  version bigint not null,
  epoch bigint not null,
  n bigint not null,
  check (0 <= held and held <= on_hand)
) with (fillfactor = 50);

create table inventory_operations (
  ref text collate "C" not null,
  order_id text collate "C",
  product_id text collate "C" not null,
  operation_type text not null,
  operation_no bigint not null,
  quantity bigint not null,
  -- The product's version after the operation. Versions are dense, so a missing operation shows.
  version bigint not null,
  on_hand_after bigint not null,
  held_after bigint not null,
  reason text,
  fingerprint text,
  correlation_id text not null,
  created_at timestamptz(3) not null,
  primary key (ref, product_id, operation_type, operation_no)
);

create unique index inventory_operations_version on inventory_operations (product_id, version);

create view order_stats as
  select status, currency, count(*) as orders, coalesce(sum(total_amount), 0) as total_amount
  from orders
  group by status, currency;

-- The log in Postgres. The head is a row of its own, moved by compare-and-set. It stays when records are trimmed.
create table log_heads (
  log text collate "C" primary key,
  position bigint not null
) with (fillfactor = 10);

create table log_records (
  log text collate "C" not null,
  position bigint not null,
  record text not null,
  primary key (log, position)
);
-- A record is read once or never. Compression would slow every append.
alter table log_records alter column record set storage external;

-- The mock payment provider's ledger.
create table payment_effects (
  order_id text collate "C" not null,
  effect text not null,
  at timestamptz(3) not null default now(),
  unique (order_id, effect)
);
-- One decision per order: a void that arrives first takes the place of the authorization.
create unique index payment_effects_decision on payment_effects (order_id) where effect in ('authorized', 'declined');
