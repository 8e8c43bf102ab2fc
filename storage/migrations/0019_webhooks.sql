-- Webhooks, how far EVENTS was read for them, and their deliveries.

create table webhooks (
  id text collate "C" primary key,
  url text not null,
  types text[] not null,
  description text not null,
  -- As text: an HMAC can only be made with the secret itself. Whoever may read this table can sign in our name.
  secret text not null,
  old_secret text,
  -- Not rounded to milliseconds, as other times are: what is due now must not be due a moment later.
  old_secret_until timestamptz,
  disabled_for text collate "C" check (disabled_for in ('request', 'gone', 'failing', 'behind')),
  failures integer not null default 0,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  since timestamptz(3) not null default now()
);

create table webhook_place (
  is_one boolean primary key default true check (is_one),
  version bigint not null,
  cursor text
);
insert into webhook_place (version) values (0);

create table webhook_deliveries (
  id bigint generated always as identity primary key,
  webhook_id text collate "C" not null references webhooks on delete cascade,
  event_id text collate "C" not null,
  type text collate "C" not null,
  actor text collate "C" not null,
  body text not null,
  state text collate "C" not null default 'waiting' check (state in ('waiting', 'delivered', 'failed')),
  -- Sent once more on request: outside the order of its actor.
  again boolean not null default false,
  attempts integer not null default 0,
  status smallint,
  error text,
  took_ms integer,
  created_at timestamptz(3) not null default now(),
  -- When the next attempt may begin. Null: an earlier event of the actor goes first, or it has ended.
  due_at timestamptz,
  ended_at timestamptz(3),
  unique (webhook_id, event_id),
  check ((state = 'waiting') = (ended_at is null))
);
create index webhook_deliveries_log on webhook_deliveries (webhook_id, id);
create index webhook_deliveries_due on webhook_deliveries (webhook_id, due_at, id) where state = 'waiting';
create index webhook_deliveries_actor on webhook_deliveries (webhook_id, actor, id) where state in ('waiting', 'failed');
create index webhook_deliveries_ended on webhook_deliveries (webhook_id, ended_at) where ended_at is not null;
