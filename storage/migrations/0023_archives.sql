-- Orders that were moved out of the tables above, into files (storage/archive). Their keys still answer, so each keeps a row.

create table archives (
  no integer generated always as identity primary key,
  -- The file's name within its place: a folder, or s3://bucket/prefix.
  name text collate "C" not null unique,
  place text not null,
  begun_at timestamptz(3) not null default now(),
  -- From here on the file is complete, and was read back.
  noted_at timestamptz(3),
  orders integer,
  bytes bigint,
  sha256 text,
  -- When its orders were placed.
  first_placed_at timestamptz(3),
  last_placed_at timestamptz(3),
  -- Nodes that have seen this number decide nothing any more from what they knew before `noted_at`.
  barrier bigint,
  -- Orders of the file that changed before their rows could go: they stay in the tables.
  left_out integer not null default 0,
  -- From here on no row of its orders is in the tables.
  cleared_at timestamptz(3),
  -- The archive that has its orders now, without somebody's personal data.
  replaced_by integer references archives,
  -- From here on its orders are gone for good. Only their ids are known.
  removed_at timestamptz(3),
  check ((noted_at is null) = (sha256 is null))
);
create index archives_barrier on archives (barrier) where barrier is not null;
create sequence archive_barriers;

-- A block is a part of the file that can be read by itself.
create table archive_blocks (
  archive integer not null references archives,
  block integer not null,
  at bigint not null,
  bytes integer not null,
  primary key (archive, block)
);

create table archived_orders (
  order_id text collate "C" primary key,
  archive integer not null,
  block integer not null,
  version integer not null
);

-- What the archived orders count for in `order_stats_days`. Those sums do not change when orders are archived.
create table archived_stats (
  product_id text collate "C" not null,
  day date not null,
  currency text collate "C" not null,
  status text collate "C" not null,
  reason text collate "C" not null,
  orders bigint not null,
  containing bigint not null,
  units bigint not null,
  revenue numeric not null,
  primary key (product_id, day, currency, status, reason)
);

-- The highest barrier that the journal's node has seen, with nothing left from before.
alter table journals add column archives_seen bigint not null default 0;
