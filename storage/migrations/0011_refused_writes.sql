-- Stock writes that were refused under a client's key. A late repeat of the request is refused as well.

create table refused_writes (
  -- In the order of flushes. Only the latest rows are kept.
  no bigint generated always as identity,
  ref text collate "C" not null,
  product_id text collate "C" not null,
  fingerprint text not null,
  refusal text not null,
  refused_at timestamptz(3) not null,
  primary key (ref, product_id, fingerprint)
);

create unique index refused_writes_no on refused_writes (no);
