/**
 * Orders as rows: their columns, the one statement that writes them, and the decoding.
 *
 * A settled order is rebuilt from its columns alone. `state` holds the rest of an unsettled order; it is null for a
 * settled one. A NUL character in a text comes back as U+FFFD.
 */
import type { OrderId } from '../../actors/ids.js';
import { DEFAULT_CURRENCY, decimalText } from '../../actors/money.js';
import { minorOfCost } from '../../actors/order/imported-order.js';
import {
  isSettled,
  type Life,
  NO_LIFE,
  type OrderLine,
  type OrderState,
  type Phase,
} from '../../actors/order/order.js';
import { erasedTurn } from '../../actors/order/personal-data.js';
import {
  fulfillmentStatusOf,
  paymentStatusOf,
  type ShownPaymentStatus,
  statusOf,
  trackingOf,
} from '../../actors/order/transitions.js';
import type { HistoryRow, Mark, OrderChange, StoredOrder, TurnRow } from '../../actors/ports/snapshot-rows.js';
import type { FailureReason, Json, OrderContent, OrderEvent, Shortage } from '../../actors/protocol.js';
import { minorOf } from '../postgres/amounts.js';
import { type Column, encode, msOf, names, texts, timeOf, unnest, values } from '../postgres/column-arrays.js';
import type { Parameter } from '../postgres/postgres.js';
import { type Erasure, erasedParameters } from './erasure.js';
import { GATE, IF_OPEN } from './journal-lock.js';
import { COUNTED_AS, counted, countedParameters, recounted } from './order-stats.js';
import { hasEndedEarly, isPlain } from './plain-orders.js';
import { ERASED, queued } from './search-queue.js';

const amount = (minor: number | undefined, currency: string | undefined): string | null =>
  minor === undefined ? null : decimalText(minor, currency ?? DEFAULT_CURRENCY);

/** A cost in another currency than the order's has no place in this column; `life` has every cost as it was told. */
const shippingCost = ({ life: { imported }, currency }: OrderState): string => {
  if (imported?.shipping === undefined) return '0';
  return amount(minorOfCost(imported.shipping, currency) ?? 0, currency) ?? '0';
};

const json = (value: Json | undefined): string | null => (value === undefined ? null : JSON.stringify(value));

// ---------------------------------------------------------------- columns

interface Row {
  readonly order: OrderChange;
  readonly fresh: boolean;
}

const FRESH = { name: 'is_fresh', type: 'boolean', of: (row: { fresh: boolean }) => row.fresh } as const;

