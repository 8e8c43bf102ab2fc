-- API keys. Only a key's SHA-256 is stored, never the key. A plain hash is enough for 256 random bits.
create table api_keys (
  id text collate "C" primary key,
  hash text collate "C" not null unique,
  name text not null,
  scopes text[] not null,
  -- Null: the key of a service, which may read every user's data.
  user_id text collate "C",
  -- The id of the first key in a chain of keys that replaced one another.
  caller text collate "C" not null,
  created_at timestamptz(3) not null,
  expires_at timestamptz(3),
  revoked_at timestamptz(3),
  last_used_at timestamptz(3),
  check (user_id is null or not 'admin' = any (scopes))
);
create index api_keys_created_at on api_keys (created_at desc, id);
