/**
 * Normalises the body of an order, which has one of three shapes. The result has ids as text and one line per product.
 * It is what the system compares, stores and runs.
 */
import { type ProductId, productId, userId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { OrderContent } from '../../actors/protocol.js';
import { invalidField } from '../api/failure.js';
import type { OrderBody } from '../api/schemas.js';

export interface NormalisedOrder {
  readonly content: OrderContent;
  /** The idempotency key in the body. */
  readonly key: string | undefined;
  /** For each line of the content, the name of its field in messages. */
  readonly lineFields: readonly string[];
}

export function normalised(given: OrderBody): NormalisedOrder {
  const [lines, lineFields] = merged(givenLines(given));
  const user = given.user_id;
  const content: { -readonly [K in keyof OrderContent]: OrderContent[K] } = {
    user: userId(String(user)),
    userIsNumber: typeof user === 'number',
    lines,
  };
  if (given.currency !== undefined) content.currency = given.currency;
  if (given.user_email !== undefined) content.email = given.user_email;
  if (given.shipping_address !== undefined) content.shippingAddress = given.shipping_address;
  if (given.billing_address !== undefined) content.billingAddress = given.billing_address;
  if (given.notes !== undefined) content.notes = given.notes;
  if (given.payment_method !== undefined) content.paymentMethod = given.payment_method;
  return { content, key: given.idempotency_key, lineFields };
}

interface GivenLine {
  readonly product_id: string | number;
  readonly quantity: number;
}

/** Accepts exactly one of the three shapes. @returns the lines and the name of their list, '' for the flat shape. */
function givenLines({ items, order_items, product_id, quantity }: OrderBody): [readonly GivenLine[], string] {
  const flat = product_id !== undefined || quantity !== undefined;
  if (items !== undefined) {
    if (order_items !== undefined) throw invalidField('order_items', 'and items cannot both be given');
    if (flat)
      throw invalidField(product_id === undefined ? 'quantity' : 'product_id', 'and items cannot both be given');
    return [items, 'items'];
  }
  if (order_items !== undefined) {
    if (flat)
      throw invalidField(product_id === undefined ? 'quantity' : 'product_id', 'and order_items cannot both be given');
    return [order_items, 'order_items'];
  }
  if (!flat) throw invalidField('items', 'is missing: give items, order_items, or product_id with quantity');
  if (product_id === undefined) throw invalidField('product_id', 'is missing');
  if (quantity === undefined) throw invalidField('quantity', 'is missing');
  return [[{ product_id, quantity }], ''];
}

type Line = OrderContent['lines'][number];

/** Merges the lines of one product. */
export function merged([given, list]: readonly [readonly GivenLine[], string]): [readonly Line[], readonly string[]] {
  const only = given[0];
  if (given.length === 1 && only !== undefined) {
    const field = list === '' ? 'product_id' : `${list}[0].product_id`;
    return [[{ product: productId(String(only.product_id)), quantity: only.quantity }], [field]];
  }
  const quantities = new Map<ProductId, number>();
  const fields: string[] = [];
  given.forEach((line, i) => {
    const product = productId(String(line.product_id));
    const before = quantities.get(product);
    const quantity = (before ?? 0) + line.quantity;
    if (quantity > limits.quantity) {
      throw invalidField(
        `${list}[${i}].quantity`,
        `brings this product to ${quantity} pieces with the lines before it; at most ${limits.quantity} can be ordered`,
      );
    }
    quantities.set(product, quantity);
    if (before === undefined) fields.push(`${list}[${i}].product_id`);
  });
  return [Array.from(quantities, ([product, quantity]) => ({ product, quantity })), fields];
}