const ORDER: readonly Column<Row>[] = [
  { name: 'order_id', type: 'id', of: ({ order }) => order.state.id },
  // Text: an id is never empty, and the user of an imported order may be.
  { name: 'user_id', type: 'text', of: ({ order }) => order.state.content.user },
  { name: 'user_id_is_number', type: 'boolean', of: ({ order }) => order.state.content.userIsNumber },
  { name: 'user_email', type: 'text', of: ({ order }) => order.state.content.email },
  { name: 'status', type: 'word', of: ({ order }) => statusOf(order.state.phase) },
  { name: 'reason', type: 'word', of: ({ order }) => order.state.reason },
  {
    name: 'details',
    type: 'json',
    of: ({ order }) => (order.state.shortages.length > 0 ? JSON.stringify(order.state.shortages) : null),
  },
  { name: 'payment_status', type: 'word', of: ({ order }) => paymentStatusOf(order.state) },
  { name: 'fulfillment_status', type: 'word', of: ({ order }) => fulfillmentStatusOf(order.state) },
  { name: 'tracking_id', type: 'text', of: ({ order }) => trackingOf(order.state.life) },
  { name: 'payment_method', type: 'text', of: ({ order }) => order.state.content.paymentMethod },
  { name: 'currency', type: 'text', of: ({ order }) => order.state.currency },
  { name: 'currency_asked', type: 'boolean', of: ({ order }) => order.state.content.currency !== undefined },
  { name: 'total_amount', type: 'numeric', of: ({ order }) => amount(order.state.total, order.state.currency) },
  { name: 'shipping_cost', type: 'numeric', of: ({ order }) => shippingCost(order.state) },
  {
    name: 'shipping_address',
    type: 'json',
    of: ({ order }) => json(order.state.content.shippingAddress),
  },
  {
    name: 'billing_address',
    type: 'json',
    of: ({ order }) => json(order.state.content.billingAddress),
  },
  { name: 'notes', type: 'text', of: ({ order }) => order.state.content.notes },
  { name: 'correlation_id', type: 'id', of: ({ order }) => order.state.correlation },
  { name: 'created_at', type: 'bigint', as: timeOf('created_at'), of: ({ order }) => order.state.createdAt },
  { name: 'updated_at', type: 'bigint', as: timeOf('updated_at'), of: ({ order }) => order.state.updatedAt },
  { name: 'version', type: 'bigint', of: ({ order }) => order.version },
  { name: 'epoch', type: 'bigint', of: ({ order }) => order.epoch },
  { name: 'n', type: 'bigint', of: ({ order }) => order.n },
  { name: 'partition', type: 'bigint', of: ({ order }) => order.partition },
  { name: 'state', type: 'json', of: ({ order }) => restOf(order.state) },
  {
    name: 'life',
    type: 'json',
    of: ({ order: { state } }) => (state.life === NO_LIFE ? null : JSON.stringify(state.life)),
  },
];

interface ItemRow {
  readonly order: OrderState;
  readonly line: OrderLine;
  readonly no: number;
  readonly fresh: boolean;
}

const ITEM: readonly Column<ItemRow>[] = [
  { name: 'order_id', type: 'id', of: ({ order }) => order.id },
  { name: 'line', type: 'bigint', of: ({ no }) => no },
  { name: 'product_id', type: 'id', of: ({ line }) => line.product },
  { name: 'quantity', type: 'bigint', of: ({ line }) => line.quantity },
  { name: 'unit_price', type: 'numeric', of: ({ order, line }) => amount(line.unitPrice, order.currency) },
  { name: 'subtotal', type: 'numeric', of: ({ order, line }) => subtotal(order, line) },
  { name: 'hold', type: 'word', of: ({ line }) => line.hold },
  { name: 'backordered', type: 'bigint', of: ({ line }) => line.backordered },
  // The order's time: the list of a product's orders is sorted by it.
  { name: 'created_at', type: 'bigint', as: timeOf('created_at'), of: ({ order }) => order.createdAt },
];

const TURN: readonly Column<TurnRow>[] = [
  { name: 'order_id', type: 'id', of: ({ order }) => order },
  { name: 'version', type: 'bigint', of: ({ version }) => version },
  { name: 'at', type: 'bigint', as: timeOf('at'), of: ({ at }) => at },
  { name: 'correlation_id', type: 'id', of: ({ correlation }) => correlation },
  { name: 'events', type: 'json', of: ({ events }) => `[${events}]` },
];

// ---------------------------------------------------------------- the statement

const ORDER_AT = 2;
const ITEM_AT = ORDER_AT + 2 * (ORDER.length + 1);
const TURN_AT = ITEM_AT + 2 * (ITEM.length + 1);

const insert = (what: 'is_fresh' | 'not is_fresh') => ({
  orders: `insert into orders (${names(ORDER)}, stats_before) select ${values(ORDER)}, '' from ${unnest([...ORDER, FRESH] as readonly Column<never>[], ORDER_AT)} where ${what} and ${IF_OPEN}`,
  items: `insert into order_items (${names(ITEM)}) select ${values(ITEM)} from ${unnest([...ITEM, FRESH] as readonly Column<never>[], ITEM_AT)} where ${what} and ${IF_OPEN}`,
});

