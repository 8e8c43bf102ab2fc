/** What a client does to an order that exists: cancel, ship, deliver, return, refund. */

import { z } from 'zod';
import type { ErrorCode } from '../errors.js';
import { operation, type Success } from '../operation.js';
import { orderWriteReply, transitionsReply } from '../reply-schemas.js';
import {
  cancelBody,
  deliverBody,
  extendBody,
  key,
  orderParams,
  receiveReturnBody,
  refundBody,
  returnBody,
  returnParams,
  shipBody,
  statusBody,
} from '../schemas.js';
import {
  cancelledOrder,
  EXAMPLE_ORDER_ID,
  refundedOrder,
  returnedOrder,
  shippedOrder,
  transitions,
} from './examples.js';

const etag = z.string().meta({
  description: 'The `ETag` of the version that you want to change, or several of them, or `*` for any version.',
});
const headers = { 'Idempotency-Key': key, 'If-Match': etag } as const;
const params = { order_id: EXAMPLE_ORDER_ID } as const;
const CHANGED: readonly ErrorCode[] = [
  ...(['illegal_transition', 'too_many_changes', 'archived', 'gone', 'precondition_failed', 'too_large'] as const),
];

const changed = (description: string, message: string, data: object): Success => ({
  description,
  schema: orderWriteReply,
  example: { status: 'success', message, data },
  headers: ['ETag', 'Idempotency-Replayed'],
});

const common = {
  method: 'POST',
  tag: 'Orders',
  scope: 'orders:write',
  ports: 'main',
  params: orderParams,
  headers,
  optionalBody: true,
} as const;

/** Only a service may do these. A customer may not, even with its own order. */
const byService = { ...common, scope: 'service:orders:write' } as const;

