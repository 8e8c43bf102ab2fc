/**
 * Promise 2 for orders at rest: orders without events beyond the rows and without letters under way. Each line and the
 * product's operations must agree, in both directions. Other orders are judged one by one (moving-orders.ts).
 *
 * A held line is held in full, less two quantities: what it still waits for (`backordered`), and what it never got
 * because the order ended first (`unbackorder`). Held stock is released if the order ended before it was confirmed, and
 * committed if it was confirmed. It is returned if the order was cancelled after that.
 */
import { texts } from '../postgres/column-arrays.js';
import { OFFENDERS, readable, type SqlLaw } from './sql-laws.js';

const KINDS = ['hold', 'release', 'commit', 'return', 'backorder', 'unbackorder'] as const;

const MOVED = KINDS.map(
  (kind) => `coalesce(sum(quantity) filter (where operation_type = '${kind}'), 0)::bigint as ${kind}`,
).join(', ');

const words = (numbers: readonly string[]): string =>
  `'held ' || ${numbers[0]} || ', released ' || ${numbers[1]} || ', committed ' || ${numbers[2]} || ', returned ' || ${numbers[3]} ||
    case when ${numbers[4]} + ${numbers[5]} > 0 then ', backordered ' || ${numbers[4]} || ', no longer ' || ${numbers[5]} else '' end`;

const ENDED = "l.status in ('failed', 'cancelled')";

const FOUND = KINDS.map((kind) => `coalesce(m.${kind}, 0)`);
const MUST = KINDS.map((kind) => `coalesce(e.${kind}, 0)`);

/**
 * An archived order has no items any more: its archive tells what products did for it (archive-laws.ts).
 * @param moving orders to skip: moving-orders.ts judges them.
 */
export const holdLaw = (moving: readonly string[]): SqlLaw => ({
  promise: 'holds',
  of: 'order',
  what: 'orders against stocks',
  parameters: [texts(moving, (id) => id)],
  text: `with moved as (
      select order_id, product_id, ${MOVED},
        coalesce(sum(quantity) filter (where operation_type = 'hold' and operation_no > 1), 0)::bigint as filled
      from inventory_operations m where order_id is not null
        and not exists (select from archived_orders a where a.order_id = m.order_id and not exists (select from orders o where o.order_id = a.order_id))
      group by order_id, product_id),
    restocked as (
      select o.order_id, l->>'product' as product_id, sum((l->>'quantity')::bigint)::bigint as quantity
      from (select order_id, ${readable('life')} as life from orders where life is not null) o cross join lateral json_array_elements(o.life->'returns') as r cross join lateral json_array_elements(r->'lines') as l
      where (r->>'restocked')::boolean
      group by 1, 2),
    lines as (
      select i.order_id, i.product_id, i.quantity, i.backordered, o.status, i.hold in ('held', 'released') as was_held,
        o.status not in ('pending', 'failed') and (o.status <> 'cancelled' or (${readable('o.life')})->'cancelled'->>'was' = 'confirmed') as was_confirmed
      from order_items i join orders o on o.order_id = i.order_id),
    expected as (
      select l.order_id, l.product_id, l.status,
        case when was_held then l.quantity - l.backordered - coalesce(m.unbackorder, 0) else 0 end as hold,
        case when was_held and ${ENDED} and not was_confirmed then l.quantity - coalesce(m.unbackorder, 0) else 0 end as release,
        case when was_held and was_confirmed then l.quantity - l.backordered - coalesce(m.unbackorder, 0) else 0 end as commit,
        case when was_held and was_confirmed and l.status = 'cancelled' then l.quantity - coalesce(m.unbackorder, 0)
          else coalesce(r.quantity, 0) end as return,
        case when was_held then l.backordered + coalesce(m.filled, 0) + coalesce(m.unbackorder, 0) else 0 end as backorder,
        case when was_held and ${ENDED} then coalesce(m.unbackorder, 0) else 0 end as unbackorder
      from lines l left join moved m on m.order_id = l.order_id and m.product_id = l.product_id
        left join restocked r on r.order_id = l.order_id and r.product_id = l.product_id),
    wrong as (
      select coalesce(e.order_id, m.order_id) as id, coalesce(e.product_id, m.product_id) as product_id,
        coalesce('an order that is ' || e.status, 'no order with such a line') as whose,
        ${words(FOUND)} as found, ${words(MUST)} as expected
      from expected e full join moved m on m.order_id = e.order_id and m.product_id = e.product_id
      where (${FOUND.join(', ')}) is distinct from (${MUST.join(', ')}))
    select id, 'what product ' || product_id || ' did for it (' || whose || ')' as what, found, expected, count(*) over () as total
    from wrong where not exists (select from unnest($1::text[]) as t(id) where t.id = wrong.id)
    order by id, product_id ${OFFENDERS}`,
});
