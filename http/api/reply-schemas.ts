/**
 * What replies contain, for the document and for the tests that hold every reply against it. Replies
 * are written as text (order-view.ts, inventory-view.ts, reply.ts); nothing is validated on the way out.
 */
import { z } from 'zod';
import { limits } from '../../actors/limits.js';
import { FULFILLMENT_STATUSES, PAYMENT_STATUSES, STATUSES } from '../../actors/order/transitions.js';
import { GREMLIN_KINDS, GREMLIN_TARGETS } from '../../actors/ports/gremlin-setting.js';
import type { ErrorCode } from './errors.js';

const time = z.string().meta({ format: 'date-time' });
const amount = z.number().meta({ description: 'A decimal in the currency beside it.' });
const address = z.union([z.string(), z.record(z.string(), z.unknown())]);
const count = z.int().min(0);
const AVAILABLE = 'on_hand less held less backordered, and never below 0: what a new order can have at once.';
const fieldError = z.object({ field: z.string(), message: z.string() }).meta({ id: 'FieldError' });

const REASONS = ['out_of_stock', 'unknown_product', 'payment_declined', 'timed_out'] as const;

const lines = z.array(z.object({ product_id: z.string(), quantity: z.int().min(1) }));

const fulfillment = z.object({
  id: z.string(),
  status: z.enum(['shipped', 'delivered']),
  lines,
  tracking_id: z.string().optional(),
  carrier: z.string().optional(),
  shipped_at: time,
  delivered_at: time.optional(),
});

const orderReturn = z.object({
  id: z.string(),
  status: z.enum(['requested', 'received', 'refunded']),
  lines,
  reason: z.string().optional(),
  restocked: z.boolean().optional().meta({ description: 'Put in stock again, or written off.' }),
  requested_at: time,
});

const refund = z.object({
  id: z.string(),
  status: z.enum(['pending', 'refunded', 'failed']),
  amount,
  return_id: z.string().optional(),
  reason: z.string().optional(),
  requested_at: time,
});

export const transitionsReply = z
  .object({
    transitions: z.array(
      z.object({
        from: z.enum(STATUSES),
        to: z.enum(STATUSES),
        event: z.string(),
        by: z.enum(['request', 'system']),
      }),
    ),
    statuses: z.array(z.enum(STATUSES)),
    payment_statuses: z.array(z.enum(PAYMENT_STATUSES)),
    fulfillment_statuses: z.array(z.enum(FULFILLMENT_STATUSES)),
  })
  .meta({ id: 'Transitions' });

export const orderReply = z
  .object({
    id: z.string().meta({ description: 'The same as order_id.' }),
    order_id: z.string(),
    user_id: z.union([z.string(), z.int()]).meta({ description: 'In the type that it was sent in.' }),
    user_email: z.string().optional(),
    status: z.enum(STATUSES).meta({ description: 'Being held or charged shows as pending.' }),
    reason: z.enum(REASONS).optional().meta({ description: 'Why it failed.' }),
    payment_status: z.enum(PAYMENT_STATUSES),
    fulfillment_status: z.enum(FULFILLMENT_STATUSES),
    total_amount: amount,
    currency: z.string().regex(/^[A-Z]{3}$/),
    shipping_address: address.optional(),
    billing_address: address.optional(),
    notes: z.string().optional(),
    tracking_id: z.string().optional(),
    shipping_cost: amount.optional(),
    order_items: z.array(
      z.object({
        id: z.string(),
        product_id: z.string(),
        quantity: z.int().min(1),
        unit_price: amount,
        subtotal: amount,
        backordered: z.int().min(1).optional().meta({ description: 'Of the quantity: not in stock yet.' }),
      }),
    ),
    cancel_reason: z.string().optional(),
    fulfillments: z.array(fulfillment).optional(),
    returns: z.array(orderReturn).optional(),
    refunds: z.array(refund).optional(),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'Order' });

export const historyEntry = z
  .object({
    event: z.string().meta({ description: 'placed, held, paid, confirmed, failed and so on.' }),
    version: z.int().min(1).meta({ description: 'Counts the events of this order, without a gap.' }),
    time,
    correlation_id: z.string(),
    data: z.record(z.string(), z.unknown()).meta({ description: 'What the event brought, by its kind.' }),
  })
  .meta({ id: 'HistoryEntry' });

export const productReply = z
  .object({
    product_id: z.string(),
    name: z.string(),
    unit_price: amount,
    currency: z.string().regex(/^[A-Z]{3}$/),
    on_hand: count,
    held: count.meta({ description: 'By orders that have no outcome yet.' }),
    available: count.meta({ description: AVAILABLE }),
    backordered: count.meta({ description: 'Promised to orders beyond what is in stock.' }),
    allow_backorder: z.boolean(),
    backorder_limit: count.optional(),
    updated_at: time,
  })
  .meta({ id: 'Product' });

export const checkReply = z
  .object({
    available: z.boolean().meta({ description: 'Whether every line is sufficient.' }),
    items: z.array(
      z.object({
        product_id: z.string(),
        requested: z.int(),
        available: count.meta({ description: AVAILABLE }),
        sufficient: z.boolean(),
      }),
    ),
  })
  .meta({ id: 'Check' });

