/** The twin of the search in Postgres (0003_queries.sql): the same words of the same texts, looked up at once. */
import type { OrderState } from '../../actors/order/order.js';
import type { Json } from '../../actors/protocol.js';

/** Whatever is neither a letter nor a digit, as far as the ranges of the migration know. */
const BETWEEN = /[^0-9A-Za-z\u00c0-\u1fff\u2070-\u2fff\u3040-\ufeff\uff10-\uff19\uff21-\uffff\u{10000}-\u{10ffff}]+/u;
const NAMES_AND_ESCAPES = /"(\\.|[^"\\])*"\s*:|\\u[0-9a-fA-F]{4}|\\./g;
const WORD_CHARS = 64;

/** @param nameOf what a product is called. */
export function matches(
  { id, content, lines }: OrderState,
  search: string,
  nameOf: (product: string) => string,
): boolean {
  const texts = [
    ...[
      id,
      content.user,
      content.email,
      values(content.shippingAddress),
      values(content.billingAddress),
      content.notes,
    ],
    ...lines.flatMap(({ product }) => [product, nameOf(product)]),
  ];
  const has = new Set(wordsOf(texts.filter((text) => text !== undefined).join(' ')));
  const asked = wordsOf(search);
  const last = asked.pop();
  return last !== undefined && asked.every((word) => has.has(word)) && [...has].some((word) => word.startsWith(last));
}

const values = (json: Json | undefined): string =>
  json === undefined ? '' : JSON.stringify(json).replace(NAMES_AND_ESCAPES, ' ');

const lower = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

const wordsOf = (text: string): string[] =>
  lower(text.replaceAll('\0', '\ufffd'))
    .split(BETWEEN)
    .filter((word) => word !== '')
    .map((word) => Array.from(word).slice(0, WORD_CHARS).join(''));
