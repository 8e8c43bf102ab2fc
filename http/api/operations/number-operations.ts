/** Numbers for people, and the export of orders. */
import { z } from 'zod';
import { limits } from '../../../actors/limits.js';
import { alsoBoughtQuery, exportQuery, statsQuery } from '../number-queries.js';
import { alsoBoughtReply, statsReply, userSummaryReply } from '../number-schemas.js';
import { operation } from '../operation.js';
import { productParams, userParams } from '../schemas.js';
import { EXAMPLE_ORDER_ID, placedOrder } from './examples.js';

const LATEST = limits.alsoBoughtOrders.toLocaleString('en-US');

export const numberOperations = [
  operation({
    method: 'GET',
    path: '/api/orders/export',
    id: 'exportOrders',
    tag: 'Orders',
    scope: 'orders:read',
    ports: 'main',
    summary: 'Export orders',
    description: [
      'All orders of a list, newest first, as NDJSON (an order a line) or CSV (an order a row, its lines as JSON in the last cell). It takes the filters of the list.',
      'An export that breaks off ends without the last chunk, which clients report (`curl` exits with 18). Drop the last row if it is not whole. Then ask again with the same filters and `after` with the `order_id` of the last row that you have, on any node. A continued CSV has no header row.',
      'In CSV, a text that begins with `=`, `+`, `-`, `@`, a tab or a line end has an apostrophe in front: a spreadsheet would run it.',
      'An order that changes meanwhile is as it is when its row is read. Orders that are placed meanwhile are not in it.',
    ].join('\n\n'),
    query: exportQuery,
    examples: [
      { name: 'As NDJSON', query: { status: 'confirmed', from: '2026-11-01' } },
      { name: 'As CSV', query: { format: 'csv', user_id: 'ada' } },
      { name: 'As CSV, by Accept', headers: { Accept: 'text/csv' } },
    ],
    success: {
      200: {
        description: 'The orders.',
        contentType: 'application/x-ndjson',
        schema: z.string(),
        example: `${JSON.stringify(placedOrder)}\n`,
        also: {
          contentType: 'text/csv',
          example: `order_id,user_id,user_email,status,…\r\n${EXAMPLE_ORDER_ID},ada,,confirmed,…\r\n`,
        },
      },
    },
    errors: ['busy', 'unavailable'],
    handle: ({ exports }, { query }, request) => exports.orders(request, query),
  }),
  operation({
    method: 'GET',
    path: '/api/stats',
    id: 'getStats',
    tag: 'Orders',
    scope: 'service:orders:read',
    ports: 'main',
    summary: 'Add up orders',
    description: [
      'Orders, pieces, revenue and reasons of rejection, by the day (UTC) on which the orders were placed, by product, or in total. Each currency has rows of its own.',
      'Days come newest first, products best sellers first. The numbers include an order at most a second after its reply.',
    ].join('\n\n'),
    query: statsQuery,
    examples: [
      { name: 'By day', query: { from: '2026-11-01', currency: 'USD' } },
      { name: 'Best sellers', query: { by: 'product', from: '2026-11-01', limit: '10' } },
      { name: 'One product in total', query: { by: 'total', product_id: 'PROD-001' } },
    ],
    success: {
      200: {
        description: 'The sums.',
        schema: statsReply,
        example: {
          status: 'success',
          data: [
            {
              ...{ day: '2026-11-21', currency: 'USD', orders: 3, units: 3, revenue: 1149.97 },
              statuses: { confirmed: 1, failed: 2 },
              rejections: { out_of_stock: 2 },
            },
          ],
          more: false,
        },
      },
    },
    errors: ['unavailable'],
    handle: ({ numbers }, { query }) => numbers.stats(query),
  }),
  operation({
    method: 'GET',
    path: '/api/users/:user_id/summary',
    id: 'getUserSummary',
    tag: 'Orders',
    scope: 'orders:read',
    ports: 'main',
    summary: 'Sum up the orders of a user',
    description: `Counts by status, totals by currency, and the first and the last order. It counts the latest ${limits.exactCount.toLocaleString('en-US')} orders.`,
    params: userParams,
    examples: [{ name: "Ada's", params: { user_id: 'ada' } }],
    success: {
      200: {
        description: 'The summary. A user without orders has an empty one.',
        schema: userSummaryReply,
        example: {
          status: 'success',
          data: {
            ...{ user_id: 'ada', orders: 1, statuses: { confirmed: 1 } },
            totals: [{ currency: 'USD', orders: 1, total_amount: 1149.97 }],
            first_order: { order_id: EXAMPLE_ORDER_ID, created_at: placedOrder.created_at },
            last_order: { order_id: EXAMPLE_ORDER_ID, created_at: placedOrder.created_at },
          },
        },
      },
    },
    handle: ({ numbers }, { params }, request) => numbers.userSummary(request, params.user_id),
  }),
  operation({
    method: 'GET',
    path: '/api/products/:product_id/also-bought',
    id: 'getAlsoBought',
    tag: 'Orders',
    scope: 'any',
    ports: 'main',
    summary: 'List what is bought together with a product',
    description: `The products that are most often in the latest ${LATEST} orders of this one. Only confirmed, shipped and delivered orders count.`,
    params: productParams,
    query: alsoBoughtQuery,
    examples: [{ name: 'With a product', params: { product_id: 'PROD-001' }, query: { limit: '5' } }],
    success: {
      200: {
        description: 'The products, most frequent first.',
        schema: alsoBoughtReply,
        example: {
          status: 'success',
          data: [{ product_id: 'PROD-004', name: 'Wireless Headset', orders: 1 }],
        },
      },
    },
    handle: ({ numbers }, { params, query }, request) => numbers.alsoBought(request, params.product_id, query.limit),
  }),
];
