/**
 * Promise 3 for an order's life after its outcome: `orders.life` and `orders.fulfillment_status` agree with its history.
 * Shipments, returns and refunds are compared part by part. Most orders have none, so only turns with such events are
 * read.
 */
import { msOf } from '../postgres/column-arrays.js';
import { eventsWith, OFFENDERS, readable, type SqlLaw } from './sql-laws.js';

const EVENTS = eventsWith('"type":"(shipped|delivered|return_|refund|capture_failed)');

const lines = (json: string): string =>
  `(select string_agg((l->>'quantity') || ' ' || (l->>'product'), ', ' order by at) from json_array_elements(${json}->'lines') with ordinality as l(l, at))`;

const pieces = (json: string): string =>
  `(select sum((l->>'quantity')::bigint) from json_array_elements(${json}->'lines') as l)`;

/** A part in words, and how many of its pieces are shipped, delivered and returned. */
const PARTS = `select s.order_id, s.data->>'id' as part,
    'shipped ' || ${lines('s.data')} || coalesce(' with ' || (s.data->>'carrier'), '') || coalesce(' as ' || (s.data->>'tracking'), '')
      || case when d.part is null then '' else ', delivered' end as words,
    ${pieces('s.data')} as shipped, case when d.part is null then 0 else ${pieces('s.data')} end as delivered, 0 as returned
  from events s left join delivered d on d.order_id = s.order_id and d.part = s.data->>'id' where s.type = 'shipped'
  union all
  select q.order_id, q.data->>'id', 'return of ' || ${lines('q.data')} || ', ' ||
      case when g.part is not null then 'refunded' when r.order_id is not null then 'received' else 'requested' end
      || case (r.data->>'restocked')::boolean when true then ', restocked' when false then ', written off' else '' end,
    0, 0, case when r.order_id is null then 0 else ${pieces('q.data')} end
  from events q left join events r on r.order_id = q.order_id and r.type = 'return_received' and r.data->>'id' = q.data->>'id'
    left join given g on g.order_id = q.order_id and g.part = q.data->>'id' where q.type = 'return_requested'
  union all
  select m.order_id, m.data->>'id', 'refund of ' || (m.data->>'minor') || ', ' ||
      case when u.type = 'refunded' then 'done' when u.type = 'refund_failed' or k.order_id is not null then 'failed' else 'owed' end, 0, 0, 0
  from events m left join events u on u.order_id = m.order_id and u.type in ('refunded', 'refund_failed') and u.data->>'id' = m.data->>'id'
    left join events k on k.order_id = m.order_id and k.type = 'capture_failed' where m.type = 'refund_requested'`;

const STORED = `select o.order_id, f->>'id' as part,
    'shipped ' || ${lines('f')} || coalesce(' with ' || (f->>'carrier'), '') || coalesce(' as ' || (f->>'tracking'), '')
      || case when f->>'deliveredAt' is null then '' else ', delivered' end as words
  from lives o cross join lateral json_array_elements(o.life->'fulfillments') as f
  union all
  select o.order_id, r->>'id', 'return of ' || ${lines('r')} || ', ' || (r->>'status')
      || case (r->>'restocked')::boolean when true then ', restocked' when false then ', written off' else '' end
  from lives o cross join lateral json_array_elements(o.life->'returns') as r
  union all
  select o.order_id, m->>'id', 'refund of ' || (m->>'minor') || ', ' || (m->>'status')
  from lives o cross join lateral json_array_elements(o.life->'refunds') as m`;

/** A refund names its return (`returned`). */
const COMMON = `events as materialized (${EVENTS}),
  delivered as (select distinct order_id, d as part from events cross join lateral json_array_elements_text(data->'ids') as d where type = 'delivered'),
  given as (select distinct m.order_id, m.data->>'returned' as part from events m join events u
    on u.order_id = m.order_id and u.type = 'refunded' and u.data->>'id' = m.data->>'id' where m.type = 'refund_requested'),
  parts as (${PARTS})`;

const contents: SqlLaw = {
  promise: 'outcome',
  of: 'order',
  what: 'shipments, returns and refunds against their history',
  text: `with ${COMMON}, lives as (select order_id, ${readable('life')} as life from orders where life is not null),
    stored as (${STORED}),
    wrong as (
      select coalesce(p.order_id, s.order_id) as id, coalesce(p.part, s.part) as part, s.words as found, p.words as expected
      from parts p full join stored s on s.order_id = p.order_id and s.part = p.part
      where s.words is distinct from p.words)
    select id, part || ' in orders.life' as what, found, expected, count(*) over () as total from wrong order by id, part ${OFFENDERS}`,
};

/** The time of each part and of each delivery. The law above finds missing parts. */
const moments: SqlLaw = {
  promise: 'outcome',
  of: 'order',
  what: 'when shipments, returns and refunds were',
  text: `with ${COMMON}, lives as (select order_id, ${readable('life')} as life from orders where life is not null),
    happened as (
      select order_id, data->>'id' as part, ${msOf('at')} as at from events where type in ('shipped', 'return_requested', 'refund_requested')
      union all
      select order_id, d || ' delivered', ${msOf('at')} from events cross join lateral json_array_elements_text(data->'ids') as d where type = 'delivered'),
    stored as (
      select order_id, each.part->>'id' as part, coalesce(each.part->>'shippedAt', each.part->>'requestedAt')::bigint as at
      from lives cross join lateral (values ('fulfillments'), ('returns'), ('refunds')) as lists(list)
        cross join lateral json_array_elements(life->list) as each(part)
      union all
      select order_id, (f->>'id') || ' delivered', (f->>'deliveredAt')::bigint
      from lives cross join lateral json_array_elements(life->'fulfillments') as f where f->>'deliveredAt' is not null)
    select order_id as id, 'the time of ' || part || ' in orders.life' as what, s.at::text as found, h.at::text as expected,
      count(*) over () as total
    from happened h join stored s using (order_id, part) where s.at is distinct from h.at order by 1, part ${OFFENDERS}`,
};

const fulfillment: SqlLaw = {
  promise: 'outcome',
  of: 'order',
  what: 'how far the goods of orders are',
  text: `with ${COMMON},
    sums as (select order_id, sum(shipped) as shipped, sum(delivered) as delivered, sum(returned) as returned from parts group by 1),
    expected as (
      select s.order_id, case
        when shipped = 0 then 'unfulfilled'
        when returned > 0 then case when returned = i.quantity then 'returned' else 'partially_returned' end
        when delivered > 0 then case when delivered = i.quantity then 'delivered' else 'partially_delivered' end
        when shipped = i.quantity then 'shipped' else 'partially_shipped' end as status
      from sums s cross join lateral (select sum(quantity) as quantity from order_items i where i.order_id = s.order_id) as i),
    wrong as (
      select o.order_id as id, o.fulfillment_status as found, coalesce(e.status, 'unfulfilled') as expected
      from orders o left join expected e on e.order_id = o.order_id
      where o.fulfillment_status is distinct from coalesce(e.status, 'unfulfilled'))
    select id, 'orders.fulfillment_status' as what, found, expected, count(*) over () as total from wrong order by id ${OFFENDERS}`,
};

export const lifeLaws: readonly SqlLaw[] = [contents, moments, fulfillment];
