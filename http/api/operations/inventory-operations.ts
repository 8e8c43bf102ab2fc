/** Operations on stock: list, get, receive, adjust, check and audit. */

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
import { adjustBody, auditQuery, checkBody, productParams, receiptBody, stockKey } from '../schemas.js';
import { commitMovement, EXAMPLE_ORDER_ID, gamingConsole, onePage } from './examples.js';

const idempotent = { 'Idempotency-Key': stockKey } as const;
const REPLAYED = ['Idempotency-Replayed'] as const;
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
      'Products come in the order of their ids. Read them by page number (`page`) or by cursor (`limit`). With `limit`, each answer has a `next_cursor` and a `Link` header. Follow them to the end of the list.',
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
      'Creates each product, or updates its name and price, and ADDS to its stock. Holdfast checks the whole request before it applies any of it. A repeat under the same key completes the request and adds nothing twice. Once one product is refused (409), nothing else of the request is received under that key.',
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
        description: 'Each product with its new stock.',
        headers: REPLAYED,
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
    description: [
      'The first line names the columns: `product_id`, `name`, `unit_price` and `stock`. You can add `currency`, `allow_backorder` and `backorder_limit`. Commas separate the columns. Rows with only empty cells are skipped, and so are columns that have neither a name nor a value. You can write `true` and `false` in capitals.',
      'Each row is a receipt of its own. Holdfast receives rows while the file arrives, and rows of the same product in the order of their lines. The answer lists the rows that failed.',
      'Send the same file again under the same key to complete it: nothing is added twice. Rows are told apart by their product and their values. So you can correct, sort and save the file in between. A corrected row is received. A row that you take out changes nothing for the others. A row that was received and then changed is reported as `idempotency_mismatch`. What was received stays: adjust the stock instead.',
      'A file can be wrong as a whole: cut off, too large, too slow, or not UTF-8. The answer then says how far it came (`rows`, `imported`, `failed`) and under which `idempotency_key` to go on. Send a file that is too large in parts. The first part goes under the same key. Each other part needs the header line and a key of its own.',
    ].join('\n\n'),
    headers: idempotent,
    examples: [{ name: 'A file', headers: { 'Idempotency-Key': 'delivery-note-18' } }],
    stream: {
      contentType: 'text/csv',
      example: 'product_id,name,unit_price,stock\nPROD-001,Gaming Console - PS5,499.99,25\n',
    },
    success: {
      200: {
        description: 'The report of the import.',
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
    summary: 'Check the stock of several products',
    description:
      'The answer promises nothing: only an order holds stock. Stock that can be backordered is sufficient too. An order would then wait, which `backorder: true` says. The stock of an unknown product is insufficient.',
    body: checkBody,
    examples: [{ name: 'One line', body: { items: [{ product_id: 'PROD-001', quantity: 96 }] } }],
    success: {
      200: {
        description: 'The answer for each line.',
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
    summary: 'Get a product',
    description: 'The answer is never older than an earlier reply about the product.',
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
    description:
      'Adds `delta`, which may be negative, and keeps the reason. The stock cannot fall below what orders hold.',
    headers: idempotent,
    params: productParams,
    body: adjustBody,
    examples: [
      {
        name: 'Three pieces were damaged',
        params,
        headers: { 'Idempotency-Key': 'damage-report-3' },
        body: { delta: -3, reason: 'damaged in the warehouse' },
      },
    ],
    success: {
      200: {
        description: 'The product with its new stock.',
        headers: REPLAYED,
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
    summary: 'Show why a product has its stock',
    description:
      'Lists every movement with its cause and the balance after it, newest first. With `at`, it shows the balance at that moment instead. A movement appears at most a second after its reply.',
    params: productParams,
    query: ledgerQuery,
    examples: [
      { name: 'The newest movements', params, query: { limit: '50' } },
      { name: 'At a past moment', params, query: { at: '2026-11-20T18:00:00Z' } },
    ],
    success: {
      200: {
        description: 'The movements, or the balance at the moment `at`.',
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
    summary: 'List every movement of stock',
    description: 'Ordered by product. The newest movement of each product comes first.',
    query: auditQuery,
    examples: [{ name: 'Of one product', query: params }],
    success: {
      200: {
        description: `A page of movements, such as those of order ${EXAMPLE_ORDER_ID}.`,
        schema: auditReply,
        example: { status: 'success', data: [commitMovement], pagination: onePage },
      },
    },
    handle: ({ inventory }, { query }) => inventory.audit(query),
  }),
];
