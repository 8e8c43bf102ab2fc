// Fills an empty database with orders by SQL, batch by batch, as Holdfast would have written them over some time.
// Products, orders, items, histories and operations agree with each other, so `verify` finds them clean. Partitions and
// journals are left empty: they begin with the first start of Holdfast.

import { partitionOf } from '../../actors/ids.js';
import type { Parameter, PostgresClient } from '../../storage/postgres/postgres.js';
import { repairStats } from '../../storage/verify/stats-repair.js';

const FILLED_PRODUCTS = 1_000;
/** The first start of Holdfast settles as many, unless PARTITIONS says otherwise. */
const PARTITIONS = 16;
/** The last tenth of the products has prices in EUR. An order has one currency. */
const IN_USD = 900;
const STOCK = 1_000_000_000_000;
const BATCH = 20_000;
const BATCH_MS = 300_000;
const DAYS = 90;

const PRODUCTS = `
  with stock as (
    select lpad(i::text, 4, '0') as no, i, now() - interval '${DAYS + 1} days' as at from generate_series(1, ${FILLED_PRODUCTS}) i),
  kept as (
    insert into products (product_id, name, unit_price, currency, on_hand, held, updated_at, version, epoch, n, partition)
    select 'PROD-' || no, (array['Laptop', 'Headset', 'Keyboard', 'Camera', 'Monitor', 'Speaker', 'Tablet', 'Charger'])[1 + i % 8] || ' ' || no,
      (5 + (i * 37) % 900)::numeric + 0.99, case when i <= ${IN_USD} then 'USD' else 'EUR' end, ${STOCK}, 0, at, 1, 0, 0, ($1::smallint[])[i]
    from stock)
  insert into inventory_operations (ref, product_id, operation_type, operation_no, quantity, version, on_hand_after,
    held_after, fingerprint, correlation_id, created_at)
  select 'fill-' || no, 'PROD-' || no, 'receive', 1, ${STOCK}, 1, ${STOCK}, 0, 'fill', 'fill', at from stock`;

// Orders $1 to $2 of $3, spread evenly over the days. Popular products and users are drawn more often than others.
const DRAWN = `create temp table drawn on commit drop as
  select i, 'ORD-0' || lpad(upper(to_hex((extract(epoch from at) * 1000)::bigint)), 11, '0') || upper(left(md5('o' || i), 14)) as order_id,
    'user-' || u as user_id, 'user-' || u || '@' || (array['mail', 'post', 'shop', 'home'])[1 + u % 4] || '.example' as user_email,
    at, currency, first_names[1 + u % 12] || ' ' || last_names[1 + (u / 12) % 16] as name,
    json_build_object('name', first_names[1 + u % 12] || ' ' || last_names[1 + (u / 12) % 16],
      'street', 1 + u % 200 || ' ' || streets[1 + (u / 7) % 12] || ' Street', 'city', cities[1 + (u / 3) % 20],
      'zip', lpad((10000 + u % 80000)::text, 5, '0'), 'country', 'Utopia') as address,
    case when i % 5 = 0 then notes[1 + (i / 5) % 8] || ' (code ' || left(md5('n' || i), 8) || ')' end as notes,
    case when luck < 0.04 then 'short' when luck < 0.07 then 'declined' else 'held' end as outcome
  from (select i, floor(100000 * power(random(), 2))::int as u, random() as luck,
      case when random() < 0.05 then 'EUR' else 'USD' end as currency,
      date_trunc('milliseconds', now() - interval '${DAYS} days' * (1 - i::float8 / $3)) as at
    from generate_series($1::int, $2::int) i offset 0) d,
    (select array['Ada', 'Bob', 'Cleo', 'Dana', 'Eli', 'Fay', 'Gus', 'Hana', 'Ivo', 'Jan', 'Kim', 'Lea'] as first_names,
      array['Ames', 'Berg', 'Cohen', 'Diaz', 'Evans', 'Fox', 'Garcia', 'Haas', 'Ito', 'Jones', 'Khan', 'Lopez', 'Moore', 'Nagy', 'Olsen', 'Park'] as last_names,
      array['Oak', 'Elm', 'Main', 'Park', 'High', 'Mill', 'Lake', 'Hill', 'Church', 'North', 'River', 'Station'] as streets,
      array['Berlin', 'Paris', 'Oslo', 'Rome', 'Madrid', 'Lisbon', 'Vienna', 'Prague', 'Dublin', 'Athens', 'Warsaw', 'Bern',
        'Zagreb', 'Riga', 'Tallinn', 'Vilnius', 'Sofia', 'Budapest', 'Helsinki', 'Copenhagen'] as cities,
      array['Please ring twice', 'Leave it with the neighbour', 'Gift wrap, no invoice', 'Call before delivery',
        'Back door is open', 'Fragile, handle with care', 'Birthday present for grandma', 'Deliver after six'] as notes) words`;

const LINES = `create temp table lines on commit drop as
  select d.i, d.order_id, d.at, d.outcome, d.currency, row_number() over (partition by d.i order by p.product_id) as line, p.product_id,
    case d.outcome when 'short' then 1000000 else 1 + (d.i + ascii(right(p.product_id, 1))) % 3 end as quantity, p.unit_price
  from drawn d
    cross join lateral (select distinct case d.currency when 'USD' then 1 + floor(${IN_USD} * power(random(), 2))::int
        else ${IN_USD} + 1 + floor(${FILLED_PRODUCTS - IN_USD} * random())::int end as no
      from generate_series(1, case d.outcome when 'short' then 1 else 1 + (d.i % 7) / 3 end)) pick
    join products p on p.product_id = 'PROD-' || lpad(pick.no::text, 4, '0')`;