export const orderLifeOperations = [
  operation({
    method: 'GET',
    path: '/api/orders/transitions',
    id: 'listTransitions',
    tag: 'Orders',
    scope: 'any',
    ports: 'main',
    summary: 'List the transitions of an order',
    description:
      'This table decides every change of status. You can request a transition with `by: request`. A transition with `by: system` happens by itself.',
    examples: [{ name: 'The table' }],
    success: {
      200: {
        description: 'The transitions, and every status there is.',
        schema: transitionsReply,
        example: { status: 'success', data: transitions },
      },
    },
    handle: ({ orderActs }) => orderActs.transitions(),
  }),
  operation({
    ...byService,
    method: 'PATCH',
    path: '/api/orders/:order_id/status',
    id: 'setOrderStatus',
    optionalBody: false,
    summary: 'Set the status of an order',
    description:
      'Ships, delivers or cancels the whole order. A status that the order already has changes nothing and answers 200.',
    body: statusBody,
    examples: [{ name: 'Shipped', params, body: { status: 'shipped' } }],
    success: { 200: changed('The order with its new status.', 'Order status updated successfully', shippedOrder) },
    errors: [...CHANGED, 'more_than_ordered', 'backordered'],
    handle: ({ orderActs }, { params: { order_id }, body }, request) => orderActs.move(request, order_id, body),
  }),
  operation({
    ...common,
    path: '/api/orders/:order_id/cancel',
    id: 'cancelOrder',
    summary: 'Cancel an order',
    description:
      'You can cancel a pending or confirmed order until its first shipment. Its stock is given back, and its payment is voided or refunded, exactly once. The answer comes when the order is cancelled. The refund can follow later.',
    body: cancelBody,
    examples: [{ name: 'With a reason', params, body: { reason: 'ordered by mistake' } }],
    success: { 200: changed('The cancelled order.', 'Order cancelled successfully', cancelledOrder) },
    errors: [...CHANGED, 'done_otherwise'],
    handle: ({ orderActs }, { params: { order_id }, body }, request) => orderActs.cancel(request, order_id, body),
  }),
  operation({
    ...byService,
    path: '/api/orders/:order_id/ship',
    id: 'shipOrder',
    summary: 'Ship an order or a part of it',
    description:
      'Without `lines`, everything that is left is shipped. The order becomes shipped when all of it is shipped.',
    body: shipBody,
    examples: [
      { name: 'All of it', params, body: { tracking_id: '1Z999AA10123456784', carrier: 'UPS' } },
      { name: 'A part', params, body: { lines: [{ product_id: 'PROD-001', quantity: 1 }] } },
    ],
    success: { 200: changed('The order with its shipments.', 'Order shipped successfully', shippedOrder) },
    errors: [...CHANGED, 'more_than_ordered', 'backordered', 'done_otherwise'],
    handle: ({ orderActs }, { params: { order_id }, body }, request) => orderActs.ship(request, order_id, body),
  }),
  operation({
    ...byService,
    path: '/api/orders/:order_id/deliver',
    id: 'deliverOrder',
    summary: 'Record that a shipment has arrived',
    description:
      'Without `fulfillment_id`, all shipments have arrived. The order becomes delivered when all of it has arrived.',
    body: deliverBody,
    examples: [{ name: 'All shipments', params, body: {} }],
    success: { 200: changed('The order with its shipments.', 'Order delivered successfully', shippedOrder) },
    errors: CHANGED,
    handle: ({ orderActs }, { params: { order_id }, body }, request) => orderActs.deliver(request, order_id, body),
  }),
  operation({
    ...common,
    path: '/api/orders/:order_id/returns',
    id: 'requestReturn',
    summary: 'Request a return',
    description: 'Without `lines`, the return is of everything that was shipped and is in no other return.',
    body: returnBody,
    examples: [
      { name: 'One piece', params, body: { lines: [{ product_id: 'PROD-001', quantity: 1 }], reason: 'too loud' } },
    ],
    success: { 201: changed('The order with its returns.', 'Return requested successfully', returnedOrder) },
    errors: [...CHANGED, 'more_than_shipped'],
    handle: ({ orderActs }, { params: { order_id }, body }, request) =>
      orderActs.requestReturn(request, order_id, body),
  }),
  operation({
    ...byService,
    path: '/api/orders/:order_id/returns/:return_id/receive',
    id: 'receiveReturn',
    params: returnParams,
    summary: 'Record that a return has arrived',
    description: 'Puts the goods back in stock, or writes them off with `restock: false`. It refunds their price.',
    body: receiveReturnBody,
    examples: [
      { name: 'Back in stock', params: { ...params, return_id: `${EXAMPLE_ORDER_ID}-R1` }, body: { restock: true } },
    ],
    success: { 200: changed('The order with its returns and refunds.', 'Return received successfully', refundedOrder) },
    errors: [...CHANGED, 'done_otherwise'],
    handle: ({ orderActs }, { params: { order_id, return_id }, body }, request) =>
      orderActs.receiveReturn(request, order_id, return_id, body),
  }),
  operation({
    ...byService,
    path: '/api/orders/:order_id/refunds',
    id: 'refundOrder',
    summary: 'Refund an order or a part of it',
    description: 'Without `amount`, everything that is left is refunded. Refunds never exceed what was paid.',
    body: refundBody,
    examples: [{ name: 'A part', params, body: { amount: 49.99, reason: 'scratched' } }],
    success: { 201: changed('The order with its refunds.', 'Refund requested successfully', refundedOrder) },
    errors: [...CHANGED, 'more_than_paid'],
    handle: ({ orderActs }, { params: { order_id }, body }, request) => orderActs.refund(request, order_id, body),
  }),
  operation({
    ...common,
    path: '/api/orders/:order_id/hold/extend',
    id: 'extendHold',
    summary: 'Give a pending order more time',
    description:
      'The hold then lasts for `HOLD_TTL_S` from now, or for `ORDER_TIMEOUT_S` if that is not set. It never becomes shorter.',
    body: extendBody,
    examples: [{ name: 'Once more', params, body: {} }],
    success: { 200: changed('The order.', 'Hold extended successfully', shippedOrder) },
    errors: CHANGED,
    handle: ({ orderActs }, { params: { order_id }, body }, request) => orderActs.extendHold(request, order_id, body),
  }),
];
