/**
 * Promise 2 for orders at rest: nothing of theirs is under way, neither in a journal beyond the rows nor in
 * a letter. Each line and the product's operations must agree, both ways; those on the way are judged
 * one by one (moving-orders.ts).
 */
import { texts } from '../arrays.js';
import { OFFENDERS, type SqlLaw } from './sql-laws.js';

/** @param moving orders that are judged elsewhere. */
export const holdLaw = (moving: readonly string[]): SqlLaw => ({
  promise: 'holds',
  of: 'order',
  what: 'orders against stocks',
  parameters: [texts(moving, (id) => id)],
  text: `with moved as (
      select order_id, product_id,
        coalesce(sum(quantity) filter (where operation_type = 'hold'), 0)::bigint as hold,
        coalesce(sum(quantity) filter (where operation_type = 'release'), 0)::bigint as release,
        coalesce(sum(quantity) filter (where operation_type = 'commit'), 0)::bigint as commit
      from inventory_operations where order_id is not null group by order_id, product_id),
    expected as (
      select i.order_id, i.product_id, o.status,
        sum(case when i.hold in ('held', 'released') then i.quantity else 0 end)::bigint as hold,
        sum(case when i.hold = 'released' then i.quantity else 0 end)::bigint as release,
        sum(case when i.hold = 'held' and o.status not in ('pending', 'failed') then i.quantity else 0 end)::bigint as commit
      from order_items i join orders o on o.order_id = i.order_id group by i.order_id, i.product_id, o.status),
    wrong as (
      select coalesce(e.order_id, m.order_id) as id, coalesce(e.product_id, m.product_id) as product_id,
        coalesce('an order that is ' || e.status, 'no order with such a line') as whose,
        coalesce(m.hold, 0) as hold, coalesce(m.release, 0) as release, coalesce(m.commit, 0) as commit,
        coalesce(e.hold, 0) as must_hold, coalesce(e.release, 0) as must_release, coalesce(e.commit, 0) as must_commit
      from expected e full join moved m on m.order_id = e.order_id and m.product_id = e.product_id
      where (coalesce(m.hold, 0), coalesce(m.release, 0), coalesce(m.commit, 0))
        is distinct from (coalesce(e.hold, 0), coalesce(e.release, 0), coalesce(e.commit, 0)))
    select id, 'what product ' || product_id || ' did for it (' || whose || ')' as what,
      'held ' || hold || ', released ' || release || ', committed ' || commit as found,
      'held ' || must_hold || ', released ' || must_release || ', committed ' || must_commit as expected,
      count(*) over () as total
    from wrong where not exists (select from unnest($1::text[]) as t(id) where t.id = wrong.id)
    order by id, product_id ${OFFENDERS}`,
});
