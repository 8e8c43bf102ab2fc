/** Public events: every type of event as one CloudEvents 1.0 event that parses, with any content. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { orderId, productId, userId, writeId } from '../../../actors/ids.js';
import { cascadeEvents, eventBatch, eventFrame, mostEventBytes } from '../../../actors/node/cloud-events.js';
import { eventJson, type JournaledEvent } from '../../../actors/node/record.js';
import type { OrderEvent, ProductEvent } from '../../../actors/protocol.js';

const test = suite('cloud-events');
const HOSTILE = 'a"b\\c</script>\u2028é😀\ud800';
const order = orderId(HOSTILE);
const product = productId(`P-${HOSTILE}`);
const ref = writeId(HOSTILE);
const act = { ref, fingerprint: 'f' };
const answers = [
  { product, answer: 'held', unitPrice: 1999, currency: 'USD' },
  { product, answer: 'short', available: 3 },
  { product, answer: 'short', available: 3, unitPrice: 7_000_000_000_000_001, currency: 'EUR' },
  { product, answer: 'unknown' },
] as const;

/** One row for each type: a new type does not compile without one. */
const orderEvents: { readonly [T in OrderEvent['type']]: [Extract<OrderEvent, { type: T }>, object] } = {
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
      items: [{ product_id: product, quantity: 2 }],
      currency: 'USD',
      user_email: HOSTILE,
      shipping_address: { street: HOSTILE },
      billing_address: HOSTILE,
      notes: HOSTILE,
      payment_method: 'card',
    },
  ],
  answered: [
    { type: 'answered', answers },
    {
      order_id: order,
      answers: [
        { product_id: product, answer: 'held', unit_price: 19.99, currency: 'USD' },
        { product_id: product, answer: 'short', available: 3 },
        { product_id: product, answer: 'short', available: 3, unit_price: 70000000000000.01, currency: 'EUR' },
        { product_id: product, answer: 'unknown' },
      ],
    },
  ],
  held: [
    { type: 'held', answers: [], currency: 'KWD', total: 1234 },
    { order_id: order, total_amount: 1.234, currency: 'KWD', answers: [] },
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
    { order_id: order, refund_id: HOSTILE, amount: 1.234, currency: 'KWD', return_id: HOSTILE, reason: HOSTILE },
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

const productEvents: { readonly [T in ProductEvent['type']]: [Extract<ProductEvent, { type: T }>, object] } = {
  received: [
    { type: 'received', ref, fingerprint: 'f', name: HOSTILE, unitPrice: 500, currency: 'JPY', quantity: 7 },
    { product_id: product, quantity: 7, name: HOSTILE, unit_price: 500, currency: 'JPY', ref },
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

const at = Date.UTC(2025, 0, 2, 3, 4, 5, 6);
const told = (event: JournaledEvent) =>
  JSON.parse(eventBatch({ at, cascades: [{ correlation: HOSTILE, events: [event] }] }, '/holdfast/"1"'))[0];

for (const [type, [event, data]] of Object.entries(orderEvents)) {
  test(`order.${type}`, () => {
    assert.equal(told({ of: { kind: 'order', id: order }, version: 3, event }), {
      specversion: '1.0',
      id: `order/${HOSTILE}/3`,
      source: '/holdfast/"1"',
      type: `order.${type}.v1`,
      subject: HOSTILE,
      time: '2025-01-02T03:04:05.006Z',
      datacontenttype: 'application/json',
      correlationid: HOSTILE,
      data,
    });
  });
}

for (const [type, [event, data]] of Object.entries(productEvents)) {
  test(`inventory.${type}`, () => {
    const found = told({ of: { kind: 'product', id: product }, version: 1, event });
    assert.equal(
      [found.type, found.id, found.subject, found.data],
      [`inventory.${type}.v1`, `product/${product}/1`, product, data],
    );
  });
}

for (const [kind, text] of Object.entries({ odd: HOSTILE, tiny: 'a' })) {
  test(`no event is larger than its estimate: ${kind} texts`, () => {
    const frame = eventFrame(at, text);
    const all = [
      ...Object.values(orderEvents).map(([event]) => ({ of: { kind: 'order', id: orderId(text) } as const, event })),
      ...Object.values(productEvents).map(([event]) => ({
        of: { kind: 'product', id: productId(text) } as const,
        event,
      })),
    ];
    for (const { of, event } of all) {
      const json = eventJson(event).replaceAll(JSON.stringify(HOSTILE).slice(1, -1), JSON.stringify(text).slice(1, -1));
      const parsed = { of, version: Number.MAX_SAFE_INTEGER, event: JSON.parse(json), json };
      const one = parsed as JournaledEvent & { readonly json: string };
      const cascade = { correlation: text, events: [one] };
      const bytes = Buffer.byteLength(cascadeEvents(cascade, frame));
      assert.ok(bytes <= mostEventBytes(cascade, frame), `${event.type}: ${bytes}`);
    }
  });
}

test('a user id that came as a number leaves as a number', () => {
  const content = { user: userId('42'), userIsNumber: true, lines: [] };
  const event = { type: 'placed', correlation: 'c', content } as const;
  assert.is(told({ of: { kind: 'order', id: order }, version: 1, event }).data.user_id, 42);
});

test('a turn is one array of all its events in order, and empty text without any', () => {
  const event = (version: number): JournaledEvent => ({
    of: { kind: 'order', id: order },
    version,
    event: { type: 'confirmed' },
  });
  const cascades = [
    { correlation: 'a', events: [event(1), event(2)] },
    { correlation: 'b', events: [] },
    { correlation: 'c', events: [event(3)] },
  ];
  const batch = JSON.parse(eventBatch({ at, cascades }, 's')) as { id: string; correlationid: string }[];
  assert.equal(
    batch.map(({ id, correlationid }) => [id, correlationid]),
    [
      [`order/${HOSTILE}/1`, 'a'],
      [`order/${HOSTILE}/2`, 'a'],
      [`order/${HOSTILE}/3`, 'c'],
    ],
  );
  assert.is(eventBatch({ at, cascades: [{ correlation: 'a', events: [] }] }, 's'), '');
});

test.run();
