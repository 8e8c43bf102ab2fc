/**
 * Numbers for people, out of the read model: sums of orders, a user's summary, what is bought together. Types only; a
 * contract suite tests each promise.
 */
import type { OrderId, ProductId } from '../ids.js';
import type { FailureReason, OrderStatus } from '../protocol.js';

export interface Numbers {
  /** By day newest first, by product best sellers first. */
  stats(filter: StatsFilter, limit: number): Promise<{ readonly rows: readonly StatsRow[]; readonly more: boolean }>;
  /** Counts the user's latest orders, up to limits.exactCount of them. Undefined for a user without orders. */
  userSummary(user: string): Promise<UserSummary | undefined>;
  /** Out of the latest limits.alsoBoughtOrders orders that contain the product. Only orders that were sold count. */
  alsoBought(product: ProductId, limit: number): Promise<AlsoBought>;
}

export interface StatsFilter {
  readonly by: 'day' | 'product' | 'total';
  readonly product?: string;
  readonly currency?: string;
  /** A day such as 2026-11-21, in UTC. */
  readonly from?: string;
  /** Exclusive. */
  readonly to?: string;
}

/** Orders by the day on which they were placed. An order counts in one row, or once for each of its products. */
export interface StatsRow {
  /** Only by day. */
  readonly day?: string;
  /** Only by product. */
  readonly product?: ProductId;
  /** Undefined while no product has named it. */
  readonly currency: string | undefined;
  readonly orders: number;
  /** Pieces in orders that are sold: confirmed, shipped or delivered. */
  readonly units: number;
  /** Minor units of what these orders cost. Sums may be larger than a double holds. */
  readonly revenue: bigint;
  readonly statuses: { readonly [S in OrderStatus]?: number };
  /** Failed orders by their cause. */
  readonly rejections: { readonly [R in FailureReason]?: number };
}

interface UserSummary {
  /** How many orders were counted. */
  readonly orders: number;
  /** There are older orders, which were not counted. */
  readonly more: boolean;
  readonly statuses: { readonly [S in OrderStatus]?: number };
  /** Of orders that are sold, by currency. */
  readonly totals: readonly { readonly currency: string; readonly orders: number; readonly total: bigint }[];
  readonly first: PlacedOrder;
  readonly last: PlacedOrder;
}

interface PlacedOrder {
  readonly id: OrderId;
  /** Wall clock, milliseconds. */
  readonly at: number;
}

export interface AlsoBought {
  /** How many sold orders were looked at. */
  readonly orders: number;
  /** In how many of these orders each product is, most first. */
  readonly products: readonly {
    readonly product: ProductId;
    readonly name: string | undefined;
    readonly orders: number;
  }[];
}

/** Adds up what flushes have queued, a bounded piece of work per call. Readers see the same numbers before and after. */
export interface StatsFold {
  fold(): Promise<{ readonly folded: number; readonly more: boolean }>;
}
