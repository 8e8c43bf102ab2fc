/**
 * The schemas of replies, for the document and for the tests that check every reply against it. Replies are built as
 * text (order-view.ts, inventory-view.ts, reply.ts) and are not validated when they are sent.
 *
 * Every object and every enum has an id. It becomes one named component of the document and one model of a generated
 * client.
 */
import { z } from 'zod';
import { limits } from '../../actors/limits.js';
import { FULFILLMENT_STATUSES, PAYMENT_STATUSES, STATUSES } from '../../actors/order/transitions.js';
import { GREMLIN_KINDS, GREMLIN_TARGETS } from '../../actors/ports/gremlin-setting.js';
import type { PartitionState } from '../../actors/ports/placement.js';
import { continued, fieldError, listed, one, paged, written } from './envelopes.js';
import { address } from './schemas.js';

const time = z.string().meta({ format: 'date-time' });
const amount = z.number().meta({ description: 'A decimal in the currency beside it.' });
const count = z.int().min(0);
const AVAILABLE = 'on_hand less held less backordered, and never below 0: what a new order can have at once.';
const words = <const W extends readonly string[]>(id: string, all: W) => z.enum(all).meta({ id });
const status = words('OrderStatus', STATUSES);
const paymentStatus = words('PaymentStatus', PAYMENT_STATUSES);
const fulfillmentStatus = words('FulfillmentStatus', FULFILLMENT_STATUSES);

export const REASONS = ['out_of_stock', 'unknown_product', 'payment_declined', 'timed_out', 'total_too_large'] as const;

const lines = z.array(z.object({ product_id: z.string(), quantity: z.int().min(1) }).meta({ id: 'OrderLine' }));

const fulfillment = z
  .object({
    id: z.string(),
    status: words('ShipmentStatus', ['shipped', 'delivered']),
    lines,
    tracking_id: z.string().optional(),
    carrier: z.string().optional(),
    shipped_at: time,
    delivered_at: time.optional(),
  })
  .meta({ id: 'Shipment' });

const orderReturn = z
  .object({
    id: z.string(),
    status: words('ReturnStatus', ['requested', 'received', 'refunded']),
    lines,
    reason: z.string().optional(),
    restocked: z
      .boolean()
      .optional()
      .meta({ description: 'True if it was put back in stock, false if it was written off.' }),
    requested_at: time,
  })
  .meta({ id: 'Return' });

const refund = z
  .object({
    id: z.string(),
    status: words('RefundStatus', ['pending', 'refunded', 'failed']),
    amount,
    return_id: z.string().optional(),
    reason: z.string().optional(),
    requested_at: time,
  })
  .meta({ id: 'Refund' });

const transition = z
  .object({ from: status, to: status, event: z.string(), by: words('TransitionCause', ['request', 'system']) })
  .meta({ id: 'Transition' });

const transitions = z
  .object({
    transitions: z.array(transition),
    statuses: z.array(status),
    payment_statuses: z.array(paymentStatus),
    fulfillment_statuses: z.array(fulfillmentStatus),
  })
  .meta({ id: 'Transitions' });

const orderItem = z
  .object({
    id: z.string(),
    product_id: z.string(),
    quantity: z.int().min(1),
    unit_price: amount.optional().meta({ description: 'Known once the product has answered.' }),
    subtotal: amount.optional(),
    backordered: z.int().min(1).optional().meta({ description: 'How much of the quantity is not in stock yet.' }),
  })
  .meta({ id: 'OrderItem' });

const cost = z
  .object({
    currency: z.string(),
    amount: z.string().meta({ description: 'A decimal with all its digits, however fine.' }),
  })
  .meta({ id: 'Cost' });

const importedItem = z
  .object({ product_id: z.string(), quantity: z.int(), cost: cost.optional() })
  .meta({ id: 'ImportedItem' });

const imported = z
  .object({
    origin: z.string().meta({ description: 'Who told of it.' }),
    placed_at: time.optional().meta({ description: 'When it was made, as it was told.' }),
    shipping: cost.optional(),
    items: z
      .array(importedItem)
      .optional()
      .meta({ description: 'As they were told, where order_items does not say them exactly.' }),
    differed: z
      .array(z.string())
      .optional()
      .meta({ description: 'The fields in which it was told again with another content. The first content stays.' }),
  })
  .meta({ id: 'ImportedOrder', description: 'The order was made elsewhere.' });

