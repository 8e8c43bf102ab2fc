/** What is asked of an order that stands: cancel, ship, deliver, return, refund. */

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

const etag = z.string().meta({ description: '* or the ETags of which the order must bear one to be changed.' });
const headers = { 'Idempotency-Key': key, 'If-Match': etag } as const;
const params = { order_id: EXAMPLE_ORDER_ID } as const;
const CHANGED: readonly ErrorCode[] = ['illegal_transition', 'too_many_changes', 'precondition_failed', 'too_large'];

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

/** The shop's to do: no customer may, not with its own order either. */
const byService = { ...common, scope: 'service:orders:write' } as const;

export const orderLifeOperations = [
  operation({
    method: 'GET',
    path: '/api/orders/transitions',
    id: 'listTransitions',
    tag: 'Orders',
    scope: 'any',
    ports: 'main',
    summary: 'How orders go from one status to another',
    description: 'The one table that orders are decided by. `by: request` may be asked for, `by: system` happens.',
    examples: [{ name: 'The table' }],
    success: {
      200: {
        description: 'The table and all words.',
        schema: transitionsReply,
        example: { status: 'success', data: transitions },
      },
    },
    handle: ({ life }) => life.transitions(),
  }),
  operation({
    ...byService,
    method: 'PATCH',
    path: '/api/orders/:order_id/status',
    id: 'setOrderStatus',
    optionalBody: false,
    summary: 'Bring an order to a status',
    description:
      'The same as shipping, delivering or cancelling all of it. A status that it has already changes nothing and answers 200.',
    body: statusBody,
    examples: [{ name: 'Shipped', params, body: { status: 'shipped' } }],
    success: { 200: changed('As it stands now.', 'Order status updated successfully', shippedOrder) },
    errors: [...CHANGED, 'more_than_ordered', 'backordered'],
    handle: ({ life }, { params: { order_id }, body }, request) => life.move(request, order_id, body),
  }),
  operation({
    ...common,
    path: '/api/orders/:order_id/cancel',
    id: 'cancelOrder',
    summary: 'Cancel an order before anything is shipped',
    description:
      'Gives back what is held or taken, voids the charge or refunds it, exactly once. The answer comes when the order is cancelled; the refund may follow.',
    body: cancelBody,
    examples: [{ name: 'With a reason', params, body: { reason: 'ordered by mistake' } }],
    success: { 200: changed('Cancelled.', 'Order cancelled successfully', cancelledOrder) },
    errors: CHANGED,
    handle: ({ life }, { params: { order_id }, body }, request) => life.cancel(request, order_id, body),
  }),
  operation({
    ...byService,
    path: '/api/orders/:order_id/ship',
    id: 'shipOrder',
    summary: 'Ship an order, or a part of it',
    description: 'No lines means everything that is left. The order is shipped when all of it is.',
    body: shipBody,
    examples: [
      { name: 'All', params, body: { tracking_id: '1Z999AA10123456784', carrier: 'UPS' } },
      { name: 'A part', params, body: { lines: [{ product_id: 'PROD-001', quantity: 1 }] } },
    ],
    success: { 200: changed('With its shipments.', 'Order shipped successfully', shippedOrder) },
    errors: [...CHANGED, 'more_than_ordered', 'backordered'],
    handle: ({ life }, { params: { order_id }, body }, request) => life.ship(request, order_id, body),
  }),
  operation({
    ...byService,
    path: '/api/orders/:order_id/deliver',
    id: 'deliverOrder',
    summary: 'Note that what was shipped has arrived',
    description: 'All shipments, or the one that is named. The order is delivered when all of it is.',
    body: deliverBody,
    examples: [{ name: 'All', params, body: {} }],
    success: { 200: changed('As it stands now.', 'Order delivered successfully', shippedOrder) },
    errors: CHANGED,
    handle: ({ life }, { params: { order_id }, body }, request) => life.deliver(request, order_id, body),
  }),
  operation({
    ...common,
    path: '/api/orders/:order_id/returns',
    id: 'requestReturn',
    summary: 'Ask to send something back',
    description: 'No lines means everything that was shipped and is not returned yet.',
    body: returnBody,
    examples: [
      { name: 'One piece', params, body: { lines: [{ product_id: 'PROD-001', quantity: 1 }], reason: 'too loud' } },
    ],
    success: { 201: changed('With its returns.', 'Return requested successfully', returnedOrder) },
    errors: [...CHANGED, 'more_than_shipped'],
    handle: ({ life }, { params: { order_id }, body }, request) => life.requestReturn(request, order_id, body),
  }),
  operation({
    ...byService,
    path: '/api/orders/:order_id/returns/:return_id/receive',
    id: 'receiveReturn',
    params: returnParams,
    summary: 'Note that a return has arrived',
    description: 'Puts it in stock again, or writes it off (`restock: false`), and refunds its price.',
    body: receiveReturnBody,
    examples: [
      { name: 'In stock again', params: { ...params, return_id: `${EXAMPLE_ORDER_ID}-R1` }, body: { restock: true } },
    ],
    success: { 200: changed('As it stands now.', 'Return received successfully', refundedOrder) },
    errors: CHANGED,
    handle: ({ life }, { params: { order_id, return_id }, body }, request) =>
      life.receiveReturn(request, order_id, return_id, body),
  }),
  operation({
    ...byService,
    path: '/api/orders/:order_id/refunds',
    id: 'refundOrder',
    summary: 'Refund an order, or a part of it',
    description: 'No amount means all that is left. Never more than was paid.',
    body: refundBody,
    examples: [{ name: 'A part', params, body: { amount: 49.99, reason: 'scratched' } }],
    success: { 201: changed('With its refunds.', 'Refund requested successfully', refundedOrder) },
    errors: [...CHANGED, 'more_than_paid'],
    handle: ({ life }, { params: { order_id }, body }, request) => life.refund(request, order_id, body),
  }),
  operation({
    ...common,
    path: '/api/orders/:order_id/hold/extend',
    id: 'extendHold',
    summary: 'Give a pending order more time',
    description: 'Its hold lasts for HOLD_TTL_S from now on.',
    body: extendBody,
    examples: [{ name: 'Once more', params, body: {} }],
    success: { 200: changed('As it stands now.', 'Hold extended successfully', shippedOrder) },
    errors: CHANGED,
    handle: ({ life }, { params: { order_id }, body }, request) => life.extendHold(request, order_id, body),
  }),
];
