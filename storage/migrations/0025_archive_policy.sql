-- When the role `backup` last archived by its policy (ARCHIVE_TO and so on), so that a start anew is no new day. It has one row.
create table archive_policy (
  one boolean primary key default true check (one),
  policy text not null,
  ran_at timestamptz(3) not null
);

-- Its place is lost for ever: nobody asks that place for it any more.
alter table archives add column abandoned boolean not null default false;
