/** The search in memory. It uses the same words as the search in Postgres (actors/search-words.ts), without an index. */
import type { OrderState } from '../../actors/order/order.js';
import { orderWords, wordsOf } from '../../actors/search-words.js';

/** @param nameOf the name of a product. */
export function matches(
  { id, content, lines }: OrderState,
  search: string,
  nameOf: (product: string) => string,
): boolean {
  const { user, email, shippingAddress, billingAddress, notes } = content;
  const products = lines.map(({ product }) => [product, nameOf(product)] as const);
  const has = orderWords({ id, user, email, shippingAddress, billingAddress, notes, products });
  const words = wordsOf(search);
  const last = words.pop();
  return last !== undefined && words.every((word) => has.has(word)) && [...has].some((word) => word.startsWith(last));
}
