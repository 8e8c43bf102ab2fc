-- What a node, a dump and people may do with each table: exactly what the code does, and what people may read. The owner runs it after
-- each migration (migrate.ts). A role that is not there is left out. A new table stands here, or a test fails.
do $$
declare
  of_table record;
  granted record;
begin
  for of_table in select * from (values
    -- table, node, people
    ('api_keys', 'select, insert, update',
      'select (id, name, scopes, user_id, caller, created_at, expires_at, revoked_at, last_used_at)'),
    ('archive_blocks', 'select', 'select'),
    ('archive_policy', '', 'select'),
    ('archived_orders', 'select', 'select'),
    ('archived_stats', 'select', 'select'),
    ('archives', 'select', 'select'),
    ('gremlin', 'select, insert, update', 'select'),
    ('holdfast_migrations', 'select', 'select'),
    ('inventory_operations', 'select, insert', 'select'),
    ('journals', 'select, insert, update, delete', 'select'),
    ('log_heads', 'select, insert, update', 'select'),
    ('log_records', 'select, insert, delete', 'select'),
    ('order_history', 'select', 'select'),
    ('order_items', 'select, insert, update', 'select'),
    ('order_search', 'select, insert, update, delete', 'select'),
    ('order_search_queue', 'select, insert, update, delete', 'select'),
    ('order_stats', '', 'select'),
    ('order_stats_days', 'select, insert, update', 'select'),
    ('order_stats_months', 'select, insert, update', 'select'),
    ('order_stats_parts', 'select', 'select'),
    ('order_stats_queue', 'select, insert, delete', 'select'),
    ('order_stats_queued', 'select', 'select'),
    ('order_turns', 'select, insert, update (events)', 'select'),
    ('orders', 'select, insert, update', 'select'),
    ('partitions', 'select, insert, update', 'select'),
    ('payment_effects', 'select, insert, update', 'select'),
    ('probe', 'select, insert, update', 'select'),
    ('products', 'select, insert, update', 'select'),
    ('receipt_keys', 'select, insert, update, delete', 'select'),
    ('refused_writes', 'select, insert, delete', 'select'),
    ('search_products', 'select, insert, update', 'select'),
    ('search_users', 'select, insert', 'select'),
    ('settlement', 'select, insert', 'select'),
    ('webhook_deliveries', 'select, insert, update, delete', 'select'),
    ('webhook_place', 'select, update', 'select'),
    ('webhooks', 'select, insert, update, delete',
      'select (id, url, types, description, old_secret_until, disabled_for, failures, created_at, updated_at, since)')
  ) as t(name, node, people) loop
    for granted in select * from (values
      ('holdfast_node', of_table.node), ('holdfast_reader', of_table.people)) as r(role, what)
      where exists (select from pg_roles where rolname = role) and role <> current_user
    loop
      execute format('revoke all on public.%I from %I', of_table.name, granted.role);
      if granted.what <> '' then
        execute format('grant %s on public.%I to %I', granted.what, of_table.name, granted.role);
      end if;
    end loop;
  end loop;

  -- A dump has every table, also one that this list lacks, and an API key notes when it was used.
  -- Whoever checks a dump owns the tables of its scratch database, and keeps its rights.
  if exists (select from pg_roles where rolname = 'holdfast_backup') and current_user <> 'holdfast_backup' then
    revoke all on all tables in schema public from holdfast_backup;
    grant select on all tables in schema public to holdfast_backup;
    grant select on all sequences in schema public to holdfast_backup;
    grant update (last_used_at) on public.api_keys to holdfast_backup;
  end if;

  for granted in select oid::regprocedure as routine from pg_proc
    where pronamespace = 'public'::regnamespace and proname = 'payment_perform'
      and exists (select from pg_roles where rolname = 'holdfast_node')
  loop
    execute format('revoke all on routine %s from public', granted.routine);
    execute format('grant execute on routine %s to holdfast_node', granted.routine);
  end loop;
end $$;
