-- Which receipt a client's key stands for. Its products may have several owners, and the first receipt may not be stored yet.

create table receipt_keys (
  ref text collate "C" primary key,
  fingerprint text not null,
  taken_at timestamptz(3) not null default now()
);

create index receipt_keys_taken_at on receipt_keys (taken_at);