const FULL = `create temp table full_orders on commit drop as
  select d.*, t.total, t.products, t.answers
  from drawn d join (select i, sum(quantity * unit_price) as total,
      json_agg(json_build_object('product', product_id, 'quantity', quantity) order by line) as products,
      json_agg(case outcome when 'short' then json_build_object('product', product_id, 'answer', 'short', 'available', 0)
        else json_build_object('product', product_id, 'answer', 'held', 'unitPrice', (unit_price * 100)::bigint, 'currency', currency) end
        order by line) as answers
    from lines group by i) t using (i)`;

const ORDERS = `insert into orders (order_id, user_id, user_email, status, reason, details, payment_status, currency, total_amount,
    shipping_address, notes, correlation_id, created_at, updated_at, version, epoch, n, stats_before)
  select order_id, user_id, user_email, case outcome when 'held' then 'confirmed' else 'failed' end,
    case outcome when 'short' then 'out_of_stock' when 'declined' then 'payment_declined' end,
    case outcome when 'short' then json_build_array(json_build_object('product', products -> 0 ->> 'product', 'asked', 1000000, 'available', 0)) end,
    case outcome when 'held' then 'paid' when 'declined' then 'declined' else 'not_charged' end,
    case when outcome <> 'short' then currency end, case when outcome <> 'short' then total end,
    address, notes, 'fill-' || i, at, at, case outcome when 'held' then 4 when 'declined' then 3 else 2 end, 0, 0, ''
  from full_orders order by i`;

const ITEMS = `insert into order_items (order_id, line, product_id, quantity, unit_price, subtotal, hold, created_at)
  select order_id, line, product_id, quantity, case when outcome <> 'short' then unit_price end,
    case when outcome <> 'short' then quantity * unit_price end,
    case outcome when 'held' then 'held' when 'declined' then 'released' else 'short' end, at
  from lines order by i, line`;

const TURNS = `insert into order_turns (order_id, version, at, correlation_id, events)
  select order_id, 1, at, 'fill-' || i, ('[' ||
    json_build_object('type', 'placed', 'content', json_strip_nulls(json_build_object('user', user_id, 'userIsNumber', false, 'lines', products,
      'email', user_email, 'shippingAddress', address, 'notes', notes)), 'correlation', 'fill-' || i)::text || ',' ||
    case when outcome <> 'short' then
      json_build_object('type', 'held', 'answers', answers, 'currency', currency, 'total', (total * 100)::bigint)::text || ',' else '' end ||
    case outcome when 'held' then '{"type":"paid","captured":true},{"type":"confirmed"}'
      when 'declined' then '{"type":"failed","reason":"payment_declined","answers":[],"shortages":[],"voidOwed":false}'
      else json_build_object('type', 'failed', 'reason', 'out_of_stock', 'answers', answers,
        'shortages', json_build_array(json_build_object('product', products -> 0 ->> 'product', 'asked', 1000000, 'available', 0)), 'voidOwed', false)::text
    end || ']')::json
  from full_orders order by i`;

// Each held line is a hold, then a commit or a release. The balances continue those of the products' rows.
const OPERATIONS = `with steps as (
    select l.*, o.type, row_number() over w as step,
      sum(case o.type when 'commit' then l.quantity else 0 end) over w as gone
    from lines l cross join lateral (values (1, 'hold'), (2, case l.outcome when 'held' then 'commit' else 'release' end)) as o(no, type)
    where l.outcome <> 'short'
    window w as (partition by l.product_id order by l.i, o.no)),
  moved as (
    insert into inventory_operations (ref, order_id, product_id, operation_type, operation_no, quantity, version, on_hand_after,
      held_after, correlation_id, created_at)
    select s.order_id, s.order_id, s.product_id, s.type, 1, s.quantity, p.version + s.step, p.on_hand - s.gone,
      case s.type when 'hold' then s.quantity else 0 end, 'fill-' || s.i, s.at
    from steps s join products p using (product_id) order by s.i, s.line
    returning product_id, version, on_hand_after, created_at)
  update products p set version = m.version, on_hand = m.on_hand, updated_at = m.at
  from (select product_id, max(version) as version, min(on_hand_after) as on_hand, max(created_at) as at from moved group by 1) m
  where m.product_id = p.product_id`;

const QUEUE = `insert into order_search_queue (order_ids) select array_agg(order_id)::text from drawn group by i / 1000`;

/** @param report gets the number of orders stored so far. */
export async function fill(client: PostgresClient, orders: number, report: (done: number) => void): Promise<void> {
  await client.session(async (session) => {
    const run = (what: string, text: string, parameters: readonly Parameter[] = []) =>
      session.query(what, text, parameters, BATCH_MS);
    await run('have no deadline', 'set statement_timeout = 0');
    await run('need not be durable yet', 'set synchronous_commit = off');
    await run('draw the same again', 'select setseed(0.42)');
    const ids = Array.from({ length: FILLED_PRODUCTS }, (_, i) => `PROD-${String(i + 1).padStart(4, '0')}`);
    await run('fill products', PRODUCTS, [`{${ids.map((id) => partitionOf('product', id, PARTITIONS))}}`]);
    for (let done = 0; done < orders; done += BATCH) {
      await run('begin a batch', 'begin');
      await run('draw orders', DRAWN, [done + 1, Math.min(orders, done + BATCH), orders]);
      for (const text of [LINES, FULL, ORDERS, ITEMS, TURNS, OPERATIONS, QUEUE]) await run('fill a batch', text);
      await run('end a batch', 'commit');
      report(Math.min(orders, done + BATCH));
    }
    await run('gather statistics', 'vacuum analyze');
  });
  await repairStats(client);
}