const overwritten = [
  ...ORDER.slice(1).map(({ name }) => `${name} = excluded.${name}`),
  // The row that is really overwritten: another statement may have written it since this one began.
  `stats_before = ${COUNTED_AS}`,
];

/** An array literal of the orders to index, or null. Indexed fields never change, so only new orders are indexed. */
const SEARCHED = `$${TURN_AT + 2 * TURN.length}::text`;
const ALL = `select ${SEARCHED} where ${SEARCHED} is not null and ${IF_OPEN}`;
const UNKNOWN = `select array_agg(id)::text from unnest(${SEARCHED}::text[]) id
  where (select true from orders where order_id = id) is null and ${IF_OPEN} having count(*) > 0`;

/** An array literal of products that may have no row, or null. */
const NAMELESS = `$${TURN_AT + 2 * TURN.length + 1}::text`;

const STATS_AT = TURN_AT + 2 * TURN.length + 2;
const ITEMS = unnest([...ITEM, FRESH] as readonly Column<never>[], ITEM_AT);

/** Of forgotten orders: their stored turns without personal data, and no words until the indexer has read them again. Parameters only `erasing` statements have. */
const ERASED_AT = STATS_AT;
const ERASING = `erased as (update order_turns t set events = e.events::json
      from unnest($${ERASED_AT}::text[], $${ERASED_AT + 1}::bigint[], $${ERASED_AT + 2}::text[]) as e(order_id, version, events)
      where t.order_id = any($${ERASED_AT}::text[]) and t.order_id = e.order_id and t.version = e.version and ${IF_OPEN}),
    wordless as (
      insert into order_search (order_id, created_at, words, folding)
      select order_id, ${timeOf('created_at')}, '', ${ERASED} from ${unnest(ORDER, ORDER_AT)}
      where order_id = any($${ERASED_AT + 3}::text[]) and ${IF_OPEN} order by order_id
      on conflict (order_id) do update set words = excluded.words, folding = excluded.folding
        where order_search.folding < excluded.folding),
    reworded as (insert into order_search_queue (order_ids) select $${ERASED_AT + 3}::text where ${IF_OPEN}),`;

const text = (some: { fresh: boolean; changed: boolean; certain: boolean; erasing?: boolean }): string => {
  const fresh = insert('is_fresh');
  const changed = insert('not is_fresh');
  return `with ${GATE},
    ${!some.fresh ? '' : `fresh as (${fresh.orders}), fresh_items as (${fresh.items}), counted as (${counted(STATS_AT)}),`}
    ${
      !some.changed
        ? ''
        : `changed as (${changed.orders}
             on conflict (order_id) do update set ${overwritten.join(', ')}
             where (orders.epoch, orders.n) < (excluded.epoch, excluded.n)
             returning order_id, status, reason, currency, created_at, stats_before),
           changed_items as (${changed.items} and r.order_id in (select order_id from changed)
             on conflict (order_id, line) do update
             set unit_price = excluded.unit_price, subtotal = excluded.subtotal, hold = excluded.hold, backordered = excluded.backordered),
           recounted as (${recounted(ITEMS)}),`
    }
    ${some.erasing ? ERASING : ''}
    turns as (insert into order_turns (${names(TURN)})
      select ${values(TURN)} from ${unnest(TURN, TURN_AT)} where ${IF_OPEN}
      ${some.certain ? '' : 'on conflict do nothing'}),
    unsearched as (insert into order_search_queue (order_ids) ${some.changed ? UNKNOWN : ALL}),
    nameless as (${queued('product_ids', `select id from unnest(${NAMELESS}::text[]) id where ${IF_OPEN}`)})
    select count(*)::int as open from gate`;
};

const TEXT = {
  allNew: text({ fresh: true, changed: false, certain: true }),
  mixed: text({ fresh: true, changed: true, certain: true }),
  uncertain: text({ fresh: false, changed: true, certain: false }),
  erasing: text({ fresh: false, changed: true, certain: false, erasing: true }),
};

