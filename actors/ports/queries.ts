/**
 * The reads of the edge from Postgres: lists, searches, histories, ledgers. Types only; a contract suite tests each
 * promise.
 */
import type { OrderId, ProductId, WriteId } from '../ids.js';
import type { OrderState } from '../order/order.js';
import type { ProductState } from '../product/inventory.js';
import type { Numbers } from './numbers.js';
import type { HistoryRow, OperationRow } from './snapshot-rows.js';

/** Reads may be behind the owner's answers by one flush. Searches are also behind by the search index. */
export interface Queries extends Numbers {
  order(id: OrderId): Promise<OrderState | undefined>;
  /** Whether the order was archived and removed with its archive: nothing but its id is known. */
  isGone(id: OrderId): Promise<boolean>;
  /** A page by its number, newest first. */
  orders(filter: OrderFilter, page: Page): Promise<{ readonly orders: readonly OrderState[] } & Counted>;
  /** The orders after an order of the same list, newest first. As fast at the end as at the beginning. */
  ordersAfter(
    filter: OrderFilter,
    after: OrderKey | undefined,
    limit: number,
  ): Promise<{ readonly orders: readonly OrderState[]; readonly more: boolean }>;
  countOrders(filter: OrderFilter): Promise<Counted>;
  products(page: Page): Promise<{ readonly products: readonly ProductState[] } & Counted>;
  /** The products after a product, by id. As fast at the end as at the beginning. */
  productsAfter(
    after: ProductId | undefined,
    limit: number,
  ): Promise<{ readonly products: readonly ProductState[]; readonly more: boolean }>;
  countProducts(): Promise<Counted>;
  /** Empty when there is no such order. */
  history(order: OrderId): Promise<readonly HistoryRow[]>;
  /** Operations by product, newest first within each. For one product the total is its version. */
  operations(
    product: ProductId | undefined,
    page: Page,
  ): Promise<{ readonly operations: readonly OperationRow[] } & Counted>;
  /** A product's operations, newest first. @param before only operations with a lower version. */
  ledger(
    product: ProductId,
    before: number | undefined,
    limit: number,
  ): Promise<{ readonly operations: readonly OperationRow[]; readonly more: boolean }>;
  /** Whether a version that named the rows of CSV files by their lines may have written here. */
  mayHaveLineNames(): Promise<boolean>;
  /** Whether any of these stock writes is stored. */
  hasWrite(refs: readonly WriteId[]): Promise<boolean>;
  /** The last operation up to a time, which has the balances of that time, and the product's version now. */
  stockAt(
    product: ProductId,
    at: number,
  ): Promise<{ readonly operation: OperationRow | undefined; readonly version: number }>;
}

/** Exact up to limits.exactCount. An estimate means that there are more, or that counting took too long. */
export interface Counted {
  readonly total: number;
  readonly isEstimate: boolean;
}

/** Conditions that every listed order meets; an absent field is no condition. */
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
  /** The order has every one of these words; the last one may be the start of a word. */
  readonly words?: string;
}

/** The place of an order in a list. */
export interface OrderKey {
  readonly at: number;
  readonly id: OrderId;
}

export interface Page {
  /** From 1. */
  readonly page: number;
  readonly pageSize: number;
}

export interface ListAsk {
  /** It shows what was answered before. */
  readonly isFresh: boolean;
  /** It goes on behind this order. */
  readonly after?: OrderKey | undefined;
}

export interface ListSource {
  readonly queries: Queries;
  /** At most how far it is behind the primary. */
  readonly lagMs: number;
}

export interface ReplicaStatus {
  readonly isUsed: boolean;
  /** At most; while no position was reached, the time since the first look. */
  readonly lagMs: number;
  /** Why it is not used. */
  readonly why?: string;
}

/** The words of orders, for searches. They are added in the background, a bounded piece of work per call. */
export interface SearchIndex {
  /**
   * Adds orders that were stored since the last call. `lateMs`: the age of the oldest of them. `queued` grows by one
   * with each flush statement.
   */
  work(): Promise<{
    readonly added: number;
    readonly more: boolean;
    readonly lateMs: number;
    readonly queued: number;
  }>;
  /**
   * Looks for products and orders that the index lacks, one range of ids per call. Returns where the next call begins;
   * undefined at the end.
   */
  sweep(after: string): Promise<string | undefined>;
}
