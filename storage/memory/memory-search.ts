/** The twin of the search in Postgres: the same words (actors/search-words.ts), looked up at once. */
import type { OrderState } from '../../actors/order/order.js';
import { orderWords, wordsOf } from '../../actors/search-words.js';

/** @param nameOf what a product is called. */
export function matches(
  { id, content, lines }: OrderState,
  search: string,
  nameOf: (product: string) => string,
): boolean {
  const { user, email, shippingAddress, billingAddress, notes } = content;
  const products = lines.map(({ product }) => [product, nameOf(product)] as const);
  const has = orderWords({ id, user, email, shippingAddress, billingAddress, notes, products });
  const asked = wordsOf(search);
  const last = asked.pop();
  return last !== undefined && asked.every((word) => has.has(word)) && [...has].some((word) => word.startsWith(last));
}
