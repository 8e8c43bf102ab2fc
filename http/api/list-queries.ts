/** The query parameters of lists: filters, a search, and a page by number or by cursor. */
import { z } from 'zod';
import { orderId, type ProductId, productId, userId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { comparable } from '../../actors/money.js';
import { FULFILLMENT_STATUSES, PAYMENT_STATUSES, STATUSES } from '../../actors/order/transitions.js';
import type { OrderFilter, OrderKey, Page } from '../../actors/ports/queries.js';
import { CURSOR_CHARS, placeOf } from './cursor.js';
import { invalidField } from './failure.js';
import {
  currency,
  DECIMAL_TEXT,
  hasAtMost,
  idText,
  isIdText,
  pageOf,
  ruled,
  wholeText,
  wholeTextOr,
  word,
} from './schemas.js';

const MOMENT = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/;
const MOMENT_RULE = 'must be a date such as 2026-11-21, or a time with its zone such as 2026-11-21T11:49:34Z';

/** A moment as the client gave it. It may be more precise than stored times. */
interface Moment {
  /** Wall-clock milliseconds, rounded down. */
  readonly ms: number;
  /** The remaining nanoseconds, below a million. */
  readonly ns: number;
}

/** The first whole millisecond that is not before the moment. Stored times have whole milliseconds. */
const firstMs = ({ ms, ns }: Moment): number => (ns > 0 ? ms + 1 : ms);

const isLater = (one: Moment, other: Moment): boolean =>
  one.ms > other.ms || (one.ms === other.ms && one.ns > other.ns);

/** An ISO 8601 date (midnight UTC) or time with its zone. */
export const moment = (description: string) =>
  ruled<string>(MOMENT_RULE, (value) => typeof value === 'string' && momentOf(value) !== undefined, {
    anyOf: [
      { type: 'string', format: 'date' },
      { type: 'string', format: 'date-time' },
    ],
    description,
  })
    .transform((text): Moment => momentOf(text) ?? { ms: 0, ns: 0 })
    .optional();

const amount = (description: string) =>
  ruled<string>(
    'must be a decimal of up to 16 digits before and 4 behind the point',
    (value) => typeof value === 'string' && DECIMAL_TEXT.test(value),
    { type: 'number', minimum: 0, description },
  ).optional();

export const cursor = ruled<string>(
  `must be text of 1 to ${CURSOR_CHARS} characters`,
  (value) => typeof value === 'string' && value !== '' && value.length <= CURSOR_CHARS,
  { type: 'string', minLength: 1, description: 'The `next_cursor` of the answer before. Keep the same filters.' },
).optional();

const limit = wholeText(
  limits.pageSize,
  'How many entries an answer has at most. It reads the list by cursor, so it excludes `page` and `page_size`.',
);

const orderFilters = {
  status: word('OrderStatus', STATUSES).optional(),
  payment_status: word('PaymentStatus', PAYMENT_STATUSES).optional(),
  fulfillment_status: word('FulfillmentStatus', FULFILLMENT_STATUSES).optional(),
  product_id: idText.optional(),
  currency: currency.optional(),
  from: moment('Lists orders that were placed at this time or later.'),
  to: moment('Lists orders that were placed before this time.'),
  min_total: amount('The least total, in the currency of each order. A total that is not known matches no bound.'),
  max_total: amount('The highest total, in the currency of each order. A total that is not known matches no bound.'),
  fresh: ruled<string>('must be true or false', (value) => value === 'true' || value === 'false', {
    type: 'boolean',
    description: `With \`true\` the list waits, up to ${limits.freshMs / 1000} s, until it shows everything that any node answered before this request. \`pagination.fresh\` says whether it does. Words are found later, so it excludes \`q\`.`,
  })
    .optional()
    .transform((text) => text === 'true'),
  q: ruled<string>(
    `must be text of 1 to ${limits.searchChars} characters`,
    (value) => typeof value === 'string' && value !== '' && hasAtMost(value, limits.searchChars),
    {
      type: 'string',
      minLength: 1,
      maxLength: limits.searchChars,
      description:
        'Finds orders that have all these words in their id, user, e-mail, products (ids and names), addresses or notes. The last word may be the beginning of one. Case and diacritics make no difference.',
    },
  ).optional(),
};

/** Without defaults of their own: beside `limit` or `cursor` they must not be given at all. */
const byNumber = {
  page: wholeText(limits.pageDepth, 'The number of the page. 1 if it is left out. It excludes `limit` and `cursor`.'),
  page_size: wholeText(
    limits.pageSize,
    `How many entries a page has. ${limits.pageSizeDefault} if it is left out. It excludes \`limit\` and \`cursor\`.`,
  ),
};

export const productListQuery = z.object({ ...byNumber, cursor, limit });
export type ProductListQuery = z.output<typeof productListQuery>;

export const userOrdersQuery = productListQuery.extend(orderFilters);
export const orderListQuery = userOrdersQuery.extend({ user_id: idText.optional() });
export type OrderListQuery = z.output<typeof orderListQuery>;

/** The filters of a list without its pages. */
export const orderFiltersQuery = orderListQuery.omit({ page: true, page_size: true, cursor: true, limit: true });
type OrderFilters = z.output<typeof orderFiltersQuery>;

export const ledgerQuery = z.object({
  cursor,
  limit: wholeTextOr(limits.pageSizeDefault, limits.pageSize, 'How many movements an answer has at most.'),
  at: moment('Shows the balance at this moment instead of the movements.'),
});
export type LedgerQuery = z.output<typeof ledgerQuery>;

// ---------------------------------------------------------------- from query to filter

/** @throws Failure if filters contradict each other. */
export function orderFilter(query: OrderFilters): OrderFilter {
  const {
    user_id,
    status,
    payment_status,
    fulfillment_status,
    product_id,
    currency,
    from,
    to,
    min_total,
    max_total,
    fresh,
    q,
  } = query;
  if (fresh && q !== undefined)
    throw invalidField('fresh', 'cannot be combined with q: words are found some seconds later');
  if (from !== undefined && to !== undefined && isLater(from, to)) {
    throw invalidField('from', 'must not be later than to');
  }
  if (min_total !== undefined && max_total !== undefined && comparable(min_total) > comparable(max_total)) {
    throw invalidField('min_total', 'must not be more than max_total');
  }
  return {
    ...(user_id !== undefined && { user: userId(user_id) }),
    ...(status !== undefined && { status }),
    ...(payment_status !== undefined && { payment: payment_status }),
    ...(fulfillment_status !== undefined && { fulfillment: fulfillment_status }),
    ...(product_id !== undefined && { product: productId(product_id) }),
    ...(currency !== undefined && { currency }),
    ...(from !== undefined && { from: firstMs(from) }),
    ...(to !== undefined && { to: firstMs(to) }),
    ...(min_total !== undefined && { minTotal: min_total }),
    ...(max_total !== undefined && { maxTotal: max_total }),
    ...(q !== undefined && { words: q }),
  };
}

/** Whether the list is read by cursor. @throws Failure if it is asked for by number as well. */
export function isByCursor({ page, page_size, limit, cursor }: ProductListQuery): boolean {
  if (limit === undefined && cursor === undefined) return false;
  if (page !== undefined) throw invalidField('page', 'cannot be combined with limit or cursor');
  if (page_size !== undefined) throw invalidField('page_size', 'cannot be combined with limit or cursor');
  return true;
}

/** A page by its number. @throws Failure if the page is so deep that only a cursor reaches it. */
export function orderPage(query: OrderListQuery): Page {
  const { page, pageSize } = pageOf(query);
  if ((page - 1) * pageSize > limits.skippedOrders) {
    const deepest = Math.floor(limits.skippedOrders / pageSize) + 1;
    throw invalidField(
      'page',
      `must be at most ${deepest} with a page_size of ${pageSize}: to read further, send limit and follow next_cursor`,
    );
  }
  return { page, pageSize };
}

/** The key of the last order before the cursor. */
export function orderKey(list: string, cursor: string | undefined): OrderKey | undefined {
  if (cursor === undefined) return undefined;
  const [at, id] = placeOf(list, cursor, isOrderKey);
  return { at, id: orderId(id) };
}

export function productKey(list: string, cursor: string | undefined): ProductId | undefined {
  return cursor === undefined ? undefined : productId(placeOf(list, cursor, isProductKey)[0]);
}

export function ledgerVersion(list: string, cursor: string | undefined): number | undefined {
  return cursor === undefined ? undefined : placeOf(list, cursor, isVersion)[0];
}

// ---------------------------------------------------------------- machinery

const isOrderKey = (place: readonly (string | number)[]): place is readonly [number, string] =>
  place.length === 2 && isTime(place[0]) && typeof place[1] === 'string' && isIdText(place[1]);

const isProductKey = (place: readonly (string | number)[]): place is readonly [string] =>
  place.length === 1 && typeof place[0] === 'string' && isIdText(place[0]);

const isVersion = (place: readonly (string | number)[]): place is readonly [number] =>
  place.length === 1 && Number.isSafeInteger(place[0]) && Number(place[0]) > 0;

const LATEST = Date.UTC(10_000, 0);
const isTime = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) < LATEST;

/** Undefined if the text is not such a moment or names a day that does not exist. */
function momentOf(given: string): Moment | undefined {
  // An unescaped plus sign in a query decodes to a space.
  const text = given.replace(' ', '+');
  if (!MOMENT.test(text)) return undefined;
  const day = Date.parse(text.slice(0, 10));
  const ms = Date.parse(text);
  const isDay = !Number.isNaN(day) && new Date(day).toISOString().startsWith(text.slice(0, 10));
  const finer = /\.\d{3}(\d{1,6})/.exec(text)?.[1] ?? '';
  return isDay && !Number.isNaN(ms) ? { ms, ns: Number(finer.padEnd(6, '0')) } : undefined;
}
