-- Stock writes that were refused under a client's key: a sending of one that comes late is refused like the others.

create table refused_writes (
  -- In the order of their flushes: only the latest are kept.
  no bigint generated always as identity,
  ref text collate "C" not null,
  product_id text collate "C" not null,
  fingerprint text not null,
  refusal text not null,
  refused_at timestamptz(3) not null,
  primary key (ref, product_id, fingerprint)
);

create unique index refused_writes_no on refused_writes (no);
