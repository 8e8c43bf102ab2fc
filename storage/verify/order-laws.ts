/**
 * Promise 3: an order's row and items agree with its history, and its history is a legal path:
 *
 *   placed, answered*, then  held, paid (unless it costs nothing), confirmed, its life, perhaps cancelled and its money
 *                        or  held, failed or cancelled, its money
 *                        or  failed or cancelled, answered*        (late answers)
 *   or imported, its shipments
 *
 * These laws fold the history anew in SQL, from the events alone. One statement writes an order's row, items and history,
 * so the laws hold in every snapshot.
 */
import type { OrderEvent } from '../../actors/protocol.js';
import { texts } from '../postgres/column-arrays.js';
import { eventsWith, OFFENDERS, readable, type SqlLaw, STEADY_SINCE } from './sql-laws.js';

/**
 * One letter per event. `paid` and `confirmed` happen together; for an order that costs nothing, `held` and `confirmed`.
 * `forgotten`, `act_answered` and
 * `import_differed` are no steps.
 */
const LETTERS = {
  placed: 'p',
  imported: 'i',
  import_differed: '',
  late_sent: 'l',
  answered: 'a',
  held: 'h',
  hold_extended: 'x',
  paid: 'd',
  confirmed: 'c',
  captured: 't',
  capture_failed: 'k',
  failed: 'f',
  voided: 'v',
  cancelled: 'n',
  stock_arrived: 'b',
  shipped: 's',
  delivered: 'e',
  return_requested: 'q',
  return_received: 'r',
  refund_requested: 'm',
  refunded: 'u',
  refund_failed: 'w',
  forgotten: '',
  act_answered: '',
} as const satisfies { readonly [T in OrderEvent['type']]: string };

const LETTER = `case type ${Object.entries(LETTERS)
  .map(([type, letter]) => `when '${type}' then '${letter}'`)
  .join(' ')} else '?' end`;

const PENDING = '[alxb]*';
const LIFE = '[btkseqrmuw]*';
const MONEY = '[vtmuw]*';
const LEGAL = `^(p${PENDING}(h[xb]*(d?c${LIFE}(n${MONEY})?|[fn]${MONEY})?|[fn]a*)?|i[se]*)$`;
/** An order with a total is confirmed only with `paid`. Older versions also stored `paid` for orders that cost nothing. */
const isLegal = (e: string): string =>
  `(${e}.path ~ '${LEGAL}' and (${e}.path !~ 'c' or ${e}.path ~ 'd' or ${e}.total = 0))`;

// Only `placed` and `imported` hold a client's text, so only they are cleaned. Values are extracted before the sort: sorted rows stay small.
const IS_FIRST = "type in ('placed', 'imported')";
const EVENTS = `select order_id, version, type, at,
    case when ${IS_FIRST} then (${readable('data')})->'content'->>'currency' end as asked_currency,
    case when ${IS_FIRST} then (${readable('data')})->'content'->>'user' end as user_id,
    case type when 'imported' then ((${readable('data')})->'facts'->>'placedAt')::numeric end as placed_at,
    case type when 'held' then data->>'currency' end as held_currency,
    case type when 'held' then (data->>'total')::numeric when 'imported' then ((${readable('data')})->'facts'->>'total')::numeric end as total,
    case type when 'paid' then (data->>'captured')::boolean end as captured,
    case type when 'failed' then data->>'reason' end as reason,
    case when type in ('failed', 'cancelled') then (data->>'voidOwed')::boolean end as void_owed,
    case type when 'paid' then data->>'captureOn' end as capture_on,
    case when type in ('shipped', 'refund_requested', 'refunded', 'refund_failed') then data->>'id' end as part,
    case type when 'shipped' then (select sum((l->>'quantity')::bigint) from json_array_elements(data->'lines') l) end as shipped,
    case type when 'delivered' then json_array_length(data->'ids') end as delivered,
    case type when 'refund_requested' then (data->>'minor')::numeric end as minor
  from (select * from order_history offset 0) h offset 0`;

