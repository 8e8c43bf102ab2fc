/** Operations on orders: place, get, list and history. */

import { z } from 'zod';
import { orderListQuery, userOrdersQuery } from '../list-queries.js';
import { operation } from '../operation.js';
import { historyReply, orderListReply, orderReply, orderWriteReply } from '../reply-schemas.js';
import { key, orderBody, orderParams, userParams } from '../schemas.js';
import { EXAMPLE_ORDER_ID, onePage, pendingOrder, placedHistory, placedOrder } from './examples.js';

const prefer = z
  .string()
  .meta({ description: '`respond-async` to wait for no outcome, or `wait=N` to wait up to N seconds (RFC 7240).' });
const idempotent = { 'Idempotency-Key': key, Prefer: prefer } as const;
const thisOrder = { name: 'An order', params: { order_id: EXAMPLE_ORDER_ID } } as const;
const pageOfOrders = {
  description: 'A page of orders.',
  schema: orderListReply,
  headers: ['Link', 'List-Age-Ms'],
  example: { status: 'success', data: [placedOrder], pagination: onePage },
};

export const orderOperations = [
  operation({
    method: 'POST',
    path: '/api/orders',
    id: 'placeOrder',
    hot: true,
    tag: 'Orders',
    scope: 'orders:write',
    ports: 'main',
    summary: 'Place an order',
    description: [
      'Holds the stock of every line or of none, makes the payment and answers with the outcome.',
      'Give the lines as `items`, as `order_items`, or one line as `product_id` with `quantity`. Lines of the same product are merged.',
      'Send an `Idempotency-Key`. It wins over `idempotency_key` in the body. A repeat under the same key, at any time, is the same order and gets the first answer again, byte for byte.',
      'If there is no outcome in time (3 s by default), the answer is 202. The order is durable then and continues.',
    ].join('\n\n'),
    headers: idempotent,
    body: orderBody,
    examples: [
      {
        name: 'Two products',
        headers: { 'Idempotency-Key': 'first-order' },
        body: {
          user_id: 'ada',
          items: [
            { product_id: 'PROD-001', quantity: 2 },
            { product_id: 'PROD-004', quantity: 1 },
          ],
        },
      },
      { name: 'One product', body: { user_id: 42, product_id: 'PROD-003', quantity: 1, notes: 'Ring twice' } },
      {
        name: 'With everything',
        body: {
          user_id: 'ada',
          order_items: [{ product_id: 'PROD-002', quantity: 1 }],
          user_email: 'ada@example.org',
          currency: 'USD',
          shipping_address: { street: '12 Analytical Row', city: 'London' },
          billing_address: '12 Analytical Row, London',
          payment_method: 'card',
          idempotency_key: 'ada-2026-11-21',
        },
      },
    ],
    success: {
      201: {
        description: 'The order is held, paid, confirmed and on disk.',
        schema: orderWriteReply,
        example: { status: 'success', message: 'Order created successfully', data: placedOrder },
        headers: ['Idempotency-Replayed', 'Preference-Applied'],
      },
      202: {
        description: 'The order is durable and has no outcome yet. Look at its `Location` in a moment.',
        schema: orderWriteReply,
        example: {
          status: 'success',
          message: 'Your order is safe with us and still being worked on. Please look at its Location in a moment.',
          data: pendingOrder,
        },
        headers: ['Location', 'Preference-Applied'],
      },
    },
    errors: [
      'payment_declined',
      'unknown_product',
      'out_of_stock',
      'total_too_large',
      'timed_out',
      'cancelled',
      'gone',
    ],
    handle: ({ orders }, { body }, request) => orders.place(request, body),
  }),
  operation({
    method: 'GET',
    path: '/api/orders',
    id: 'listOrders',
    tag: 'Orders',
    scope: 'orders:read',
    ports: 'main',
    summary: 'List orders',
    description: [
      'The newest order comes first. A list shows an order at most a second after its reply. A search finds it some seconds later. You can combine all filters.',
      'Read the list by page number (`page`), which reaches back 10,000 orders, or by cursor (`limit`), which reaches the end. With `limit`, each answer has a `next_cursor` and a `Link` header.',
      'Lists and searches do not show archived orders. Each of them is still found by its id.',
      'Totals are exact up to 10,000. A larger total is an estimate, and so is one of combined filters that are slow to count. An estimate has `total_is_estimate`.',
    ].join('\n\n'),
    query: orderListQuery,
    examples: [
      { name: 'All orders' },
      { name: 'Orders of one user', query: { user_id: 'ada', status: 'confirmed', page: '1', page_size: '50' } },
      { name: 'By cursor', query: { limit: '50', payment_status: 'paid', from: '2026-11-01', min_total: '100' } },
      { name: 'By search', query: { q: 'ada london' } },
    ],
    success: { 200: pageOfOrders },
    handle: ({ orders }, { query }, request) => orders.list(request, query),
  }),
  operation({
    method: 'GET',
    path: '/api/orders/:order_id',
    id: 'getOrder',
    tag: 'Orders',
    scope: 'orders:read',
    ports: 'main',
    summary: 'Get an order',
    description: 'The answer is never older than an earlier reply about the order.',
    params: orderParams,
    etag: true,
    examples: [thisOrder],
    errors: ['gone'],
    success: {
      200: {
        description: 'The order.',
        schema: orderReply,
        example: { status: 'success', data: placedOrder },
      },
    },
    handle: ({ orders }, { params }, request) => orders.get(request, params.order_id),
  }),
  operation({
    method: 'GET',
    path: '/api/orders/:order_id/history',
    id: 'getOrderHistory',
    tag: 'Orders',
    scope: 'orders:read',
    ports: 'main',
    summary: 'Get the history of an order',
    description: 'Lists every event of the order, oldest first.',
    params: orderParams,
    examples: [thisOrder],
    errors: ['gone'],
    success: {
      200: {
        description: 'The events of the order.',
        schema: historyReply,
        example: { status: 'success', order_id: EXAMPLE_ORDER_ID, data: placedHistory },
      },
    },
    handle: ({ orders }, { params }, request) => orders.history(request, params.order_id),
  }),
  operation({
    method: 'GET',
    path: '/api/users/:user_id/orders',
    id: 'listOrdersOfUser',
    tag: 'Orders',
    scope: 'orders:read',
    ports: 'main',
    summary: "List a user's orders",
    description: 'Works like the list of all orders. The list of an unknown user is empty.',
    params: userParams,
    query: userOrdersQuery,
    examples: [{ name: "Ada's", params: { user_id: 'ada' } }],
    success: { 200: pageOfOrders },
    handle: ({ orders }, { params, query }, request) => orders.listOfUser(request, { ...query, ...params }),
  }),
];
