/**
 * Promise 1, from `inventory_operations` alone, and promise 4, from the keys.
 *
 *  - A product's operations are dense from version 1. Each changes the balances by exactly its quantity, never below zero,
 *    and never `held` above `on_hand`.
 *  - The product's row is the sum of its operations: on_hand = received + returned - committed +/- adjusted,
 *    held = held - released - committed, backordered = backordered - filled - given up.
 *  - No operation is earlier than the one before it: a past balance is found by its time.
 * One statement writes a product's row and operations, so these laws hold in every snapshot.
 */
import { OFFENDERS, type SqlLaw, STEADY_SINCE } from './sql-laws.js';

const ON_HAND = `case operation_type when 'receive' then quantity when 'return' then quantity when 'adjust' then quantity
  when 'commit' then -quantity else 0 end`;
/** A hold with `operation_no` above 1 fills a backorder. */
const BACKORDERED = `case when operation_type = 'backorder' then quantity
  when operation_type = 'unbackorder' or (operation_type = 'hold' and operation_no > 1) then -quantity else 0 end`;
const HELD = `case operation_type when 'hold' then quantity when 'release' then -quantity when 'commit' then -quantity else 0 end`;

/** An order's operation has the order as `ref` and `order_id`. A stock write has no order, and its request's fingerprint. */
const WELL_FORMED = `case
  when operation_type in ('release', 'backorder', 'unbackorder') then
    order_id is not null and ref = order_id and quantity > 0 and operation_no = 1 and fingerprint is null
  when operation_type in ('hold', 'return') then
    order_id is not null and ref = order_id and quantity > 0 and operation_no >= 1 and fingerprint is null
  when operation_type = 'commit' then
    order_id is not null and ref = order_id and quantity >= 0 and operation_no >= 1 and fingerprint is null
  when operation_type = 'receive' then order_id is null and quantity >= 0 and operation_no = 1 and fingerprint is not null
  when operation_type = 'adjust' then order_id is null and operation_no = 1 and fingerprint is not null
  else false end`;

const steps: SqlLaw = {
  promise: 'stock',
  of: 'product',
  what: 'the steps of each stock',
  text: `with steps as (
      select *, coalesce(lag(version) over w, 0) as before, lag(created_at) over w as before_at,
        coalesce(lag(on_hand_after) over w, 0) + ${ON_HAND} as on_hand,
        coalesce(lag(held_after) over w, 0) + ${HELD} as held,
        coalesce(lag(backordered_after) over w, 0) + ${BACKORDERED} as backordered,
        ${WELL_FORMED} as well_formed
      from inventory_operations window w as (partition by product_id order by version)),
    wrong as (
      select distinct on (product_id) *, 'operation ' || version || ' (' || operation_type || ' of ' || quantity || ', ' || ref || ')' as name
      from steps
      where version <> before + 1 or on_hand <> on_hand_after or held <> held_after
        or backordered <> backordered_after
        or held_after < 0 or held_after > on_hand_after or backordered_after < 0 or not well_formed
        or (created_at < before_at and before_at >= ${STEADY_SINCE})
      order by product_id, version)
    select product_id as id, count(*) over () as total,
      case when version <> before + 1 then 'the operation before ' || name
        when on_hand <> on_hand_after then 'on_hand after ' || name
        when held <> held_after then 'held after ' || name
        when backordered <> backordered_after or backordered_after < 0 then 'backordered after ' || name
        when not well_formed then 'the form of ' || name
        when held_after < 0 or held_after > on_hand_after then 'held after ' || name
        else 'the time of ' || name end as what,
      case when version <> before + 1 then case before when 0 then null else 'operation ' || before end
        when on_hand <> on_hand_after then on_hand_after::text
        when held <> held_after then held_after::text
        when backordered <> backordered_after or backordered_after < 0 then backordered_after::text
        when not well_formed then 'that of no operation'
        when held_after < 0 or held_after > on_hand_after then held_after::text
        else created_at::text end as found,
      case when version <> before + 1 then 'operation ' || version - 1
        when on_hand <> on_hand_after then on_hand::text
        when held <> held_after then held::text
        when backordered <> backordered_after then backordered::text
        when backordered_after < 0 then '0 or more'
        when not well_formed then 'one that an order or a write leaves'
        when held_after < 0 or held_after > on_hand_after then '0 to ' || on_hand_after
        else before_at || ' or later' end as expected
    from wrong order by product_id ${OFFENDERS}`,
};

