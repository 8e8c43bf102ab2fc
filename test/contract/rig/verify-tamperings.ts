// Ways to tamper with the stored data with psql, and the violation that `verify` must report for each.

export const CONFIRMED = `select order_id as id from orders where status = 'confirmed' and currency = 'USD' order by order_id limit 1`;
const TWO_LINES = `select o.order_id as id from orders o join order_items i using (order_id)
    where o.status = 'confirmed' group by 1 having count(*) = 2 order by 1 limit 1`;

interface Tampering {
  readonly name: string;
  /** The kind of actor whose id replaces `$`. */
  readonly of: 'product' | 'order';
  readonly pick?: string;
  readonly statements: readonly string[];
  readonly promise: RegExp;
  readonly words: RegExp;
  /** Another actor that may be named: an order's operation belongs to a product as well. */
  readonly others?: boolean;
}

/** Rewrites the events of each turn. @param events an aggregate over `event` and `place`. */
const rewritten = (events: string): string =>
  `update order_turns t set events = coalesce((select ${events} from json_array_elements(t.events) with ordinality as e(event, place)), '[]') where order_id = '$'`;

const SHIPPED_IN_PART = `select order_id as id from orders where fulfillment_status = 'partially_shipped' order by 1 limit 1`;
const REFUNDED_IN_PART = `select order_id as id from orders where payment_status = 'partially_refunded' and life::text like '%"minor":50,%' order by 1 limit 1`;
const PROMISED = `select 'promised' as id`;
const inLife = (from: string, to: string): string =>
  `update orders set life = replace(life::text, '${from}', '${to}')::json where order_id = '$'`;

/** Each event in its own row, with the same content. */
const SPLIT = [
  `insert into order_turns select order_id, version, at, correlation_id, json_build_array(data) from order_history
    where order_id = '$' on conflict (order_id, version) do update set events = excluded.events`,
];

