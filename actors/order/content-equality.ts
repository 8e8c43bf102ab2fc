/**
 * Whether a repeat asks for the same order as the first request. The sequence of lines and of an address's fields does
 * not matter, nor does a missing currency. What was erased is not compared.
 */
import type { Json, OrderContent } from '../protocol.js';
import type { OrderState } from './order.js';

/** @param stored the content of the first request, with the currency that the order got. */
export function sameContent(
  stored: Pick<OrderState, 'content'> & Partial<Pick<OrderState, 'currency' | 'life'>>,
  again: OrderContent,
): boolean {
  const { content } = stored;
  return (
    content.user === again.user &&
    (again.currency === undefined || again.currency === (stored.currency ?? content.currency ?? again.currency)) &&
    sameText(content.paymentMethod, again.paymentMethod) &&
    sameLines(content.lines, again.lines) &&
    (stored.life?.forgotten === true || samePerson(content, again))
  );
}

const samePerson = (stored: OrderContent, again: OrderContent): boolean =>
  sameText(stored.email, again.email) &&
  sameText(stored.notes, again.notes) &&
  sameJson(stored.shippingAddress, again.shippingAddress) &&
  sameJson(stored.billingAddress, again.billingAddress);

/** Text from Postgres has U+FFFD where the request had a NUL. */
export const sameText = (stored: string | undefined, again: string | undefined): boolean =>
  stored === again || (stored !== undefined && again !== undefined && stored === again.replaceAll('\0', '\ufffd'));

function sameLines(a: OrderContent['lines'], b: OrderContent['lines']): boolean {
  if (a.length !== b.length) return false;
  const quantities = new Map(a.map((line) => [line.product, line.quantity]));
  return b.every((line) => quantities.get(line.product) === line.quantity);
}

export function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = Object.entries(a);
  const right = b as { readonly [key: string]: Json };
  return (
    left.length === Object.keys(right).length &&
    left.every(([key, value]) => Object.hasOwn(right, key) && sameJson(value, right[key]))
  );
}