// Counts distinct versions too: no unique key stops two turns from overlapping.
const FOLDED = `select order_id, count(*) as events, count(distinct version) as versions, min(version) as first, max(version) as version,
    string_agg(${LETTER}, '' order by version) as path,
    string_agg(type, ', ' order by version) as types,
    least((array_agg(at order by version))[1], to_timestamp(max(placed_at) / 1000)::timestamptz(3)) as created_at,
    (array_agg(at order by version desc) filter (where type <> 'act_answered'))[1] as updated_at,
    max(asked_currency) as asked_currency, max(held_currency) as held_currency, max(user_id) as user_id,
    max(total) as total, bool_or(captured) as captured, max(reason) as reason, bool_or(void_owed) as void_owed,
    max(capture_on) as capture_on, sum(shipped)::bigint as shipped, sum(delivered)::bigint as delivered,
    count(*) filter (where type = 'shipped') as shipments, count(*) filter (where type = 'return_requested') as returns,
    count(*) filter (where type = 'refund_requested') as refunds,
    count(*) filter (where type in ('refunded', 'refund_failed')) as refunds_answered,
    array_agg(part) filter (where type = 'refunded') as given, array_agg(part) filter (where type = 'refund_failed') as not_given,
    array_agg(array[part, minor::text]) filter (where type = 'refund_requested') as asked
  from events group by order_id`;

/** The sum of the requested refunds that meet a condition, in minor units. */
const refunded = (which: string): string =>
  `(select coalesce(sum(f.asked[i][2]::numeric), 0) from generate_subscripts(f.asked, 1) i where ${which})`;

/** An order that was never held has the currency of the first answer that names one. */
const ANSWERED_CURRENCY = `(select a.body->>'currency'
  from order_history h cross join lateral json_array_elements(h.data->'answers') with ordinality as a(body, at)
  where h.order_id = f.order_id and h.type in ('answered', 'failed') and a.body->>'currency' is not null
  order by h.version, a.at limit 1)`;

const GIVEN = refunded('f.asked[i][1] = any(f.given)');
const PROMISED = refunded('f.not_given is null or f.asked[i][1] <> all(f.not_given)');

const EXPECTED = `select f.*, case when f.asked is null then 0 else ${GIVEN} end as given_minor,
    case when f.asked is null then 0 else ${PROMISED} end as promised_minor,
    case when path ~ 'n' then 'cancelled' when path ~ 's' and f.shipped = l.quantity
        then case when f.delivered = f.shipments then 'delivered' else 'shipped' end
      when path ~ '[ci]' then 'confirmed' when path ~ 'f' then 'failed' else 'pending' end as status,
    coalesce(held_currency, asked_currency, case when path ~ 'a|f' then ${ANSWERED_CURRENCY} end) as currency,
    l.total as lines_total, l.is_open
  from folded f left join lines l on l.order_id = f.order_id`;

/** Older versions also paid orders that cost nothing. Once such an order is cancelled, nothing was charged. */
const PAID = `select e.*, case when total = 0 and path ~ 'n' and path !~ 'n.*[tku]'
        then case when void_owed and path !~ 'v' then 'pending' else 'not_charged' end
      when path ~ 'k' then 'failed'
      when path ~ 'u' then case when given_minor >= total then 'refunded' else 'partially_refunded' end
      when path ~ '[ti]' or captured then 'paid'
      when reason = 'payment_declined' then 'declined' when path ~ 'v' then 'voided'
      when path ~ 'd' then 'authorized'
      when path ~ '[cfn]' and not coalesce(void_owed, false) then 'not_charged' else 'pending' end as payment
  from expected e`;

/** Settled: the order owes the payment provider nothing, and awaits nothing from a product. */
const SETTLED = `select p.*, coalesce(path ~ '[cfni]' and not coalesce(is_open, false)
    and not (coalesce(void_owed, false) and path !~ '[vt]')
    and not (payment = 'authorized' and not coalesce(void_owed, false)
      and (status in ('shipped', 'delivered') or status = 'confirmed' and (capture_on is null or path ~ 's')))
    and not (payment in ('paid', 'partially_refunded') and refunds > refunds_answered), false) as is_settled
  from paid p`;

/** @param scales by currency: one minor unit as a decimal. */
export function orderLaws(scales: ReadonlyMap<string, string>): SqlLaw[] {
  const parameters = [texts([...scales.keys()], (code) => code), `{${[...scales.values()].join(',')}}`];
  return [rows(parameters), items(parameters), times];
}

const SCALE = (order: string) =>
  `left join unnest($1::text[], $2::numeric[]) as d(code, scale) on d.code = coalesce(${order}.currency, 'USD')`;

/** An older row may say `pending` for an order that ended without a charge. */
const shownPayment = (o: string, e: string): string =>
  `case when ${o}.payment_status = 'pending' and ${e}.payment = 'not_charged' then 'not_charged' else ${o}.payment_status end`;

const lengthOf = (list: string, order = 'o'): string =>
  `coalesce(json_array_length((${readable(`${order}.life`)})->'${list}'), 0)`;

