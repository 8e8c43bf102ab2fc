/** Which products are on the screen: one page of the list, or the one that was looked for. */
import type { Pagination, Product } from './answers.js';
import { count } from './words.js';

const PAGE_SIZE = 12;

export interface Wanted {
  readonly page: number;
  /** The id of one product; empty: the list. */
  readonly id: string;
}

export interface StockPage {
  readonly products: readonly Product[];
  /** Of the whole system. */
  readonly total: number;
  readonly page: number;
  readonly pages: number;
}

export const pathOf = ({ page, id }: Wanted): string =>
  id === '' ? `/api/inventory?page=${page}&page_size=${PAGE_SIZE}` : `/api/inventory/${encodeURIComponent(id)}`;

export function pageOf(data: Product | readonly Product[], pagination: Pagination | undefined): StockPage {
  const products = Array.isArray(data) ? (data as readonly Product[]) : [data as Product];
  const { total = products.length, page = 1, total_pages: pages = 1 } = pagination ?? {};
  return { products, total, page, pages: Math.max(1, pages) };
}

/** Such as `products 13 to 24 of 3,041`. */
export function rangeText({ products, total, page }: StockPage): string {
  const first = (page - 1) * PAGE_SIZE + 1;
  if (products.length === 0) return `no product of ${count(total)}`;
  if (products.length === total) return total === 1 ? '1 product' : `all ${count(total)} products`;
  return `products ${count(first)} to ${count(first + products.length - 1)} of ${count(total)}`;
}

/** Units that are promised and not there. */
export const oversoldIn = (products: readonly Product[]): number =>
  products.reduce((sum, { held, on_hand }) => sum + Math.max(0, held - on_hand), 0);
