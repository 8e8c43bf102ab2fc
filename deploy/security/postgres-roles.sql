-- The roles of Holdfast in Postgres. Run it in Holdfast's database as a superuser, while no node runs; again does no harm:
--   psql -d holdfast -v ON_ERROR_STOP=1 -f deploy/security/postgres-roles.sql
-- Then give each role a password: postgres-passwords.sql, or psql's \password. Without one nobody can use it over the network.
--
--   holdfast_owner   owns the tables and changes them: MIGRATIONS_DATABASE_URL
--   holdfast_node    what a node does at run time, and no more: DATABASE_URL
--   holdfast_backup  dumps: it reads everything, writes nothing, and makes databases, as a dump counts once it was restored into one
--   holdfast_reader  people: they read all but secrets, and write nothing
--
-- What the last three may do with each table is in storage/postgres/grants.sql. The next start of a node with
-- MIGRATIONS_DATABASE_URL grants it.

do $$
declare
  each record;
  name text;
  migrated_by oid := (select relowner from pg_class where oid = to_regclass('public.holdfast_migrations'));
begin
  foreach name in array array['holdfast_owner', 'holdfast_node', 'holdfast_backup', 'holdfast_reader'] loop
    if not exists (select from pg_roles where rolname = name) then
      execute format('create role %I login', name);
    end if;
    execute format('grant connect on database %I to %I', current_database(), name);
    execute format('grant usage on schema public to %I', name);
  end loop;

  alter role holdfast_backup createdb;

  -- Nobody makes tables but the owner, not even temporary ones.
  execute format('revoke temporary on database %I from public', current_database());
  revoke create on schema public from public;
  grant create on schema public to holdfast_owner;

  -- A flush writes rows that refer to one another in one statement. With this it need not check them one by one, which saves
  -- a fifth of its work. Before 15 Postgres cannot grant it.
  if current_setting('server_version_num')::integer >= 150000 then
    execute 'grant set on parameter session_replication_role to holdfast_node';
  end if;

  -- What another role has migrated before changes its owner.
  for each in
    select format('%s %s', case relkind when 'v' then 'view' else 'table' end, oid::regclass) as object
      from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v') and relowner = migrated_by
    union all
    -- The sequence of a column goes with its table.
    select format('sequence %s', oid::regclass)
      from pg_class where relnamespace = 'public'::regnamespace and relkind = 'S' and relowner = migrated_by
        and not exists (select from pg_depend where objid = pg_class.oid and classid = 'pg_class'::regclass and deptype in ('a', 'i'))
    union all
    select format('routine %s', oid::regprocedure)
      from pg_proc where pronamespace = 'public'::regnamespace and proowner = migrated_by
    union all
    select format('statistics public.%I', stxname)
      from pg_statistic_ext where stxnamespace = 'public'::regnamespace and stxowner = migrated_by
  loop
    if migrated_by <> 'holdfast_owner'::regrole then
      execute format('alter %s owner to holdfast_owner', each.object);
    end if;
  end loop;
end $$;
