/** One event of each type with the data that it alone tells, without any facts from before. Texts are hostile. */
import { orderId, productId, userId, writeId } from '../../../actors/ids.js';
import type { OrderEvent, ProductEvent } from '../../../actors/protocol.js';

export const HOSTILE = 'a"b\\c</script>\u2028é😀\ud800';
export const order = orderId(HOSTILE);
export const product = productId(`P-${HOSTILE}`);
const ref = writeId(HOSTILE);
const act = { ref, fingerprint: 'f' };
const answers = [
  { product, answer: 'held', unitPrice: 1999, currency: 'USD' },
  { product, answer: 'short', available: 3 },
  { product, answer: 'short', available: 3, unitPrice: 7_000_000_000_000_001, currency: 'EUR' },
  { product, answer: 'unknown' },
] as const;

/** One row for each type, with its own data: a new type does not compile without one. */
export const orderEvents: { readonly [T in OrderEvent['type']]: [Extract<OrderEvent, { type: T }>, object] } = {
  placed: [
    {
      type: 'placed',
      correlation: 'c',
      content: {
        user: userId(HOSTILE),
        userIsNumber: false,
        lines: [{ product, quantity: 2 }],
        currency: 'USD',
        email: HOSTILE,
        shippingAddress: { street: HOSTILE },
        billingAddress: HOSTILE,
        notes: HOSTILE,
        paymentMethod: 'card',
      },
    },
    {
      order_id: order,
      user_id: HOSTILE,
      currency: 'USD',
      items: [{ product_id: product, quantity: 2 }],
      payment_method: 'card',
      user_email: HOSTILE,
      shipping_address: { street: HOSTILE },
      billing_address: { text: HOSTILE },
      notes: HOSTILE,
    },
  ],
  imported: [
    {
      ...{ type: 'imported', correlation: 'c' },
      content: {
        ...{ user: userId(HOSTILE), userIsNumber: false, lines: [{ product, quantity: 2 }], currency: 'USD' },
        ...{ email: HOSTILE, shippingAddress: HOSTILE },
      },
      facts: {
        ...{ origin: HOSTILE, placedAt: 0, tracking: HOSTILE, shipping: { currency: HOSTILE, amount: '8.99' } },
        ...{ prices: [6799], total: 13598 },
        items: [
          { product, quantity: 2, cost: { currency: 'USD', amount: '67.989999999' } },
          { product, quantity: 1 },
        ],
      },
    },
    {
      ...{ order_id: order, user_id: HOSTILE, currency: 'USD', total_amount: 135.98, total_minor: 13598 },
      items: [{ product_id: product, quantity: 2, unit_price: 67.99, unit_price_minor: 6799 }],
      ...{ origin: HOSTILE, placed_at: '1970-01-01T00:00:00.000Z', tracking_id: HOSTILE },
      shipping: { currency: HOSTILE, amount: '8.99' },
      exact_items: [
        { product_id: product, quantity: 2, cost: { currency: 'USD', amount: '67.989999999' } },
        { product_id: product, quantity: 1 },
      ],
      ...{ user_email: HOSTILE, shipping_address: { text: HOSTILE } },
    },
  ],
  import_differed: [
    { type: 'import_differed', fields: ['items', 'tracking_id'] },
    { order_id: order, fields: ['items', 'tracking_id'] },
  ],
  answered: [
    { type: 'answered', answers },
    {
      order_id: order,
      currency: 'USD',
      answers: [
        { product_id: product, answer: 'held', unit_price: 19.99, unit_price_minor: 1999, currency: 'USD' },
        { product_id: product, answer: 'short', available: 3 },
        {
          product_id: product,
          answer: 'short',
          available: 3,
          ...{ unit_price: 70000000000000.01, unit_price_minor: 7_000_000_000_000_001 },
          currency: 'EUR',
        },
        { product_id: product, answer: 'unknown' },
      ],
    },
  ],
  held: [
    { type: 'held', answers: [], currency: 'KWD', total: 1234 },
    { order_id: order, total_amount: 1.234, total_minor: 1234, currency: 'KWD', answers: [] },
  ],
  paid: [
    { type: 'paid', captured: false },
    { order_id: order, payment_status: 'authorized' },
  ],
  confirmed: [{ type: 'confirmed' }, { order_id: order }],
  captured: [{ type: 'captured' }, { order_id: order, payment_status: 'paid' }],
  failed: [
    {
      type: 'failed',
      reason: 'out_of_stock',
      answers: [],
      shortages: [{ product, asked: 5, available: 1 }],
      voidOwed: true,
    },
    {
      order_id: order,
      reason: 'out_of_stock',
      details: [{ product_id: product, asked: 5, available: 1 }],
      answers: [],
      void_owed: true,
    },
  ],
  voided: [{ type: 'voided' }, { order_id: order, payment_status: 'voided' }],
  late_sent: [{ type: 'late_sent' }, { order_id: order }],
  hold_extended: [{ type: 'hold_extended', act }, { order_id: order }],
  forgotten: [{ type: 'forgotten', act }, { order_id: order }],
  act_answered: [
    { type: 'act_answered', act, refused: 'backordered' },
    { order_id: order, refused: 'backordered' },
  ],
  capture_failed: [{ type: 'capture_failed' }, { order_id: order, payment_status: 'failed' }],
  cancelled: [
    { type: 'cancelled', act, was: 'confirmed', reason: HOSTILE, voidOwed: true },
    { order_id: order, was: 'confirmed', reason: HOSTILE, void_owed: true },
  ],
  stock_arrived: [
    { type: 'stock_arrived', lines: [{ product, quantity: 2 }] },
    { order_id: order, items: [{ product_id: product, quantity: 2 }] },
  ],
  shipped: [
    {
      ...{ type: 'shipped', act, id: HOSTILE, lines: [{ product, quantity: 2 }] },
      ...{ tracking: HOSTILE, carrier: HOSTILE },
    },
    {
      ...{ order_id: order, fulfillment_id: HOSTILE, items: [{ product_id: product, quantity: 2 }] },
      ...{ tracking_id: HOSTILE, carrier: HOSTILE },
    },
  ],
  delivered: [
    { type: 'delivered', act, ids: [HOSTILE, 'F2'] },
    { order_id: order, fulfillment_ids: [HOSTILE, 'F2'] },
  ],
  return_requested: [
    { type: 'return_requested', act, id: HOSTILE, lines: [{ product, quantity: 2 }], reason: HOSTILE },
    { order_id: order, return_id: HOSTILE, items: [{ product_id: product, quantity: 2 }], reason: HOSTILE },
  ],
  return_received: [
    { type: 'return_received', act, id: HOSTILE, restocked: false },
    { order_id: order, return_id: HOSTILE, restocked: false },
  ],
  refund_requested: [
    { type: 'refund_requested', act, id: HOSTILE, minor: 1234, currency: 'KWD', returned: HOSTILE, reason: HOSTILE },
    {
      order_id: order,
      refund_id: HOSTILE,
      amount: 1.234,
      amount_minor: 1234,
      currency: 'KWD',
      return_id: HOSTILE,
      reason: HOSTILE,
    },
  ],
  refunded: [
    { type: 'refunded', id: HOSTILE },
    { order_id: order, refund_id: HOSTILE },
  ],
  refund_failed: [
    { type: 'refund_failed', id: HOSTILE },
    { order_id: order, refund_id: HOSTILE },
  ],
};

