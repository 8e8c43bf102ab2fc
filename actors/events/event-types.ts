/**
 * Every public event on one page: when it happens and what its `data` holds. The schemas (event-schemas.ts) and EVENTS.md are
 * made from this table; event-data.ts writes the data, and a test compares them.
 *
 * Law: the data of a type changes by addition alone, and no field becomes mandatory later: messages of older versions stay on
 * EVENTS, and old journals may be published again. Another change takes another type, `.v2`.
 */
import type { FailureReason, OrderEvent, OrderRefusal, ProductEvent } from '../protocol.js';

/** A JSON Schema of a field, with its description. */
export type Schema = { readonly [keyword: string]: unknown; readonly description?: string };

export interface EventRow {
  readonly when: string;
  /** In every event of the type. */
  readonly always: Fields;
  /** Absent where it is not known, or does not apply. */
  readonly optional: Fields;
}

type Fields = { readonly [name: string]: Schema };

// ---------------------------------------------------------------- the fields

const text = (description: string): Schema => ({ type: 'string', description });
const flag = (description: string): Schema => ({ type: 'boolean', description });
const pieces = (description: string): Schema => ({ type: 'integer', description });
const decimal = (description: string): Schema => ({ type: 'number', description });
const minor = (description: string): Schema => ({
  type: 'integer',
  description: `${description}, in minor units (cents).`,
});
const oneOf = (words: readonly string[], description: string): Schema => ({ type: 'string', enum: words, description });
const listOf = (items: Schema, description: string): Schema => ({ type: 'array', items, description });
const object = (always: Fields, optional: Fields): Schema => ({
  type: 'object',
  properties: { ...always, ...optional },
  required: Object.keys(always),
});

const currency = text('The currency of the amounts beside it, by ISO 4217.');

const line = object(
  { product_id: text('The product.'), quantity: pieces('Pieces.') },
  { unit_price: decimal('The price of one piece.'), unit_price_minor: minor('The price of one piece') },
);

const items = (description: string): Fields => ({ items: listOf(line, description) });
const ALL_LINES = items('All lines of the order. A price is known once the product has answered.');

const ORDER_ID: Fields = { order_id: text('The order.') };
const ORDER_FACTS: Fields = {
  user_id: text('Whose order it is. Always text, also where the client sent a number.'),
  currency: text('The currency of the amounts beside it, by ISO 4217; known once a product has answered.'),
  total_amount: decimal('The total of the order, known once every line is held.'),
  total_minor: minor('The total of the order'),
};

const answers = listOf(
  object(
    { product_id: text('The product.'), answer: oneOf(['held', 'short', 'unknown'], 'Whether the line is held.') },
    {
      available: pieces('If short: how many pieces could have been held.'),
      backordered: pieces('If held: the part that is promised and not in stock.'),
      unit_price: decimal('The price of one piece.'),
      unit_price_minor: minor('The price of one piece'),
      currency,
    },
  ),
  'What the products answered, since the last event with answers.',
);

const paymentStatus = (words: readonly string[]): Fields => ({
  payment_status: oneOf(words, 'The status of the payment after the event.'),
});
const voidOwed = flag('A charge may have been authorized: it is voided.');
const reason = text('The reason that the client gave.');

const address: Schema = {
  type: 'object',
  description: 'Only with EVENTS_PERSONAL=on. An object as the client sent it; an address sent as text is its `text`.',
};
const personal = (what: string) => text(`Only with EVENTS_PERSONAL=on. ${what}`);

const cost = (description: string): Schema => ({
  ...object({ currency, amount: text('A decimal with all its digits.') }, {}),
  description,
});

const FAILURES: { readonly [R in FailureReason]: true } = {
  out_of_stock: true,
  unknown_product: true,
  payment_declined: true,
  timed_out: true,
  total_too_large: true,
};
const REFUSALS: { readonly [R in OrderRefusal]: true } = {
  other_body: true,
  not_yours: true,
  unknown_order: true,
  illegal_transition: true,
  more_than_ordered: true,
  more_than_shipped: true,
  more_than_paid: true,
  backordered: true,
  unknown_fulfillment: true,
  unknown_return: true,
  done_otherwise: true,
  changed: true,
  too_many_acts: true,
};

const REFUND_ID: Fields = { refund_id: text('The refund.') };
const AMOUNT: Fields = {
  amount: decimal('The amount of the refund.'),
  amount_minor: minor('The amount of the refund'),
};

// ---------------------------------------------------------------- orders

/** About the whole order: all its lines are in `items`. */
const whole = (when: string, always: Fields = {}, optional: Fields = {}): EventRow => ({
  when,
  always: { ...ORDER_ID, ...always },
  optional: { ...ORDER_FACTS, ...ALL_LINES, ...optional },
});

/** About a part of the order. */
const part = (when: string, lines: string, always: Fields = {}, optional: Fields = {}): EventRow => ({
  when,
  always: { ...ORDER_ID, ...items(lines), ...always },
  optional: { ...ORDER_FACTS, ...optional },
});