/**
 * The one statement (snapshot-rows.R2) for these orders. Its first parameter is the journal.
 * @param users the users whose words are queued already.
 * @param erasure if any of the orders is forgotten by it
 */
export function writeOrders(
  journal: string,
  orders: readonly OrderChange[],
  certain: boolean,
  users: ReadonlySet<string>,
  erasure?: Erasure,
): { readonly text: string; readonly parameters: readonly Parameter[] } {
  const isPlainFlush = certain && erasure === undefined;
  const rows = orders.map((order) => ({ order, fresh: isPlainFlush && order.isNew }));
  const items: ItemRow[] = [];
  const turns: TurnRow[] = [];
  for (const { order, fresh } of rows) {
    const forgotten = erasure?.orders.get(order.state.id);
    for (const turn of order.history) turns.push(forgotten === undefined ? turn : erasedTurn(turn, forgotten));
    let no = 0;
    for (const line of order.state.lines) items.push({ order: order.state, line, no: ++no, fresh });
  }
  const parameters = [
    journal,
    ...encode<Row>([...ORDER, FRESH], rows),
    ...encode<ItemRow>([...ITEM, FRESH], items),
    ...encode(TURN, turns),
    searched(orders, users),
    nameless(orders),
  ];
  if (erasure !== undefined) {
    parameters.push(...erasedParameters(erasure));
    return { text: TEXT.erasing, parameters };
  }
  if (certain) parameters.push(...countedParameters(newOf(rows)));
  if (!certain) return { text: TEXT.uncertain, parameters };
  return { text: rows.every(({ fresh }) => fresh) ? TEXT.allNew : TEXT.mixed, parameters };
}

function* newOf(rows: readonly Row[]): Iterable<OrderState> {
  for (const { order, fresh } of rows) if (fresh) yield order.state;
}

/** The orders to index: those with a text, and those of a user whose words are not queued yet. */
function searched(orders: readonly OrderChange[], users: ReadonlySet<string>): string | null {
  const ids: string[] = [];
  for (const { state } of orders) if (!isPlain(state) || !users.has(state.content.user)) ids.push(state.id);
  return ids.length === 0 ? null : texts(ids, (id) => id);
}

/**
 * The products of orders without text that may not have answered. One that nobody ever received has no row of its own:
 * only these orders tell the search index of it.
 */
function nameless(orders: readonly OrderChange[]): string | null {
  const products = new Set<string>();
  for (const { state } of orders) {
    if (!hasEndedEarly(state) || !isPlain(state)) continue;
    for (const { product, unitPrice, hold } of state.lines)
      if (unitPrice === undefined && hold !== 'short') products.add(product);
  }
  return products.size === 0 ? null : texts([...products], (id) => id);
}

// ---------------------------------------------------------------- decoding

/** An order of table alias `o` as one JSON object, decoded by `decodeOrder`. */
export const ORDER_BODY = `json_build_object(
  'id', o.order_id, 'user', o.user_id, 'userIsNumber', o.user_id_is_number, 'email', o.user_email, 'status', o.status,
  'reason', o.reason, 'shortages', o.details, 'payment', o.payment_status, 'paymentMethod', o.payment_method,
  'currency', o.currency, 'currencyAsked', o.currency_asked, 'total', o.total_amount::text,
  'shipping', o.shipping_address::text, 'billing', o.billing_address::text, 'notes', o.notes,
  'correlation', o.correlation_id, 'createdAt', ${msOf('o.created_at')}, 'updatedAt', ${msOf('o.updated_at')},
  'version', o.version, 'epoch', o.epoch, 'n', o.n, 'rest', o.state, 'life', o.life, 'lines',
  (select json_agg(json_build_array(i.product_id, i.quantity, i.unit_price::text, i.hold, i.backordered) order by i.line)
     from order_items i where i.order_id = o.order_id))`;

