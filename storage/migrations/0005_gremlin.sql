-- The gremlin's one switch for all nodes: its setting, and when it expires by this database's clock.
create table gremlin (
  one boolean primary key default true check (one),
  id text not null,
  setting json not null,
  since timestamptz(3) not null,
  expires_at timestamptz(3) not null
);
