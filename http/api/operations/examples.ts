/** The example replies of the document. They tell one story with the same ids. */

const ORDER = 'ORD-4PE9TG5Y4ATA7R877CD86BWVCS';
const CORRELATION = '41A7QGTSC2-g';
const AT = '2026-11-21T11:49:34.506Z';

export const EXAMPLE_ORDER_ID = ORDER;

export const placedOrder = {
  id: ORDER,
  order_id: ORDER,
  user_id: 'ada',
  status: 'confirmed',
  payment_status: 'paid',
  fulfillment_status: 'unfulfilled',
  total_amount: 1149.97,
  currency: 'USD',
  order_items: [
    { id: `${ORDER}-1`, product_id: 'PROD-001', quantity: 2, unit_price: 499.99, subtotal: 999.98 },
    { id: `${ORDER}-2`, product_id: 'PROD-004', quantity: 1, unit_price: 149.99, subtotal: 149.99 },
  ],
  created_at: AT,
  updated_at: AT,
};

const SHIPMENT = {
  id: `${ORDER}-F1`,
  status: 'shipped',
  lines: [{ product_id: 'PROD-001', quantity: 2 }],
  tracking_id: '1Z999AA10123456784',
  carrier: 'UPS',
  shipped_at: AT,
};

export const shippedOrder = {
  ...placedOrder,
  status: 'shipped',
  fulfillment_status: 'shipped',
  tracking_id: SHIPMENT.tracking_id,
  fulfillments: [SHIPMENT],
};

const RETURN = {
  id: `${ORDER}-R1`,
  status: 'requested',
  lines: [{ product_id: 'PROD-001', quantity: 1 }],
  reason: 'too loud',
  requested_at: AT,
};

export const returnedOrder = { ...shippedOrder, returns: [RETURN] };

export const refundedOrder = {
  ...shippedOrder,
  payment_status: 'partially_refunded',
  fulfillment_status: 'partially_returned',
  returns: [{ ...RETURN, status: 'refunded', restocked: true }],
  refunds: [{ id: `${ORDER}-P1`, status: 'refunded', amount: 499.99, return_id: RETURN.id, requested_at: AT }],
};

export const cancelledOrder = {
  ...placedOrder,
  status: 'cancelled',
  payment_status: 'refunded',
  cancel_reason: 'ordered by mistake',
  refunds: [{ id: `${ORDER}-P1`, status: 'refunded', amount: 1149.97, requested_at: AT }],
};

export const transitions = {
  transitions: [
    { from: 'pending', to: 'confirmed', event: 'confirmed', by: 'system' },
    { from: 'confirmed', to: 'shipped', event: 'shipped', by: 'request' },
  ],
  statuses: ['pending', 'confirmed', 'shipped', 'delivered', 'cancelled', 'failed'],
  payment_statuses: ['pending', 'authorized', 'paid'],
  fulfillment_statuses: ['unfulfilled', 'shipped', 'delivered'],
};

/** An order whose amounts are not known yet. */
const { total_amount: _, currency: __, ...withoutAmounts } = placedOrder;
export const pendingOrder = {
  ...withoutAmounts,
  ...{ status: 'pending', payment_status: 'pending' },
  order_items: placedOrder.order_items.map(({ unit_price: _, subtotal: __, ...item }) => item),
};

const step = (version: number, event: string, data: object) => ({
  event,
  version,
  time: AT,
  correlation_id: CORRELATION,
  data,
});

export const placedHistory = [
  step(1, 'placed', { items: [{ product_id: 'PROD-001', quantity: 2 }] }),
  step(2, 'held', { total_amount: 999.98, currency: 'USD', items: [{ product_id: 'PROD-001', answer: 'held' }] }),
  step(3, 'paid', { captured: true }),
  step(4, 'confirmed', {}),
];

export const gamingConsole = {
  product_id: 'PROD-001',
  name: 'Gaming Console - PS5',
  unit_price: 499.99,
  currency: 'USD',
  on_hand: 98,
  held: 0,
  available: 98,
  backordered: 0,
  allow_backorder: false,
  updated_at: AT,
};

export const commitMovement = {
  ref: ORDER,
  order_id: ORDER,
  product_id: 'PROD-001',
  operation_type: 'commit',
  operation_no: 1,
  quantity: 2,
  created_at: AT,
  version: 3,
  on_hand_after: 98,
  held_after: 0,
  backordered_after: 0,
  available_after: 98,
  correlation_id: CORRELATION,
};

export const healthyNode = {
  status: 'ok',
  version: '0.1.0',
  journal: { kind: 'jetstream', guarantee: 'an acknowledged write is on disk' },
  dependencies: { postgres: { status: 'up' }, nats: { status: 'up' }, redis: { status: 'off' } },
};

export const placedNodes = {
  status: 'success',
  data: [
    { partition: 0, node: '01KAJ5GN2V8T3QW4YF7R9XBCDE', name: 'shop-one', epoch: 3, since: AT, state: 'running' },
    { partition: 1, epoch: 2, since: AT, state: 'free' },
  ],
  nodes: [{ node: '01KAJ5GN2V8T3QW4YF7R9XBCDE', name: 'shop-one', alive: true }],
};

export const busyGremlin = {
  enabled: true,
  since: AT,
  until: '2026-11-21T11:50:34.506Z',
  seed: 7,
  rules: [{ target: 'payment', kind: 'drop', probability: 0.2, delay_ms: 500, jitter_ms: 0 }],
  asked: { payment: 120 },
  hits: { payment: { drop: 23 } },
};

export const busyOverview = {
  status: 'success',
  data: {
    node: { name: 'shop-one', version: '0.1.0', started_at: '2026-11-21T11:40:01.230Z' },
    now: '2026-11-21T11:49:35.100Z',
    every_ms: 2_000,
    events: { last_sequence: 48_213, feeds: [{ name: 'webhooks', behind: 0, state: 'running' }] },
    verify: { clean: true, at: '2026-11-21T11:30:00.000Z', violations: 0, of: 'verify' },
    samples: [
      {
        ...{ at: AT, confirmed: 212, failed: 3, cancelled: 0, answered: 215 },
        ...{ p50_ms: 1.9, p95_ms: 3.4, p99_ms: 6.02, events: 187 },
      },
    ],
  },
};

export const EXAMPLE_WEBHOOK_ID = 'WH-01KAJ5GN2V8T3QW4YF7R9XBCDE';

export const partnerWebhook = {
  id: EXAMPLE_WEBHOOK_ID,
  url: 'https://partner.example/hooks/orders',
  types: ['order.*'],
  description: 'Partner',
  enabled: true,
  failures: 0,
  created_at: AT,
  updated_at: AT,
};

export const failedDelivery = {
  id: '1',
  event_id: `order/${ORDER}/4`,
  type: 'order.confirmed.v1',
  state: 'failed',
  attempts: 11,
  status: 503,
  error: 'the answer was 503',
  duration_ms: 41,
  created_at: AT,
  ended_at: '2026-11-22T11:40:02.117Z',
};

export const onePage = { page: 1, page_size: 20, total: 1, total_pages: 1 };