const order = z
  .object({
    id: z.string().meta({ description: 'The same as order_id.' }),
    order_id: z.string(),
    user_id: z
      .union([z.string(), z.int()])
      .meta({ description: 'Text or a number, as it was sent. Empty: of an imported order whose user is not known.' }),
    user_email: z.string().optional(),
    status: status.meta({ description: 'An order is pending while its stock is held and its payment is made.' }),
    reason: words('FailureReason', REASONS).optional().meta({ description: 'Why the order failed.' }),
    payment_status: paymentStatus,
    fulfillment_status: fulfillmentStatus,
    total_amount: amount.optional().meta({ description: 'Absent until the stock of every line is held.' }),
    currency: z
      .string()
      .regex(/^[A-Z]{3}$/)
      .optional()
      .meta({
        description: 'The currency of the request, or else of the products. Absent until one of them names it.',
      }),
    shipping_address: address.optional(),
    billing_address: address.optional(),
    notes: z.string().optional(),
    tracking_id: z.string().optional(),
    shipping_cost: amount
      .optional()
      .meta({ description: 'Beside total_amount, in its currency. Only of imported orders.' }),
    order_items: z.array(orderItem),
    cancel_reason: z.string().optional(),
    fulfillments: z.array(fulfillment).optional(),
    returns: z.array(orderReturn).optional(),
    refunds: z.array(refund).optional(),
    imported: imported.optional(),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'Order' });

const historyEntry = z
  .object({
    event: z.string().meta({ description: 'For example placed, held, paid, confirmed or failed.' }),
    version: z.int().min(1).meta({ description: 'The number of the event within its order, without gaps.' }),
    time,
    correlation_id: z.string(),
    data: z
      .record(z.string(), z.unknown())
      .meta({ description: 'What the event brought. The members depend on the event.' }),
  })
  .meta({ id: 'HistoryEntry' });

const product = z
  .object({
    product_id: z.string(),
    name: z.string(),
    unit_price: amount,
    currency: z.string().regex(/^[A-Z]{3}$/),
    on_hand: count,
    held: count.meta({ description: 'What orders without an outcome hold.' }),
    available: count.meta({ description: AVAILABLE }),
    backordered: count.meta({ description: 'Promised to orders, and not in stock yet.' }),
    allow_backorder: z.boolean(),
    backorder_limit: count.optional(),
    updated_at: time,
  })
  .meta({ id: 'Product' });

const check = z
  .object({
    available: z.boolean().meta({ description: 'True if every line is sufficient.' }),
    items: z.array(
      z
        .object({
          product_id: z.string(),
          requested: z.int(),
          available: count.meta({ description: AVAILABLE }),
          sufficient: z.boolean().meta({ description: 'An order of it would be held now, or wait for its stock.' }),
          backorder: z
            .literal(true)
            .optional()
            .meta({ description: 'The order would wait, for what is missing or behind others that wait.' }),
        })
        .meta({ id: 'StockCheckLine' }),
    ),
  })
  .meta({ id: 'StockCheck' });

const failedRow = z
  .object({
    line: z.int().min(1),
    product_id: z.string().optional(),
    code: z.string().meta({ description: 'One of the error codes of the API.' }),
    errors: z.array(fieldError),
  })
  .meta({ id: 'FailedRow' });

const importReport = z
  .object({
    rows: count,
    imported: count,
    failed: count,
    failed_rows: z
      .array(failedRow)
      .meta({ description: `The first ${limits.importFailures.toLocaleString('en-US')} rows that failed.` }),
    idempotency_key: z.string().meta({ description: 'Send the same file again under this key.' }),
  })
  .meta({ id: 'ImportReport' });