const orderEvents: { readonly [T in OrderEvent['type']]: EventRow } = {
  placed: {
    when: 'A client has placed the order. Nothing is held yet.',
    always: { ...ORDER_ID, user_id: ORDER_FACTS.user_id as Schema, ...ALL_LINES },
    optional: {
      currency: text('The currency that the client asked for, by ISO 4217.'),
      payment_method: text('As the client named it.'),
      user_email: personal("The client's e-mail address."),
      shipping_address: address,
      billing_address: address,
      notes: personal('Notes to the order.'),
    },
  },
  imported: whole(
    'The order was made and paid elsewhere, and is known from now on. It is confirmed, and takes nothing from the stock.',
    { origin: text('Who told of it, such as `boutique`.') },
    {
      placed_at: text('When it was made, as it was told.'),
      tracking_id: text("The carrier's number."),
      shipping: cost('What the shipment costs, beside the total.'),
      exact_items: listOf(
        object(
          { product_id: text('The product.'), quantity: pieces('Pieces.') },
          { cost: cost('The price of one piece.') },
        ),
        'The items as they were told, where `items` does not say them exactly: a finer amount, or another currency.',
      ),
      user_email: personal("The client's e-mail address."),
      shipping_address: address,
    },
  ),
  import_differed: whole('The order was told of again with another content. Nothing changed.', {
    fields: listOf({ type: 'string' }, 'What differs, by its name in the API.'),
  }),
  answered: whole('Some products have answered, others not yet; or a product answered after the order had ended.', {
    answers,
  }),
  held: whole('The last products have answered, and every line is held. The total is known from here on.', {
    currency,
    total_amount: ORDER_FACTS.total_amount as Schema,
    total_minor: ORDER_FACTS.total_minor as Schema,
    answers,
  }),
  late_sent: whole('Holds that fault injection had kept back were asked for.'),
  hold_extended: whole('The order was given more time to be paid.'),
  paid: whole('The payment provider has authorized the charge, or taken the money at once.', {
    ...paymentStatus(['paid', 'authorized']),
  }),
  confirmed: whole('The order is confirmed: every line is held or backordered, and the payment is authorized.'),
  captured: whole('The authorized money has moved.', paymentStatus(['paid'])),
  capture_failed: whole('The provider did not take the money that it had authorized.', paymentStatus(['failed'])),
  failed: whole('The order has failed, and gives back what it holds.', {
    reason: oneOf(Object.keys(FAILURES), 'Why.'),
    details: listOf(
      object(
        {
          product_id: text('The product.'),
          asked: pieces('Pieces that the order asked for.'),
          available: pieces('Pieces that could have been held.'),
        },
        {},
      ),
      'What was short.',
    ),
    answers,
    void_owed: voidOwed,
  }),
  voided: whole('The provider has given up the authorized charge.', paymentStatus(['voided'])),
  cancelled: whole(
    'The order was cancelled, and gives back what it has.',
    { was: oneOf(['pending', 'confirmed'], 'Its status before.'), void_owed: voidOwed },
    { reason },
  ),
  stock_arrived: part('Stock has come in for backordered lines.', 'What has come in.'),
  shipped: part(
    'A shipment has left.',
    'The lines of the shipment.',
    { fulfillment_id: text('The shipment.') },
    { tracking_id: text("The carrier's number."), carrier: text('The carrier.') },
  ),
  delivered: whole('Shipments have arrived.', {
    fulfillment_ids: listOf({ type: 'string' }, 'The shipments. Their lines are in the events order.shipped.'),
  }),
  return_requested: part(
    'The buyer will send goods back.',
    'The lines that come back.',
    { return_id: text('The return.') },
    { reason },
  ),
  return_received: whole('Returned goods have arrived.', {
    return_id: text('The return. Its lines are in the event order.return_requested.'),
    restocked: flag('The goods are in stock again; otherwise they are written off.'),
  }),
  refund_requested: whole(
    'Money is to be paid back.',
    { ...REFUND_ID, amount: AMOUNT.amount as Schema, amount_minor: AMOUNT.amount_minor as Schema, currency },
    { return_id: text('The return whose price it is.'), reason },
  ),
  refunded: whole('The money was paid back.', REFUND_ID, AMOUNT),
  refund_failed: whole('The provider refused to pay back.', REFUND_ID, AMOUNT),
  forgotten: whole(
    "The order's personal data was erased: e-mail, addresses, notes, tracking ids and reasons. Erase what you keep of them.",
  ),
  act_answered: whole(
    "A request under a client's key had no effect. Nothing changed: the order remembers the answer.",
    {},
    { refused: oneOf(Object.keys(REFUSALS), 'Why. Absent when there was nothing to do.') },
  ),
};

// ---------------------------------------------------------------- products

const PRODUCT_ID: Fields = { product_id: text('The product.') };
const STOCK: Fields = {
  on_hand: pieces('Pieces in stock after the event.'),
  held: pieces('Pieces of them that orders hold.'),
  available: pieces('Pieces that nobody holds and no waiting order is promised.'),
};
const REF: Fields = { ref: text('The reference of the stock write.') };

const moved = (when: string): EventRow => ({
  when,
  always: { ...PRODUCT_ID, order_id: text('The order.'), quantity: pieces('Pieces.') },
  optional: STOCK,
});

const productEvents: { readonly [T in ProductEvent['type']]: EventRow } = {
  received: {
    when: 'Stock was received, or the price or the name was set.',
    always: {
      ...PRODUCT_ID,
      quantity: pieces('Pieces received.'),
      name: text("The product's name."),
      unit_price: decimal('The price of one piece.'),
      unit_price_minor: minor('The price of one piece'),
      currency,
      ...REF,
    },
    optional: STOCK,
  },
  adjusted: {
    when: 'Stock was corrected.',
    always: { ...PRODUCT_ID, delta: pieces('Pieces more, or fewer if negative.'), reason: text('Why.'), ...REF },
    optional: STOCK,
  },
  held: moved('An order holds pieces.'),
  released: moved('An order gave back what it held.'),
  committed: moved('A confirmed order took what it held.'),
  returned: moved('Pieces came back from an order.'),
  backordered: moved('An order waits for pieces that are not in stock.'),
  unbackordered: moved('An order waits for these pieces no more.'),
};

export const eventTypes = { order: orderEvents, product: productEvents } as const;
