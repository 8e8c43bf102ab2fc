/** What the edge reads: lists, searches, histories, ledgers. Types alone; what a port promises is held by its contract suite. */
import type { OrderId, ProductId, WriteId } from '../ids.js';
import type { OrderState } from '../order/order.js';
import type { ProductState } from '../product/inventory.js';
import type { HistoryRow, OperationRow } from './snapshot-rows.js';

/** Lists and searches, for the edge. May lag what the owner answers by the flush; words lag by the search index as well. */
export interface Queries {
  order(id: OrderId): Promise<OrderState | undefined>;
  /** A page by its number, newest first. */
  orders(filter: OrderFilter, page: Page): Promise<{ readonly orders: readonly OrderState[] } & Counted>;
  /** What comes after an order of the same list, newest first: as fast at its end as at its beginning. */
  ordersAfter(
    filter: OrderFilter,
    after: OrderKey | undefined,
    limit: number,
  ): Promise<{ readonly orders: readonly OrderState[]; readonly more: boolean }>;
  countOrders(filter: OrderFilter): Promise<Counted>;
  products(page: Page): Promise<{ readonly products: readonly ProductState[] } & Counted>;
  /** What comes after a product, by their ids: as fast at the end as at the beginning. */
  productsAfter(
    after: ProductId | undefined,
    limit: number,
  ): Promise<{ readonly products: readonly ProductState[]; readonly more: boolean }>;
  countProducts(): Promise<Counted>;
  /** Empty when there is no such order. */
  history(order: OrderId): Promise<readonly HistoryRow[]>;
  /** Product by product, each one's newest first; of one product the total is its version. */
  operations(
    product: ProductId | undefined,
    page: Page,
  ): Promise<{ readonly operations: readonly OperationRow[] } & Counted>;
  /** A product's operations, newest first. @param before only those with a lower version. */
  ledger(
    product: ProductId,
    before: number | undefined,
    limit: number,
  ): Promise<{ readonly operations: readonly OperationRow[]; readonly more: boolean }>;
  /** Whether any of these writes to stock is stored. */
  hasWrite(refs: readonly WriteId[]): Promise<boolean>;
  /** The last operation up to a moment, whose balances stood then, as of a version. Times of one product do not go back. */
  stockAt(
    product: ProductId,
    at: number,
  ): Promise<{ readonly operation: OperationRow | undefined; readonly version: number }>;
}

/** Exact up to limits.exactCount: an estimate means that there are more, or that counting took too long. */
export interface Counted {
  readonly total: number;
  readonly isEstimate: boolean;
}

/** What holds of every order that is listed; what is absent is not asked. */
export interface OrderFilter {
  readonly user?: string;
  readonly status?: 'pending' | 'confirmed' | 'shipped' | 'delivered' | 'cancelled' | 'failed';
  readonly payment?: string;
  readonly fulfillment?: string;
  readonly product?: string;
  readonly currency?: string;
  /** Wall clock, milliseconds. */
  readonly from?: number;
  /** Exclusive. */
  readonly to?: number;
  /** A decimal in the order's own currency, as text: a double would round it. */
  readonly minTotal?: string;
  readonly maxTotal?: string;
  /** Every word of it stands in the order; the last one may go on there. */
  readonly words?: string;
}

/** Where an order stands in a list. */
export interface OrderKey {
  readonly at: number;
  readonly id: OrderId;
}

export interface Page {
  /** From 1. */
  readonly page: number;
  readonly pageSize: number;
}

/** The words of orders, which a search looks up: made in the background, a bounded piece of work a call. */
export interface SearchIndex {
  /**
   * Adds orders that were stored since. `lateMs`: how long ago the oldest of them was. `queued` grows by one
   * with each flush statement.
   */
  work(): Promise<{
    readonly added: number;
    readonly more: boolean;
    readonly lateMs: number;
    readonly queued: number;
  }>;
  /** Looks for orders that it does not know, a stretch of ids a call. Returns where to go on; undefined at the end. */
  sweep(after: string): Promise<string | undefined>;
}