interface Body extends Mark, Pick<OrderState, 'id' | 'correlation' | 'createdAt' | 'updatedAt'> {
  readonly user: OrderContent['user'];
  readonly userIsNumber: boolean;
  readonly email: string | null;
  readonly status: string;
  readonly reason: FailureReason | null;
  readonly payment: ShownPaymentStatus;
  readonly shortages: readonly Shortage[] | null;
  readonly paymentMethod: string | null;
  readonly currency: string | null;
  readonly currencyAsked: boolean;
  readonly total: string | null;
  /** JSON text: a JSON `null` differs from no value. */
  readonly shipping: string | null;
  readonly billing: string | null;
  readonly notes: string | null;
  readonly version: number;
  readonly rest: { readonly phase: Phase; readonly voidOwed: boolean; readonly lateMs?: number } | null;
  readonly life: Life | null;
  readonly lines: readonly [OrderLine['product'], number, string | null, OrderLine['hold'], number][] | null;
}

export function decodeOrder(body: string): StoredOrder {
  const row = JSON.parse(body) as Body;
  const { currency, email, shipping, billing, notes, paymentMethod, rest, reason, total } = row;
  const lines = (row.lines ?? []).map(
    ([product, quantity, price, hold, backordered]): OrderLine => ({
      product,
      quantity,
      hold,
      backordered,
      ...(price !== null && { unitPrice: minorOf(price, currency ?? DEFAULT_CURRENCY) }),
    }),
  );
  const content: OrderContent = {
    user: row.user,
    userIsNumber: row.userIsNumber,
    lines: lines.map(({ product, quantity }) => ({ product, quantity })),
    ...(row.currencyAsked && currency !== null && { currency }),
    ...(email !== null && { email }),
    ...(shipping !== null && { shippingAddress: JSON.parse(shipping) as Json }),
    ...(billing !== null && { billingAddress: JSON.parse(billing) as Json }),
    ...(notes !== null && { notes }),
    ...(paymentMethod !== null && { paymentMethod }),
  };
  const state: OrderState = {
    id: row.id,
    version: row.version,
    phase: rest?.phase ?? (row.status as Phase),
    content,
    lines,
    payment: row.payment === 'not_charged' ? 'pending' : row.payment,
    voidOwed: rest?.voidOwed ?? false,
    reason: reason ?? undefined,
    shortages: row.shortages ?? [],
    currency: currency ?? undefined,
    lateMs: rest?.lateMs ?? 0,
    life: row.life ?? NO_LIFE,
    total: total === null ? undefined : minorOf(total, currency ?? DEFAULT_CURRENCY),
    correlation: row.correlation,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
  return { state, version: row.version, epoch: row.epoch, n: row.n };
}

/** One turn's events of an order as a JSON array, decoded by `decodeTurn`. */
export const TURN_BODY = `json_build_array(order_id, version, ${msOf('at')}, correlation_id, events)`;

export function decodeTurn(body: string): HistoryRow[] {
  type Turn = [OrderId, number, number, string, readonly OrderEvent[]];
  const [order, version, at, correlation, events] = JSON.parse(body) as Turn;
  return events.map((event, i) => ({ order, version: version + i, turn: version, at, correlation, event }));
}

// ---------------------------------------------------------------- machinery

const restOf = (state: OrderState): string | null =>
  isSettled(state)
    ? null
    : JSON.stringify({
        phase: state.phase,
        voidOwed: state.voidOwed,
        ...(state.lateMs > 0 && { lateMs: state.lateMs }),
      });

const subtotal = (order: OrderState, { unitPrice, quantity }: OrderLine): string | null => {
  const minor = unitPrice === undefined ? undefined : unitPrice * quantity;
  return minor === undefined || !Number.isSafeInteger(minor) ? null : amount(minor, order.currency);
};