const rows = (parameters: readonly string[]): SqlLaw => ({
  promise: 'outcome',
  of: 'order',
  what: 'orders against their history',
  parameters,
  text: `with events as (${EVENTS}), folded as (${FOLDED}),
    lines as (select order_id, sum(subtotal) as total, sum(quantity)::bigint as quantity,
      bool_or(hold = 'asked' or backordered > 0) as is_open from order_items group by order_id),
    expected as (${EXPECTED}), paid as (${PAID}), settled as (${SETTLED}),
    wrong as (
      select coalesce(o.order_id, e.order_id) as id, o, e, e.lines_total, e.is_settled, e.total * d.scale as total, count(*) over () as total_wrong
      from orders o full join settled e on e.order_id = o.order_id ${SCALE('o')}
      where o.order_id is null or e.order_id is null or e.first <> 1 or e.events <> e.version or e.versions <> e.events or not ${isLegal('e')}
        or (o.status, o.reason, ${shownPayment('o', 'e')}, o.currency, o.total_amount, o.user_id, o.created_at, o.updated_at, o.version, o.state is null)
          is distinct from (e.status, e.reason, e.payment, e.currency, e.total * d.scale, e.user_id, e.created_at, e.updated_at,
            e.version, e.is_settled)
        or (e.total is not null and e.lines_total is distinct from o.total_amount)
        or e.promised_minor > coalesce(e.total, 0)
        or (e.shipments, e.returns, e.refunds) is distinct from (${lengthOf('fulfillments')}, ${lengthOf('returns')}, ${lengthOf('refunds')})
      order by 1 ${OFFENDERS})
    select id, c.what, c.found, c.expected, total_wrong as total
    from wrong cross join lateral (values
      (1, 'its row in orders', (o).order_id, id),
      (1, 'its history', (e).order_id, id),
      (2, 'the number of its events', (e).events::text, greatest((e).version, (e).events)::text),
      (3, 'its history', (e).types, case when ${isLegal('(e)')} then (e).types else 'a path along the declared transitions' end),
      (4, 'orders.version', (o).version::text, (e).version::text),
      (5, 'orders.status', (o).status, (e).status),
      (6, 'orders.reason', (o).reason, (e).reason),
      (7, 'orders.payment_status', ${shownPayment('(o)', '(e)')}, (e).payment),
      (8, 'orders.currency', (o).currency, (e).currency),
      (9, 'orders.total_amount', (o).total_amount::text, trim_scale(total)::text),
      (10, 'orders.user_id', (o).user_id, (e).user_id),
      (11, 'orders.created_at', (o).created_at::text, (e).created_at::text),
      (12, 'orders.updated_at', (o).updated_at::text, (e).updated_at::text),
      (13, 'whether orders.state is null', ((o).state is null)::text, is_settled::text),
      (14, 'the sum of its items'' subtotals', lines_total::text, case when (e).total is null then lines_total::text else (o).total_amount::text end),
      (16, 'what is refunded in all, in minor units', (e).promised_minor::text, case when (e).promised_minor > coalesce((e).total, 0) then 'at most ' || coalesce((e).total, 0) else (e).promised_minor::text end),
      (17, 'the shipments, returns and refunds in orders.life', ${lengthOf('fulfillments', '(o)')} || ', ' || ${lengthOf('returns', '(o)')} || ', ' || ${lengthOf('refunds', '(o)')},
        (e).shipments || ', ' || (e).returns || ', ' || (e).refunds),
      (15, 'the number of its events with a version of their own', (e).versions::text, (e).events::text)
    ) as c(line, what, found, expected)
    where case when (o).order_id is null or (e).order_id is null then c.line = 1 and c.found is null
      when (e).versions <> (e).events then c.line = 15
      when (e).events <> (e).version or (e).first <> 1 then c.line = 2
      when not ${isLegal('(e)')} then c.line = 3
      when c.line in (9, 14) then c.found::numeric is distinct from c.expected::numeric
      else c.found is distinct from c.expected end
    order by id, c.line`,
});

/** Orders with one turn, which are most, are not read. */
const times: SqlLaw = {
  promise: 'outcome',
  of: 'order',
  what: 'the times of orders',
  text: `with wrong as (
      select t.order_id as id, t.version, t.at, b.at as before_at
      from order_turns t cross join lateral (
        select at from order_turns b where b.order_id = t.order_id and b.version < t.version order by b.version desc limit 1) b
      where t.version > 1 and t.at < b.at and b.at >= ${STEADY_SINCE})
    select id, 'the time of its event ' || version as what, at::text as found, before_at || ' or later' as expected,
      count(*) over () as total
    from wrong order by id, version ${OFFENDERS}`,
};

