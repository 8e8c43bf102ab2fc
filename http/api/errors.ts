/**
 * Every error code of the API, with its status, its title, its cause and an example. Code that uses another error code
 * does not compile. The OpenAPI document and the reference page list all codes.
 */
import { limits } from '../../actors/limits.js';

interface ErrorKind {
  readonly status: number;
  readonly title: string;
  /** When a client gets it and what to do then. The reference shows it. */
  readonly when: string;
  /** The members of an example beside status and code. */
  readonly example: { readonly message: string; readonly errors?: readonly object[]; readonly [more: string]: unknown };
}

const EXAMPLE_ORDER = 'ORD-661KAW4MXKE4M1X7PT3ZF0VRFQ';

const plain = (status: number, title: string, when: string, message: string, more: object = {}): ErrorKind => ({
  status,
  title,
  when,
  example: { message, ...more },
});

export const TOTAL_TOO_LARGE = 'The order would cost more than an amount of money can be: order fewer pieces.';

/** An example that names one field. */
const field = (status: number, title: string, when: string, name: string, message: string): ErrorKind =>
  plain(status, title, when, message, { errors: [{ field: name, message }] });

const counted = (number: number): string => number.toLocaleString('en-US');

const errors = {
  invalid: field(
    400,
    'Invalid request',
    `The request is not valid. \`errors\` names every wrong field, up to ${limits.namedFields}. Nothing has happened, except for the rows of a file that the answer counts. Do not repeat the request unchanged.`,
    'items[0].quantity',
    'items[0].quantity must be a whole number from 1 to 1,000,000.',
  ),
  unauthorized: plain(
    401,
    'Not authenticated',
    'The operation needs an API key or a token, as `Authorization: Bearer`. There was none, or it is unknown, revoked, expired or meant for another service.',
    'Send an API key or a token: Authorization: Bearer hf_...',
  ),
  forbidden: plain(
    403,
    'Not allowed',
    'The key or token does not have the scope. Or it is of a customer, and the operation needs a service or is about another user.',
    'This key or token does not have the scope orders:write.',
  ),
  payment_declined: plain(
    402,
    'Payment declined',
    'The payment provider declined. The order is stored as failed and holds nothing.',
    'The payment was declined.',
    { order_id: EXAMPLE_ORDER },
  ),
  gremlin_off: plain(
    403,
    'Not allowed here',
    'This environment does not allow the gremlin.',
    'The gremlin is not allowed here: it needs GREMLIN=on in the environment.',
  ),
  not_found: plain(404, 'Not found', 'Nothing has this id or this path.', 'There is no order 4711.'),
  unknown_product: plain(
    404,
    'Unknown product',
    'No stock of this product was ever received. An order for it is stored as failed.',
    'There is no product PROD-999.',
    { order_id: EXAMPLE_ORDER, details: [{ product_id: 'PROD-999' }] },
  ),
  method_not_allowed: plain(
    405,
    'Method not allowed',
    'The path exists, but does not allow this method. The `Allow` header lists the methods that it allows.',
    'DELETE is not allowed here. Allowed are HEAD, GET, POST, OPTIONS.',
  ),
  too_slow: field(
    408,
    'Too slow',
    `The headers did not arrive within ${limits.headersMs / 1000} s, or the whole request did not arrive within ${limits.requestMs / 1000} s. The connection is closed.`,
    'request',
    'The request did not arrive in time.',
  ),
  out_of_stock: plain(
    409,
    'Out of stock',
    'There is less stock than the order asks for. `details` has the numbers. The order is stored as failed and holds nothing.',
    'Not enough in stock. PROD-003: 51 asked, 50 available.',
    { order_id: EXAMPLE_ORDER, details: [{ product_id: 'PROD-003', asked: 51, available: 50 }] },
  ),
  timed_out: plain(
    409,
    'Timed out',
    'The order had no outcome in its time and was given up. Nothing is held or charged. Order again with a new key.',
    'The order could not be completed in its time and has been given up; nothing is charged. Order again with a new Idempotency-Key.',
    { order_id: EXAMPLE_ORDER },
  ),
  total_too_large: plain(
    409,
    'Total too large',
    'The order would cost more than can be counted: 9,007,199,254,740,991 minor units of its currency. Nothing is held or charged. Order fewer pieces.',
    TOTAL_TOO_LARGE,
  ),
  currency_fixed: field(
    409,
    'Currency is fixed',
    'The currency of a product never changes.',
    'products[0].currency',
    'products[0].currency: the currency of PROD-001 never changes.',
  ),
  below_held: field(
    409,
    'Below what is held',
    'Orders hold more of the product than the adjustment would leave.',
    'delta',
    'delta: the stock of PROD-001 would fall below what orders hold of it.',
  ),
  too_much_stock: field(
    409,
    'Too much stock',
    'The stock would become more than Holdfast can count.',
    'products[0].stock',
    'products[0].stock: PROD-001 would have more stock than can be counted.',
  ),
  illegal_transition: field(
    409,
    'Illegal transition',
    'The order cannot go from its status to the one that you ask for. `allowed` lists the statuses that it can be brought to.',
    'status',
    'The order is delivered: it cannot become anything else.',
  ),
  more_than_ordered: field(
    409,
    'More than ordered',
    'The shipment is of more than is left to ship.',
    'lines',
    'This is more than is left to ship: 1 of PROD-001.',
  ),
  more_than_shipped: field(
    409,
    'More than shipped',
    'The return is of more than was shipped and is in no other return.',
    'lines',
    'This is more than can be returned: 1 of PROD-001.',
  ),
  more_than_paid: field(
    409,
    'More than paid',
    'The refund is of more than was paid and is not refunded yet.',
    'amount',
    'This is more than can be refunded: 149.99 USD.',
  ),
  backordered: field(
    409,
    'Not in stock yet',
    'The order waits for stock of a line that you want to ship. Ship the other lines, or wait.',
    'lines',
    'Not in stock yet: 2 of PROD-001.',
  ),
  done_otherwise: field(
    409,
    'Done otherwise before',
    'The same change was already made with other content, which stays: an order shipped with another `tracking_id`, cancelled for another `reason`, or a return received with another `restock`. This request changed nothing.',
    'tracking_id',
    'The order was already shipped with another tracking_id, which stays.',
  ),
  too_many_changes: field(
    409,
    'Changed too often',
    `An order takes up to ${limits.actsOfOrder} changes. It also remembers up to ${limits.answeredActs} requests with a key that changed nothing. This one has no room for more.`,
    'body',
    'The order cannot take another change.',
  ),
  too_many_webhooks: plain(
    409,
    'Too many webhooks',
    `There are ${limits.webhooks} webhooks already. Remove one first.`,
    `There are ${limits.webhooks} webhooks already: remove one first.`,
  ),
  cancelled: plain(
    409,
    'Cancelled',
    'The order was cancelled before it had an outcome. Nothing is held or charged. Order again with a new key.',
    'The order was cancelled before it was confirmed; nothing is charged. Order again with a new Idempotency-Key.',
    { order_id: EXAMPLE_ORDER },
  ),
  archived: plain(
    409,
    'Archived',
    'The order was settled long ago and has been moved to an archive. It can be read, and repeats get their first answers. It takes no new change.',
    `The order is archived: it can be read, and it takes no change any more.`,
    { order_id: EXAMPLE_ORDER },
  ),
  gone: plain(
    410,
    'Gone',
    'The order was archived, and the archive was removed when its time was over. Its key never places another order.',
    `The order ${EXAMPLE_ORDER} was archived, and its archive was removed when its time was over.`,
    { order_id: EXAMPLE_ORDER },
  ),
  precondition_failed: field(
    412,
    'Changed meanwhile',
    'The order is not at the version that `If-Match` names. Get it again.',
    'If-Match',
    'The order has changed in the meantime: get it again.',
  ),
  too_large: field(
    413,
    'Too large',
    `The body has more than ${counted(limits.bodyBytes)} bytes (a CSV file: ${counted(limits.importBytes)} bytes or ${counted(limits.importRows)} rows), or cannot be stored as one. Send it in parts.`,
    'body',
    `body has more than ${counted(limits.bodyBytes)} bytes.`,
  ),
  unsupported_media_type: field(
    415,
    'Unsupported media type',
    'The `Content-Type` is not the one that this operation reads, or the body is compressed.',
    'Content-Type',
    'Content-Type must be application/json.',
  ),
  idempotency_mismatch: field(
    422,
    'Key used for another request',
    'This caller has used this `Idempotency-Key` for another request. Nothing has happened.',
    'Idempotency-Key',
    'This Idempotency-Key was used for another order before: use a new key, or send the same request again.',
  ),
  rate_limited: plain(
    429,
    'Too many requests',
    'This caller has sent more requests than `RATE_LIMIT` allows, or wants a second upload of a backup in one day. Nothing has happened. `Retry-After` says when to try again.',
    'More than 100 requests: try again in 7 s.',
  ),
  headers_too_large: field(
    431,
    'Headers too large',
    `The path, query and headers have more than ${counted(limits.headerBytes)} bytes. The connection is closed.`,
    'headers',
    `The headers have more than ${limits.headerBytes} bytes.`,
  ),
  internal: plain(
    500,
    'Internal error',
    'A fault of Holdfast. It is logged under the `X-Request-ID`. The request may have had its effect: repeat it with the same key.',
    'Something is broken on our side; it has been logged under the X-Request-ID.',
  ),
  busy: plain(
    503,
    'Busy',
    'Too many requests are waiting. Nothing has happened. `Retry-After` says when to try again.',
    'Too many requests are waiting for an answer: try again in a moment.',
  ),
  unavailable: plain(
    503,
    'Unavailable',
    'The request could not be made durable, or answered, in time. It may still take effect: repeat it with the same key. If an order had no key, use its `order_id` as the key.',
    'The order could not be made durable in time. It may still take effect: repeat it with the same Idempotency-Key. If it had none, use its order_id as the key.',
    { order_id: EXAMPLE_ORDER },
  ),
  not_ready: plain(
    503,
    'Not ready',
    'This node does not serve now. It is starting or stopping, waits for its partitions, or cannot write.',
    'This node is stopping.',
  ),
} satisfies { readonly [code: string]: ErrorKind };

export type ErrorCode = keyof typeof errors;

export const ERRORS: Readonly<Record<ErrorCode, ErrorKind>> = errors;

/** The error in the form of the contract. */
export const exampleOf = (code: ErrorCode): object => {
  const { message, errors: wrong = [], ...more } = ERRORS[code].example;
  return { status: 'error', code, message, errors: wrong, ...more };
};