export const importReply = z
  .object({
    rows: count,
    imported: count,
    failed: count,
    failed_rows: z
      .array(
        z.object({
          line: z.int().min(1),
          product_id: z.string().optional(),
          code: z.string().meta({ description: 'As of an error of the API.' }),
          errors: z.array(fieldError),
        }),
      )
      .meta({ description: `The first ${limits.importFailures.toLocaleString('en-US')} of them.` }),
    idempotency_key: z.string().meta({ description: 'Under which the same file may be sent again.' }),
  })
  .meta({ id: 'ImportReport' });

export const movement = z
  .object({
    ref: z.string().meta({ description: "The order's id, or the write's." }),
    order_id: z.string().nullable(),
    product_id: z.string(),
    operation_type: z
      .string()
      .meta({ description: 'receive, adjust, hold, release, commit, return, backorder or unbackorder.' }),
    operation_no: z.int(),
    quantity: z.int(),
    created_at: time,
    version: z.int(),
    on_hand_after: z.int(),
    held_after: z.int(),
    backordered_after: z.int(),
    available_after: count.meta({ description: AVAILABLE }),
    reason: z.string().optional(),
    correlation_id: z.string(),
  })
  .meta({ id: 'StockMovement' });

/** As it stood after the last operation up to a moment. */
export const pastBalance = z
  .object({
    product_id: z.string(),
    at: time,
    on_hand: z.int(),
    held: z.int(),
    available: count.meta({ description: AVAILABLE }),
    backordered: count,
    last_operation: movement.nullable().meta({ description: 'Null before the first one.' }),
  })
  .meta({ id: 'PastBalance' });

export const healthReply = z
  .object({
    status: z.enum(['ok', 'degraded', 'down']),
    version: z.string(),
    journal: z.object({ kind: z.string(), guarantee: z.string() }),
    dependencies: z.record(z.string(), z.looseObject({ status: z.string() })),
  })
  .meta({ id: 'Health' });

const perTarget = <T extends z.ZodType>(value: T) => z.partialRecord(z.enum(GREMLIN_TARGETS), value);

export const gremlinReply = z
  .object({
    enabled: z.boolean(),
    since: time.optional(),
    until: time.optional().meta({ description: 'When it ends by itself.' }),
    seed: count.optional(),
    rules: z
      .array(
        z.object({
          target: z.enum(GREMLIN_TARGETS),
          kind: z.enum(GREMLIN_KINDS),
          every: z.int().optional(),
          probability: z.number().optional(),
          delay_ms: count,
          jitter_ms: count,
        }),
      )
      .optional(),
    asked: perTarget(count).meta({ description: 'How many calls it looked at.' }),
    hits: perTarget(z.partialRecord(z.enum(GREMLIN_KINDS), count)).meta({ description: 'What it did, and how often.' }),
  })
  .meta({ id: 'Gremlin' });

/** For who has shown nothing. */
export const healthBrief = healthReply.pick({ status: true }).strict().meta({ id: 'HealthBrief' });

// ---------------------------------------------------------------- envelopes

const pagination = z
  .object({
    page: z.int().min(1),
    page_size: z.int().min(1).max(limits.pageSize),
    total: count,
    total_pages: count,
    total_is_estimate: z.literal(true).optional().meta({ description: 'There only when it is one.' }),
  })
  .meta({ id: 'Pagination' });

const cursorPagination = z
  .object({
    limit: z.int().min(1).max(limits.pageSize),
    next_cursor: z.string().nullable().meta({ description: 'Null at the end.' }),
    total: count.optional().meta({ description: 'Of the whole list; on its first page only.' }),
    total_is_estimate: z.literal(true).optional(),
  })
  .meta({ id: 'CursorPagination' });

const success = z.literal('success');

export const one = <T extends z.ZodType>(data: T) => z.object({ status: success, data });
/** Of a write, which says in a sentence what it did. */
export const written = <T extends z.ZodType>(data: T) => z.object({ status: success, message: z.string(), data });
export const listed = <T extends z.ZodType>(item: T) => z.object({ status: success, data: z.array(item), pagination });

/** A list that is read by page numbers, or on and on by cursor. */
export const paged = <T extends z.ZodType>(item: T) =>
  z.object({ status: success, data: z.array(item), pagination: z.union([pagination, cursorPagination]) });
export const continued = <T extends z.ZodType>(item: T) =>
  z.object({ status: success, data: z.array(item), pagination: cursorPagination });

/** The error of the contract, with one of these codes. What else it may carry depends on the code. */
export const errorReply = (codes: readonly ErrorCode[]) =>
  z.looseObject({
    status: z.literal('error'),
    code: z.enum(codes),
    message: z.string().meta({ description: 'A sentence for a person.' }),
    errors: z.array(fieldError).meta({ description: 'Every field that is wrong; body for the body as a whole.' }),
  });

/** The same as RFC 9457 has it. */
export const problemReply = (codes: readonly ErrorCode[]) =>
  z.looseObject({
    type: z.string().meta({ format: 'uri-reference' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string().meta({ format: 'uri-reference' }),
    code: z.enum(codes),
    errors: z.array(fieldError),
  });