const sums: SqlLaw = {
  promise: 'stock',
  of: 'product',
  what: 'the sums of each stock',
  text: `with summed as (
      select product_id, count(*) as operations, sum(${ON_HAND})::bigint as on_hand, sum(${HELD})::bigint as held,
        sum(${BACKORDERED})::bigint as backordered
      from inventory_operations group by product_id)
    select coalesce(p.product_id, s.product_id) as id, c.what, c.found, c.expected || c.why as expected, count(*) over () as total
    from products p
      full join summed s on s.product_id = p.product_id
      left join inventory_operations l on l.product_id = p.product_id and l.version = p.version
      cross join lateral (values
        (1, 'its row in products', p.product_id, coalesce(p.product_id, s.product_id), ''),
        (1, 'the first of its operations', s.product_id, coalesce(p.product_id, s.product_id), ''),
        (2, 'products.on_hand', p.on_hand::text, s.on_hand::text, ', the sum of its operations'),
        (3, 'products.held', p.held::text, s.held::text, ', the sum of its operations'),
        (3, 'products.backordered', p.backordered::text, s.backordered::text, ', the sum of its operations'),
        (3, 'the sum of products.waiting', coalesce((select sum((w->>'quantity')::bigint) from json_array_elements(p.waiting) as w), 0)::text,
          s.backordered::text, ', what is backordered'),
        (4, 'products.version', p.version::text, s.operations::text, ', the number of its operations'),
        (5, 'products.updated_at', p.updated_at::text, coalesce(l.created_at, p.updated_at)::text, '')
      ) as c(line, what, found, expected, why)
    where c.found is distinct from c.expected and (c.line = 1 or (p.product_id is not null and s.product_id is not null))
    order by 1, c.line ${OFFENDERS}`,
};

const writes: SqlLaw = {
  promise: 'once',
  of: 'product',
  what: 'one effect a write',
  text: `select product_id as id, 'the number of effects of the write ' || ref as what, count(*)::text as found, '1' as expected,
      count(*) over () as total
    from inventory_operations where order_id is null
    group by ref, product_id having count(*) > 1 order by product_id, ref ${OFFENDERS}`,
};

/** A write that was refused under a key never takes effect later. */
const refusals: SqlLaw = {
  promise: 'once',
  of: 'product',
  what: 'no effect of a write that was refused',
  text: `select r.product_id as id, 'the number of effects of the write ' || r.ref || ', refused as ' || r.refusal as what,
      count(*)::text as found, '0' as expected, count(*) over () as total
    from refused_writes r join inventory_operations o on o.ref = r.ref and o.product_id = r.product_id
    where o.order_id is null and o.fingerprint = r.fingerprint
    group by r.ref, r.product_id, r.refusal order by r.product_id, r.ref ${OFFENDERS}`,
};

/** The mock provider's effects must fit the order's outcome. */
const payments: SqlLaw = {
  promise: 'once',
  of: 'payment of order',
  what: 'one payment an order',
  text: `select e.order_id as id, 'what the provider has done for an order that is ' || o.status as what,
      case when e.effect = 'captured' then 'captured ' || e.minor || ', returned ' || e.returned else e.effect end as found,
      case when e.effect = 'voided' then 'nothing voided' else 'nothing captured, or all of it returned' end as expected,
      count(*) over () as total
    from payment_effects e join orders o on o.order_id = e.order_id
    where (o.status in ('failed', 'cancelled') and e.effect = 'captured' and e.returned < e.minor and o.state is null)
      or (o.status in ('confirmed', 'shipped', 'delivered') and e.effect = 'voided')
    order by e.order_id ${OFFENDERS}`,
};

/** Postgres itself stops an effect from happening twice, as long as these unique keys exist. */
const keys: SqlLaw = {
  promise: 'once',
  of: 'table',
  what: 'the unique keys',
  text: `select w.name as id, 'its unique key over (' || w.columns || ')' as what, null as found,
      'a valid unique index' as expected, count(*) over () as total
    from (values ('orders', 'order_id'), ('order_items', 'order_id, line'), ('order_turns', 'order_id, version'),
      ('products', 'product_id'), ('refused_writes', 'ref, product_id, fingerprint'), ('inventory_operations', 'ref, product_id, operation_type, operation_no'),
      ('inventory_operations', 'product_id, version'), ('partitions', 'partition'), ('journals', 'journal')) as w(name, columns)
    where not exists (
      select from pg_index i
      where i.indrelid = to_regclass(w.name) and i.indisunique and i.indisvalid and i.indpred is null
        and (select string_agg(a.attname, ', ' order by k.at) from unnest(i.indkey::int2[]) with ordinality as k(attnum, at)
             join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum) = w.columns)
    order by 1 ${OFFENDERS}`,
};

export const stockLaws: readonly SqlLaw[] = [steps, sums, writes, refusals, payments, keys];
