/** What stands in Kafka for long: the facts of an order, and a feed's place. Fields are only ever added. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { orderId, productId, userId } from '../../../actors/ids.js';
import { absentOrder, NO_LIFE, type OrderState } from '../../../actors/order/order.js';
import { decodeCursor, encodeCursor } from '../../../bus/kafka/feed-cursor.js';
import { orderFacts } from '../../../bus/kafka/order-facts.js';

const test = suite('kafka: stored forms');

const order: OrderState = {
  ...absentOrder(orderId('ORD-1')),
  ...{ version: 5, phase: 'shipped', payment: 'partially_refunded', currency: 'EUR', total: 5_997, correlation: 'c' },
  content: { user: userId('7'), userIsNumber: true, email: 'a@b.example', lines: [], paymentMethod: 'card' } as never,
  lines: [
    { product: productId('P"1'), quantity: 3, hold: 'held', unitPrice: 1_999, backordered: 1 },
    { product: productId('P2'), quantity: 1, hold: 'held', unitPrice: 0, backordered: 0 },
  ],
  life: {
    ...NO_LIFE,
    refunds: [
      { id: 'R1', minor: 1_999, status: 'done', requestedAt: 0 },
      { id: 'R2', minor: 1, status: 'owed', requestedAt: 0 },
    ],
  },
  ...{ createdAt: 1_764_000_000_000, updatedAt: 1_764_000_000_001 },
};

test('the facts of an order', () => {
  assert.is(
    orderFacts(order),
    '{"order_id":"ORD-1","version":5,"user_id":"7","status":"shipped","payment_status":"partially_refunded",' +
      '"fulfillment_status":"unfulfilled","payment_method":"card","currency":"EUR","total_amount":59.97,"total_minor":5997,' +
      '"refunded_amount":19.99,"refunded_minor":1999,"units":4,"created_at":"2025-11-24T16:00:00.000Z",' +
      '"updated_at":"2025-11-24T16:00:00.001Z","items":[{"line":1,"product_id":"P\\"1","quantity":3,"unit_price":19.99,' +
      '"unit_price_minor":1999,"subtotal_minor":5997,"backordered":1,"hold":"held"},{"line":2,"product_id":"P2",' +
      '"quantity":1,"unit_price":0,"unit_price_minor":0,"subtotal_minor":0,"backordered":0,"hold":"held"}]}',
  );
});

test('the facts of an order whose products have not answered lack what is not known', () => {
  const { currency: _, total: __, ...rest } = order;
  const lines = [{ product: productId('P1'), quantity: 2, hold: 'asked', backordered: 0 }] as const;
  const pending = {
    ...rest,
    currency: undefined,
    total: undefined,
    phase: 'holding',
    lines,
    life: NO_LIFE,
  } as OrderState;
  const facts = JSON.parse(orderFacts(pending)) as object;
  for (const name of ['currency', 'total_amount', 'total_minor', 'refunded_minor', 'reason'])
    assert.not.ok(name in facts, name);
  assert.equal((facts as { items: object[] }).items, [
    { line: 1, product_id: 'P1', quantity: 2, backordered: 0, hold: 'asked' },
  ]);
});

test("a feed's place, an order to begin again, and what is neither", () => {
  const place = '{"created":"t","seq":7,"time":8,"journals":{"J":3},"ended":{"I":4},"records":{"o":12}}';
  assert.is(encodeCursor(decodeCursor(place)), place);
  for (const more of [
    place.replace(',"records"', ',"unsure":["J"],"records"'),
    place.replace(',"journals"', ',"sinceMs":6,"journals"'),
    place.replace(/}$/, ',"passesGaps":true}'),
  ])
    assert.is(encodeCursor(decodeCursor(more)), more);
  assert.equal(decodeCursor('{"created":"t","seq":7,"time":8,"journals":{"J":3}}'), {
    ...{ created: 't', seq: 7, time: 8, journals: { J: 3 }, ended: {}, records: {} },
  });
  for (const replay of ['{"replay":"start"}', '{"replay":1764000000000}'])
    assert.is(encodeCursor(decodeCursor(replay)), replay);
  for (const wrong of [
    '',
    '7',
    '{"seq":1}',
    '{"created":"t","seq":7,"time":8,"journals":{"J":"x"}}',
    '{"replay":"end"}',
  ]) {
    assert.throws(() => decodeCursor(wrong), /is not one that Holdfast wrote/, wrong);
  }
});

test.run();