/** A line in another currency than its order has no amount. Older versions stored the amount of the other currency. */
const ofOwnCurrency = (column: 'unit_price' | 'subtotal'): string =>
  `case when (e).is_foreign and (i).${column} is null then null else (e).${column} end`;

const items = (parameters: readonly string[]): SqlLaw => ({
  promise: 'outcome',
  of: 'order',
  what: 'items against what was placed and answered',
  parameters,
  text: `with placed as (
      select h.order_id, l.line, l.body->>'product' as product_id, (l.body->>'quantity')::bigint as quantity,
        case h.type when 'imported' then 'elsewhere' end as hold,
        case h.type when 'imported' then ((${readable('h.data')})->'facts'->'prices'->>(l.line - 1)::int)::numeric end as price
      from order_history h cross join lateral json_array_elements((${readable('h.data')})->'content'->'lines') with ordinality as l(body, line)
      where h.${IS_FIRST}),
    late as (
      select h.order_id, l.product_id
      from (${eventsWith('"late":')}) h cross join lateral json_array_elements_text(h.data->'late'->'products') as l(product_id)
      where h.type = 'placed' and not exists (select from (${eventsWith('"type":"late_sent"')}) s where s.type = 'late_sent' and s.order_id = h.order_id)),
    arrived as (
      select h.order_id, l->>'product' as product_id, sum((l->>'quantity')::bigint)::bigint as quantity
      from (${eventsWith('"type":"stock_arrived"')}) h cross join lateral json_array_elements(h.data->'lines') as l
      where h.type = 'stock_arrived' group by 1, 2),
    answers as (
      select distinct on (h.order_id, a.body->>'product') h.order_id, a.body->>'product' as product_id,
        a.body->>'answer' as answer, a.body->>'currency' as currency, (a.body->>'unitPrice')::numeric as price,
        (a.body->>'backordered')::bigint as backordered
      from order_history h cross join lateral json_array_elements(h.data->'answers') with ordinality as a(body, at)
      where h.type in ('answered', 'held', 'failed')
      order by h.order_id, a.body->>'product', h.version, a.at),
    expected as (
      select p.order_id, p.line, p.product_id, p.quantity, a.currency <> o.currency as is_foreign, coalesce(a.price, p.price) * d.scale as unit_price,
        case when coalesce(a.price, p.price) * p.quantity <= 9007199254740991 then coalesce(a.price, p.price) * p.quantity * d.scale end as subtotal,
        case when p.hold is not null then p.hold when a.answer is null then case when t.order_id is null then 'asked' else 'late' end
          when a.answer = 'held' and o.status in ('failed', 'cancelled') then 'released' else a.answer end as hold,
        case when o.status in ('failed', 'cancelled') then 0 else greatest(coalesce(a.backordered, 0) - coalesce(b.quantity, 0), 0) end as backordered
      from placed p join orders o on o.order_id = p.order_id
        left join answers a on a.order_id = p.order_id and a.product_id = p.product_id
        left join late t on t.order_id = p.order_id and t.product_id = p.product_id
        left join arrived b on b.order_id = p.order_id and b.product_id = p.product_id ${SCALE('o')}),
    wrong as (
      select coalesce(e.order_id, i.order_id) as id, coalesce(e.line, i.line) as line, e, i, count(*) over () as total
      from expected e full join order_items i on i.order_id = e.order_id and i.line = e.line
      where (i.product_id, i.quantity, i.unit_price, i.subtotal, i.hold, i.backordered)
        is distinct from (e.product_id, e.quantity, ${ofOwnCurrency('unit_price')}, ${ofOwnCurrency('subtotal')}, e.hold, e.backordered)
      order by 1, 2 ${OFFENDERS})
    select id, c.what || ' of line ' || line as what, c.found, c.expected, total
    from wrong cross join lateral (values
      (1, 'order_items.product_id', (i).product_id, (e).product_id),
      (2, 'order_items.quantity', (i).quantity::text, (e).quantity::text),
      (3, 'order_items.unit_price', (i).unit_price::text, trim_scale(${ofOwnCurrency('unit_price')})::text),
      (4, 'order_items.subtotal', (i).subtotal::text, trim_scale(${ofOwnCurrency('subtotal')})::text),
      (5, 'order_items.hold', (i).hold, (e).hold),
      (6, 'order_items.backordered', (i).backordered::text, (e).backordered::text)
    ) as c(at, what, found, expected)
    where case when (i).order_id is null or (e).order_id is null then c.at = 1
      when c.at in (3, 4) then c.found::numeric is distinct from c.expected::numeric
      else c.found is distinct from c.expected end
    order by id, line, c.at`,
});
