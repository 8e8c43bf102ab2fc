/** The schemas of the numbers' replies. */
import { z } from 'zod';
import { limits } from '../../actors/limits.js';
import { STATUSES } from '../../actors/order/transitions.js';
import { one } from './envelopes.js';
import { REASONS } from './reply-schemas.js';

const count = z.int().min(0);
const statuses = z
  .partialRecord(z.enum(STATUSES).meta({ id: 'OrderStatus' }), count)
  .meta({ description: 'How many orders have each status now.' });
const amount = z.number();

const statsRow = z
  .object({
    day: z.string().meta({ format: 'date' }).optional(),
    product_id: z.string().optional(),
    currency: z.string().optional().meta({ description: 'Absent for orders whose products never named one.' }),
    orders: count.meta({
      description: 'Orders of any status. By product, an order counts once for each of its products.',
    }),
    units: count.meta({ description: 'Pieces in confirmed, shipped and delivered orders.' }),
    revenue: amount.meta({ description: 'What these pieces cost. Refunds are not taken off.' }),
    statuses,
    rejections: z
      .partialRecord(z.enum(REASONS).meta({ id: 'FailureReason' }), count)
      .meta({ description: 'Failed orders by their reason.' }),
  })
  .meta({ id: 'StatsRow' });

const placed = z
  .object({ order_id: z.string(), created_at: z.string().meta({ format: 'date-time' }) })
  .meta({ id: 'PlacedOrder' });

const userSummary = z
  .object({
    user_id: z.string(),
    orders: count,
    is_partial: z
      .literal(true)
      .optional()
      .meta({
        description: `Present if only the latest ${limits.exactCount.toLocaleString('en-US')} orders are counted.`,
      }),
    statuses,
    totals: z
      .array(z.object({ currency: z.string(), orders: count, total_amount: amount }).meta({ id: 'CurrencyTotal' }))
      .meta({ description: 'Of confirmed, shipped and delivered orders. Refunds are not taken off.' }),
    first_order: placed.optional(),
    last_order: placed.optional(),
  })
  .meta({ id: 'UserSummary' });

const boughtProduct = z
  .object({
    product_id: z.string(),
    name: z.string().optional(),
    orders: z.int().min(1).optional().meta({ description: 'In how many of the orders it is. Only a service sees it.' }),
  })
  .meta({ id: 'BoughtProduct' });

export const statsReply = one('StatsReply', z.array(statsRow), {
  more: z.boolean().meta({ description: 'There are more rows than `limit`.' }),
});
export const userSummaryReply = one('UserSummaryReply', userSummary);
export const alsoBoughtReply = one('AlsoBoughtReply', z.array(boughtProduct));