const movement = z
  .object({
    ref: z.string().meta({ description: 'The id of the order or of the write.' }),
    order_id: z.string().nullable(),
    product_id: z.string(),
    operation_type: z
      .string()
      .meta({ description: 'One of receive, adjust, hold, release, commit, return, backorder and unbackorder.' }),
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

/** The balance after the last operation up to a moment. */
const pastBalance = z
  .object({
    product_id: z.string(),
    at: time,
    on_hand: z.int(),
    held: z.int(),
    available: count.meta({ description: AVAILABLE }),
    backordered: count,
    last_operation: movement.nullable().meta({ description: 'Null before the first operation.' }),
  })
  .meta({ id: 'PastBalance' });

const healthStatus = words('HealthStatus', ['ok', 'degraded', 'down']);

const health = z
  .object({
    status: healthStatus,
    version: z.string(),
    journal: z.object({ kind: z.string(), guarantee: z.string() }).meta({ id: 'JournalHealth' }),
    dependencies: z.record(z.string(), z.looseObject({ status: z.string() }).meta({ id: 'DependencyHealth' })),
  })
  .meta({ id: 'Health' });

/** For a client without credentials. */
const healthBrief = z.strictObject({ status: healthStatus }).meta({ id: 'HealthBrief' });

const target = words('GremlinTarget', GREMLIN_TARGETS);
const kind = words('GremlinKind', GREMLIN_KINDS);

const gremlinRule = z
  .object({
    target,
    kind,
    every: z.int().optional(),
    probability: z.number().optional(),
    delay_ms: count,
    jitter_ms: count,
  })
  .meta({ id: 'GremlinRule' });

const gremlin = z
  .object({
    enabled: z.boolean(),
    since: time.optional(),
    until: time.optional().meta({ description: 'When the gremlin stops by itself.' }),
    seed: count.optional(),
    rules: z.array(gremlinRule).optional(),
    asked: z.partialRecord(target, count).meta({ description: 'How many calls the gremlin looked at.' }),
    hits: z
      .partialRecord(target, z.partialRecord(kind, count))
      .meta({ description: 'What the gremlin did, and how often.' }),
  })
  .meta({ id: 'Gremlin' });

export const PARTITION_STATES = ['running', 'joining', 'moving', 'free'] as const satisfies readonly PartitionState[];

const placedPartition = z
  .object({
    partition: count,
    node: z.string().optional().meta({ description: 'The id of its owner. Absent if nobody owns the partition.' }),
    name: z.string().optional().meta({ description: "The owner's `NODE_NAME`." }),
    epoch: count.meta({ description: 'How often the partition was claimed.' }),
    since: time.optional().meta({ description: 'When it was claimed, or became free.' }),
    state: words('PartitionState', PARTITION_STATES).meta({
      description:
        'running: a node owns it. free: nobody does. The owner itself also tells joining (it loads the partition) and moving (it gives the partition to another node).',
    }),
  })
  .meta({ id: 'PlacedPartition' });

const placedNode = z
  .object({
    node: z.string(),
    name: z.string(),
    alive: z
      .boolean()
      .optional()
      .meta({ description: 'Whether the node was heard of lately. Absent if the node that answers cannot know.' }),
  })
  .meta({ id: 'PlacedNode' });

// ---------------------------------------------------------------- whole replies

export const orderReply = one('OrderReply', order);
export const orderWriteReply = written('OrderWriteReply', order);
export const orderListReply = paged('OrderListReply', order);
export const historyReply = one('OrderHistoryReply', z.array(historyEntry), { order_id: z.string() });
export const transitionsReply = one('TransitionsReply', transitions);

export const productReply = one('ProductReply', product);
export const productWriteReply = written('ProductWriteReply', product);
export const productListReply = paged('ProductListReply', product);
export const receiptReply = written('ReceiptReply', z.array(product));
export const checkReply = one('StockCheckReply', check);
export const importReply = written('ImportReply', importReport);
export const ledgerReply = z.union([continued('LedgerReply', movement), one('PastBalanceReply', pastBalance)]);
export const auditReply = listed('AuditReply', movement);

export const healthReply = z.union([health, healthBrief]);
export const livenessReply = z.object({ status: z.literal('alive') }).meta({ id: 'LivenessReply' });
export const readinessReply = z.object({ status: z.literal('ready') }).meta({ id: 'ReadinessReply' });
export const placementReply = one('PlacementReply', z.array(placedPartition), { nodes: z.array(placedNode) });
export const gremlinReply = one('GremlinReply', gremlin);
export const gremlinWriteReply = written('GremlinWriteReply', gremlin);
