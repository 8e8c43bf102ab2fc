/** Stock: look, receive, adjust, check, audit. */

import { ledgerQuery, productListQuery } from '../list-queries.js';
import { operation } from '../operation.js';
import {
  auditReply,
  checkReply,
  importReply,
  ledgerReply,
  productListReply,
  productReply,
  productWriteReply,
  receiptReply,
} from '../reply-schemas.js';
import { adjustBody, auditQuery, checkBody, key, productParams, receiptBody } from '../schemas.js';
import { commitMovement, EXAMPLE_ORDER_ID, gamingConsole, onePage } from './examples.js';

const idempotent = { 'Idempotency-Key': key } as const;
const params = { product_id: 'PROD-001' } as const;

export const inventoryOperations = [
  operation({
    method: 'GET',
    path: '/api/inventory',
    id: 'listProducts',
    tag: 'Inventory',
    scope: 'any',
    ports: 'both',
    summary: 'List products',
    description:
      'By their ids. Pages by number, or with `limit` by cursor: the answer then bears `next_cursor`, and a Link header, which lead to the end.',
    query: productListQuery,
    examples: [
      { name: 'The first page' },
      { name: 'A small page', query: { page: '2', page_size: '5' } },
      { name: 'By cursor', query: { limit: '50' } },
    ],
    success: {
      200: {
        description: 'A page of products.',
        schema: productListReply,
        headers: ['Link'],
        example: { status: 'success', data: [gamingConsole], pagination: onePage },
      },
    },
    handle: ({ inventory }, { query }, request) => inventory.list(query, request),
  }),
  operation({
    method: 'POST',
    path: '/api/inventory',
    id: 'receiveStock',
    tag: 'Inventory',
    scope: 'inventory:write',
    ports: 'both',
    summary: 'Receive stock',
    description:
      'Creates each product, or updates its name and price, and ADDS to its stock. Checked as a whole before any of it is applied; a repeat under its key completes it and adds nothing twice.',
    headers: idempotent,
    body: receiptBody,
    examples: [
      {
        name: 'A delivery',
        headers: { 'Idempotency-Key': 'delivery-note-17' },
        body: {
          products: [
            {
              product_id: 'PROD-001',
              name: 'Gaming Console - PS5',
              unit_price: 499.99,
              currency: 'USD',
              stock: 100,
            },
          ],
        },
      },
    ],
    success: {
      201: {
        description: 'Every product as it is now.',
        schema: receiptReply,
        example: { status: 'success', message: 'Stock received successfully', data: [gamingConsole] },
      },
    },
    errors: ['currency_fixed', 'too_much_stock'],
    handle: ({ inventory }, { body }, request) => inventory.receive(request, body),
  }),
  operation({
    method: 'POST',
    path: '/api/inventory/import',
    id: 'importStock',
    tag: 'Inventory',
    scope: 'inventory:write',
    ports: 'both',
    summary: 'Receive stock from a CSV file',
    description:
      'The first line names the columns: product_id, name, unit_price, stock, and, if you like, currency, allow_backorder, backorder_limit. Rows are received while the file arrives, each a receipt of its own, those of one product in the order of their lines; the answer reports those that failed. A file that is wrong as a whole (cut off, too large, too slow, no UTF-8) is answered with rows, imported, failed and idempotency_key: how far it came before that, and the key to go on under. The same file under the same key completes what was not done and adds nothing twice. Rows are told apart by their product and their values, so the file may be saved again, sorted, and put right before: a failed row that is corrected is received, one that is taken out changes nothing for the others. A row that was received and then changed is reported as idempotency_mismatch, and what was received stays: adjust the stock instead. Commas stand between the columns. Rows of empty cells and columns without a name and values are passed over; true and false may be in capitals. Of a file that is too large send the first part under the same key, and each other part, with the first line above it, under a key of its own.',
    headers: idempotent,
    examples: [{ name: 'A file', headers: { 'Idempotency-Key': 'delivery-note-18' } }],
    stream: {
      contentType: 'text/csv',
      example: 'product_id,name,unit_price,stock\nPROD-001,Gaming Console - PS5,499.99,25\n',
    },
    success: {
      200: {
        description: 'What was done.',
        schema: importReply,
        example: {
          status: 'success',
          message: 'Stock imported',
          data: {
            rows: 2,
            imported: 1,
            failed: 1,
            failed_rows: [
              {
                line: 3,
                product_id: 'PROD-002',
                code: 'invalid',
                errors: [{ field: 'stock', message: 'stock must be a whole number from 0 to 1,000,000,000,000.' }],
              },
            ],
            idempotency_key: 'delivery-note-18',
          },
        },
      },
    },
    handle: ({ imports }, _, request) => imports.receive(request),
  }),
  operation({
    method: 'POST',
    path: '/api/inventory/check',
    id: 'checkStock',
    tag: 'Inventory',
    scope: 'any',
    ports: 'both',
    summary: 'Ask whether there is enough',
    description: 'Promises nothing: only an order holds. A product that nobody knows is insufficient.',
    body: checkBody,
    examples: [{ name: 'One line', body: { items: [{ product_id: 'PROD-001', quantity: 96 }] } }],
    success: {
      200: {
        description: 'Line by line.',
        schema: checkReply,
        example: {
          status: 'success',
          data: {
            available: true,
            items: [{ product_id: 'PROD-001', requested: 96, available: 98, sufficient: true }],
          },
        },
      },
    },
    handle: ({ inventory }, { body }) => inventory.check(body),
  }),
  operation({
    method: 'GET',
    path: '/api/inventory/:product_id',
    id: 'getProduct',
    tag: 'Inventory',
    scope: 'any',
    ports: 'both',
    summary: 'Look at a product',
    description: 'Answered by its keeper: never older than any reply about it.',
    params: productParams,
    examples: [{ name: 'A product', params }],
    success: {
      200: {
        description: 'The product.',
        schema: productReply,
        example: { status: 'success', data: gamingConsole },
      },
    },
    errors: ['unknown_product'],
    handle: ({ inventory }, { params }) => inventory.get(params.product_id),
  }),
  operation({
    method: 'POST',
    path: '/api/inventory/:product_id/adjust',
    id: 'adjustStock',
    tag: 'Inventory',
    scope: 'inventory:write',
    ports: 'both',
    summary: 'Correct the stock of a product',
    description: 'Adds delta, which may be negative, and keeps the reason. Never below what orders hold.',
    headers: idempotent,
    params: productParams,
    body: adjustBody,
    examples: [
      {
        name: 'Three were damaged',
        params,
        headers: { 'Idempotency-Key': 'damage-report-3' },
        body: { delta: -3, reason: 'damaged in the warehouse' },
      },
    ],
    success: {
      200: {
        description: 'The product as it is now.',
        schema: productWriteReply,
        example: { status: 'success', message: 'Stock adjusted successfully', data: gamingConsole },
      },
    },
    errors: ['unknown_product', 'below_held', 'too_much_stock'],
    handle: ({ inventory }, { params, body }, request) => inventory.adjust(request, params.product_id, body),
  }),
  operation({
    method: 'GET',
    path: '/api/inventory/:product_id/ledger',
    id: 'getLedger',
    tag: 'Inventory',
    scope: 'inventory:write',
    ports: 'both',
    summary: 'Why a product has the stock it has',
    description:
      'Every movement with its cause and the balance after it, the newest first; with `at`, the balance as it stood at that moment. A movement shows at most a second after its reply.',
    params: productParams,
    query: ledgerQuery,
    examples: [
      { name: 'The newest movements', params, query: { limit: '50' } },
      { name: 'At a past moment', params, query: { at: '2026-11-20T18:00:00Z' } },
    ],
    success: {
      200: {
        description: 'Movements, or with `at` a balance.',
        schema: ledgerReply,
        example: { status: 'success', data: [commitMovement], pagination: { limit: 20, next_cursor: null } },
        headers: ['Link'],
      },
    },
    errors: ['unknown_product'],
    handle: ({ inventory }, { params, query }, request) => inventory.ledger(params.product_id, query, request),
  }),
  operation({
    method: 'GET',
    path: '/internal/inventory/audit',
    id: 'auditStock',
    tag: 'Inventory',
    scope: 'admin',
    ports: 'both',
    summary: 'Every movement of stock',
    description: "Product by product, each one's newest first.",
    query: auditQuery,
    examples: [{ name: 'Of one product', query: params }],
    success: {
      200: {
        description: `A page of movements, such as what order ${EXAMPLE_ORDER_ID} took.`,
        schema: auditReply,
        example: { status: 'success', data: [commitMovement], pagination: onePage },
      },
    },
    handle: ({ inventory }, { query }) => inventory.audit(query),
  }),
];