export const productEvents: { readonly [T in ProductEvent['type']]: [Extract<ProductEvent, { type: T }>, object] } = {
  received: [
    { type: 'received', ref, fingerprint: 'f', name: HOSTILE, unitPrice: 500, currency: 'JPY', quantity: 7 },
    { product_id: product, quantity: 7, name: HOSTILE, unit_price: 500, unit_price_minor: 500, currency: 'JPY', ref },
  ],
  adjusted: [
    { type: 'adjusted', ref, fingerprint: 'f', delta: -2, reason: HOSTILE },
    { product_id: product, delta: -2, reason: HOSTILE, ref },
  ],
  held: [
    { type: 'held', order, quantity: 2 },
    { product_id: product, order_id: order, quantity: 2 },
  ],
  released: [
    { type: 'released', order, quantity: 2 },
    { product_id: product, order_id: order, quantity: 2 },
  ],
  committed: [
    { type: 'committed', order, quantity: 2, no: 2 },
    { product_id: product, order_id: order, quantity: 2 },
  ],
  returned: [
    { type: 'returned', order, quantity: 2, no: 1 },
    { product_id: product, order_id: order, quantity: 2 },
  ],
  backordered: [
    { type: 'backordered', order, quantity: 2 },
    { product_id: product, order_id: order, quantity: 2 },
  ],
  unbackordered: [
    { type: 'unbackordered', order, quantity: 2 },
    { product_id: product, order_id: order, quantity: 2 },
  ],
};