export const tamperings: readonly Tampering[] = [
  {
    name: 'counts taken out of order_stats',
    of: 'order',
    others: true,
    statements: [`delete from order_stats_queue where id = (select min(id) from order_stats_queue)`],
    promise: /promise 5/,
    words: /table order_stats: day [\d-]+, (all products|product \w+), .* is \d+ orders, .*, expected \d+ orders/,
  },
  {
    name: 'counts that no order has',
    of: 'product',
    others: true,
    statements: [`insert into order_stats_days values ('$', '2026-01-01', 'USD', 'confirmed', '', 1, 1, 2, 3.5)`],
    promise: /promise 5/,
    words:
      /day 2026-01-01, product many, confirmed, USD is 1 orders, 1 containing, 2 units, 3.5 revenue, expected 0 orders/,
  },
  {
    name: 'products.on_hand',
    of: 'product',
    statements: [`update products set on_hand = on_hand + 1 where product_id = '$'`],
    promise: /promise 1/,
    words: /products\.on_hand is \d+, expected \d+/,
  },
  {
    name: 'products.held',
    of: 'product',
    statements: [`update products set held = held + 1 where product_id = '$'`],
    promise: /promise 1/,
    words: /products\.held is 1, expected 0/,
  },
  {
    name: 'products.version',
    of: 'product',
    statements: [`update products set version = version + 1 where product_id = '$'`],
    promise: /promise 1/,
    words: /products\.version/,
  },
  {
    name: 'a deleted product',
    of: 'product',
    statements: [`delete from products where product_id = '$'`],
    promise: /promise 1/,
    words: /its row in products is missing/,
  },
  {
    name: 'orders.status',
    of: 'order',
    statements: [`update orders set status = 'failed' where order_id = '$'`],
    promise: /promise 3/,
    words: /orders\.status is failed, expected confirmed/,
  },
  {
    name: 'orders.status to pending',
    of: 'order',
    statements: [`update orders set status = 'pending' where order_id = '$'`],
    promise: /promise 3/,
    words: /orders\.status is pending, expected confirmed/,
  },
  {
    name: 'orders.payment_status',
    of: 'order',
    statements: [`update orders set payment_status = 'voided' where order_id = '$'`],
    promise: /promise 3/,
    words: /orders\.payment_status is voided, expected paid/,
  },
  {
    name: 'orders.payment_status of an order that was never charged',
    of: 'order',
    pick: `select order_id as id from orders where reason = 'out_of_stock' order by 1 limit 1`,
    statements: [`update orders set payment_status = 'voided' where order_id = '$'`],
    promise: /promise 3/,
    words: /orders\.payment_status is voided, expected not_charged/,
  },
  {
    name: 'orders.total_amount',
    of: 'order',
    statements: [`update orders set total_amount = total_amount + 0.01 where order_id = '$'`],
    promise: /promise 3/,
    words: /orders\.total_amount is [\d.]+, expected [\d.]+/,
  },
  {
    name: 'orders.currency',
    of: 'order',
    statements: [`update orders set currency = 'EUR' where order_id = '$'`],
    promise: /promise 3/,
    words: /orders\.currency is EUR, expected USD/,
  },
  {
    name: 'order_items.quantity',
    of: 'order',
    statements: [`update order_items set quantity = quantity + 1 where order_id = '$' and line = 1`],
    promise: /promise 3/,
    words: /order_items\.quantity of line 1 is \d+, expected \d+/,
  },
  {
    name: 'order_items.unit_price',
    of: 'order',
    statements: [`update order_items set unit_price = unit_price / 2 where order_id = '$' and line = 1`],
    promise: /promise 3/,
    words: /order_items\.unit_price of line 1/,
  },
  {
    name: 'order_items.product_id',
    of: 'order',
    pick: TWO_LINES,
    statements: [`update order_items set product_id = 'few' where order_id = '$' and line = 1`],
    promise: /promise 3/,
    words: /order_items\.product_id of line 1 is few/,
  },
  {
    name: 'a deleted item',
    of: 'order',
    pick: TWO_LINES,
    statements: [`delete from order_items where order_id = '$' and line = 2`],
    promise: /promise 3/,
    words: /order_items\.product_id of line 2 is missing/,
  },
  {
    name: 'a deleted order',
    of: 'order',
    statements: [`delete from orders where order_id = '$'`],
    promise: /promise 3/,
    words: /its row in orders is missing/,
  },
  {
    name: 'a deleted order with its history',
    of: 'order',
    statements: [`delete from orders where order_id = '$'`, `delete from order_turns where order_id = '$'`],
    promise: /promise 2/,
    words: /no order with such a line/,
  },
  {
    name: 'an event taken out of its turn',
    of: 'order',
    statements: [rewritten(`json_agg(event order by place) filter (where event::text not like '{"type":"held"%')`)],
    promise: /promise 3/,
    words: /the number of its events is \d, expected \d|a path along the declared transitions/,
  },
  {
    name: 'a deleted event',
    of: 'order',
    statements: [
      ...SPLIT,
      `delete from order_turns where (order_id, version) in (select order_id, version from order_history where order_id = '$' and type = 'held')`,
    ],
    promise: /promise 3/,
    words: /the number of its events is \d, expected \d/,
  },
  {
    name: 'the last event taken out of its turn',
    of: 'order',
    statements: [
      rewritten(
        `json_agg(event order by place) filter (where version + place - 1 < (select version from orders where order_id = '$'))`,
      ),
    ],
    promise: /promise 3/,
    words: /its history is|orders\.version is/,
  },
  {
    name: 'a deleted last turn',
    of: 'order',
    statements: [
      `delete from order_turns where order_id = '$' and version = (select max(version) from order_turns where order_id = '$')`,
    ],
    promise: /promise 3/,
    words: /its history is|orders\.version is/,
  },
  {
    name: 'a whole history deleted',
    of: 'order',
    statements: [`delete from order_turns where order_id = '$'`],
    promise: /promise 3/,
    words: /its history is missing/,
  },
  {
    name: 'turns that are no arrays',
    of: 'order',
    statements: [`update order_turns set events = '{}' where order_id = '$'`],
    promise: /promise 3/,
    words: /its history is missing/,
  },
  {
    name: 'a reordered history',
    of: 'order',
    statements: [
      ...SPLIT,
      `update order_turns set version = 100 where order_id = '$' and version = 2`,
      `update order_turns set version = 2 where order_id = '$' and version = 3`,
      `update order_turns set version = 3 where order_id = '$' and version = 100`,
    ],
    promise: /promise 3/,
    words: /a path along the declared transitions/,
  },
  {
    name: 'a turn reordered',
    of: 'order',
    statements: [rewritten('json_agg(event order by place desc)')],
    promise: /promise 3/,
    words: /a path along the declared transitions/,
  },
  {
    name: 'turns that overlap, and a gap that hides it',
    of: 'order',
    statements: [
      ...SPLIT,
      `update order_turns set events = (select json_agg(data order by version) from order_history where order_id = '$' and version <= 2) where order_id = '$' and version = 1`,
      `delete from order_turns where order_id = '$' and version = 2`,
      `update order_turns set version = 2 where order_id = '$' and version = 3`,
    ],
    promise: /promise 3/,
    words: /the number of its events with a version of their own is \d, expected \d/,
  },
  {
    name: 'a forged outcome',
    of: 'order',
    statements: [
      rewritten(
        `json_agg(case when event::text like '{"type":"paid"%' then '{"type":"failed","reason":"timed_out","answers":[],"shortages":[],"voidOwed":false}'::json else event end order by place)`,
      ),
    ],
    promise: /promise 3/,
    words: /a path along the declared transitions/,
  },
  {
    name: 'an edited event',
    of: 'order',
    statements: [rewritten(`json_agg(replace(event::text, '"total":', '"total":1')::json order by place)`)],
    promise: /promise 3/,
    words: /orders\.total_amount is [\d.]+, expected 1[\d.]+/,
  },
  {
    name: 'a deleted operation',
    of: 'product',
    others: true,
    statements: [`delete from inventory_operations where product_id = '$' and version = 4`],
    promise: /promise 1/,
    words: /the operation before operation 5 .* is operation 3, expected operation 4/,
  },
  {
    name: 'the last operation deleted',
    of: 'product',
    others: true,
    statements: [
      `delete from inventory_operations o where product_id = '$' and version = (select max(version) from inventory_operations where product_id = '$')`,
    ],
    promise: /promise 1/,
    words: /products\.version/,
  },
  {
    name: 'a forged operation',
    of: 'product',
    others: true,
    statements: [
      `insert into inventory_operations select 'W-forged', null, '$', 'adjust', 1, 5, max(version) + 1, 0, 0, 'shrinkage', 'f', 'c', now() from inventory_operations where product_id = '$'`,
    ],
    promise: /promise 1/,
    words: /on_hand after operation/,
  },
  {
    name: 'a forged operation that adds up',
    of: 'product',
    others: true,
    statements: [
      `insert into inventory_operations select 'ORD-forged', 'ORD-forged', '$', 'hold', 1, 1, p.version + 1, p.on_hand, p.held + 1, null, null, 'c', now() from products p where product_id = '$'`,
      `update products set held = held + 1, version = version + 1, updated_at = (select created_at from inventory_operations o where o.product_id = '$' and ref = 'ORD-forged') where product_id = '$'`,
    ],
    promise: /promise 2/,
    words: /order ORD-forged: what product many did for it \(no order with such a line\) is held 1/,
  },
  {
    name: 'an edited operation',
    of: 'product',
    others: true,
    statements: [`update inventory_operations set quantity = quantity + 1 where product_id = '$' and version = 3`],
    promise: /promise 1/,
    words: /after operation 3/,
  },
  {
    name: 'a write twice',
    of: 'product',
    others: true,
    statements: [
      `insert into inventory_operations select ref, null, product_id, 'adjust', 1, 0, p.version + 1, p.on_hand, p.held, 'again', 'f', 'c', p.updated_at from products p join inventory_operations o using (product_id) where product_id = '$' and o.version = 1`,
      `update products set version = version + 1 where product_id = '$'`,
    ],
    promise: /promise 4/,
    words: /the number of effects of the write .* is 2, expected 1/,
  },
  {
    name: 'a write done that was refused',
    of: 'product',
    others: true,
    statements: [
      `insert into refused_writes (ref, product_id, fingerprint, refusal, refused_at) select ref, product_id, fingerprint, 'below_held', created_at
        from inventory_operations where product_id = '$' and version = 1`,
    ],
    promise: /promise 4/,
    words: /the number of effects of the write .*, refused as below_held is 1, expected 0/,
  },
  {
    name: 'orders.fulfillment_status',
    of: 'order',
    pick: SHIPPED_IN_PART,
    statements: [`update orders set fulfillment_status = 'delivered' where order_id = '$'`],
    promise: /promise 3/,
    words: /orders\.fulfillment_status is delivered, expected partially_shipped/,
  },
  {
    name: 'orders.fulfillment_status of one that is not shipped',
    of: 'order',
    statements: [`update orders set fulfillment_status = 'shipped' where order_id = '$'`],
    promise: /promise 3/,
    words: /orders\.fulfillment_status is shipped, expected unfulfilled/,
  },
  {
    name: 'what was shipped',
    of: 'order',
    pick: SHIPPED_IN_PART,
    statements: [inLife('"quantity":1', '"quantity":2')],
    promise: /promise 3/,
    words: /F1 in orders\.life is shipped 2 lived with post as T-1, expected shipped 1 lived/,
  },
  {
    name: 'what was refunded',
    of: 'order',
    pick: REFUNDED_IN_PART,
    statements: [inLife('"minor":50', '"minor":49')],
    promise: /promise 3/,
    words: /P1 in orders\.life is refund of 49, done, expected refund of 50, done/,
  },
  {
    name: 'a return that was written off',
    of: 'order',
    pick: `select order_id as id from orders where fulfillment_status = 'partially_returned' order by 1 limit 1`,
    statements: [inLife('"restocked":true', '"restocked":false')],
    promise: /promise 3/,
    words: /R1 in orders\.life is return of 1 lived, refunded, written off, expected .* restocked/,
  },
  {
    name: 'when it was shipped',
    of: 'order',
    pick: SHIPPED_IN_PART,
    statements: [inLife('"shippedAt":1', '"shippedAt":')],
    promise: /promise 3/,
    words: /the time of .*F1 in orders\.life is \d+, expected 1\d{12}/,
  },
  {
    name: 'a turn before the one before it',
    of: 'order',
    pick: SHIPPED_IN_PART,
    statements: [
      `update order_turns set at = at - interval '30 s' where order_id = '$' and version = (select max(version) from order_turns where order_id = '$')`,
      `update orders set updated_at = updated_at - interval '30 s' where order_id = '$'`,
    ],
    promise: /promise 3/,
    words: /the time of its event \d+ is .*, expected .* or later/,
  },
  {
    name: 'an operation before the one before it',
    of: 'product',
    others: true,
    statements: [
      `update inventory_operations set created_at = created_at - interval '30 s' where product_id = '$' and version = 4`,
    ],
    promise: /promise 1/,
    words: /the time of operation 4 .* is .*, expected .* or later/,
  },
  {
    name: 'a shipment taken out of orders.life',
    of: 'order',
    pick: SHIPPED_IN_PART,
    statements: [
      `update orders set life = json_build_object('acts', life->'acts', 'fulfillments', '[]'::json, 'returns', '[]'::json, 'refunds', '[]'::json) where order_id = '$'`,
    ],
    promise: /promise 3/,
    words: /F1 in orders\.life is missing/,
  },
  {
    name: 'refunded more than was paid',
    of: 'order',
    pick: REFUNDED_IN_PART,
    statements: [
      inLife('"minor":50', '"minor":99999'),
      `update order_turns set events = replace(events::text, '"minor":50', '"minor":99999')::json where order_id = '$'`,
    ],
    promise: /promise 3/,
    words: /what is refunded in all, in minor units is 99999, expected at most \d+/,
  },
  {
    name: 'a refund event deleted',
    of: 'order',
    pick: REFUNDED_IN_PART,
    statements: [rewritten(`json_agg(event order by place) filter (where event::text not like '{"type":"refunded"%')`)],
    promise: /promise 3/,
    words: /orders\.version|the number of its events/,
  },
  {
    name: 'order_items.backordered',
    of: 'order',
    pick: `select order_id as id from order_items where backordered > 0 order by 1 limit 1`,
    statements: [`update order_items set backordered = backordered - 1 where order_id = '$'`],
    promise: /promise 3/,
    words: /order_items\.backordered of line 1 is \d, expected \d/,
  },
  {
    name: 'products.backordered',
    of: 'order',
    pick: PROMISED,
    statements: [`update products set backordered = backordered + 1 where product_id = '$'`],
    promise: /promise 1/,
    words: /products\.backordered is \d+, expected \d+/,
  },
  {
    name: 'products.waiting',
    of: 'order',
    pick: PROMISED,
    statements: [`update products set waiting = '[]' where product_id = '$'`],
    promise: /promise 1/,
    words: /the sum of products\.waiting is 0, expected \d+/,
  },
  ...(['return', 'backorder', 'unbackorder'] as const).map(
    (type): Tampering => ({
      name: `an edited ${type}`,
      of: 'order',
      pick: PROMISED,
      others: true,
      statements: [
        `update inventory_operations set quantity = quantity + 1 where (product_id, version) =
          (select product_id, max(version) from inventory_operations where product_id in ('$', 'lived') and operation_type = '${type}' group by 1 limit 1)`,
      ],
      promise: /promise 1/,
      words: /after operation \d+/,
    }),
  ),
];
