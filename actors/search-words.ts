/**
 * Splits a text into search words. Stored texts and search texts both go through this file alone. So both sides agree on
 * every letter, whatever the database's locale is.
 *
 * A text is compared without case (Unicode's full case folding: `ß` is `ss`), without diacritics, and in compatibility
 * form (NFKC: `ﬁ` is `fi`). It is split at every character that is no letter, digit or mark.
 */
import type { Json } from './protocol.js';

/** A longer word is cut to this many characters. */
const WORD_CHARS = 64;

const ASCII = /^[\0-\x7f]*$/;
const ASCII_WORDS = /[0-9a-z]+/g;
const BETWEEN = /[^\p{L}\p{N}\p{M}]+/gu;
/**
 * Removed: diacritics of Latin, Greek and Cyrillic letters, points of Hebrew and Arabic letters, variation selectors.
 */
const LEFT_OUT =
  /[\u0300-\u036f]|[\u0483-\u0487]|[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7]|[\u064b-\u065f]|\u0670|[\u1ab0-\u1aff]|[\u1dc0-\u1dff]|[\u20d0-\u20ff]|[\ufe20-\ufe2f]|\p{Variation_Selector}/gu;
/** Marks at a word's start, which belong to no letter. */
const LEADING_MARKS = /^\p{M}+/u;
/** Letters with a stroke, which Unicode does not decompose, and the final sigma that toLowerCase makes. */
const STROKES = /[øłđħŧς]/g;
const PLAIN: Readonly<Record<string, string>> = { ø: 'o', ł: 'l', đ: 'd', ħ: 'h', ŧ: 't', ς: 'σ' };

/** The words of the text in their order, with repeats. */
export function wordsOf(text: string): string[] {
  const words = ASCII.test(text) ? (text.toLowerCase().match(ASCII_WORDS) ?? []) : foldedWords(text);
  return words.some((word) => word.length > WORD_CHARS) ? words.map(cut) : words;
}

/** The texts of an order that a search looks at. */
interface OrderTexts {
  readonly id: string;
  readonly user: string;
  readonly email: string | undefined;
  readonly shippingAddress: Json | undefined;
  readonly billingAddress: Json | undefined;
  readonly notes: string | undefined;
  /** The id and the name of each product. */
  readonly products: readonly (readonly [string, string | undefined])[];
}

/** Each word once; names of products come last. */
export function orderWords(order: OrderTexts): Set<string> {
  const texts = [order.id, order.user, order.email ?? '', order.notes ?? ''];
  valuesIn(order.shippingAddress, texts);
  valuesIn(order.billingAddress, texts);
  for (const [product] of order.products) texts.push(product);
  for (const [, name] of order.products) texts.push(name ?? '');
  const words = new Set<string>();
  for (const text of texts) for (const word of wordsOf(text)) words.add(word);
  return words;
}

// ---------------------------------------------------------------- machinery

/**
 * A sign that stands for letters (`№`, `™`, `㎏`) is a word of its own. The case is folded twice: a small letter may
 * change when it is made large and small again.
 */
function foldedWords(text: string): string[] {
  const apart = text.normalize('NFC').replace(BETWEEN, ' $& ');
  return bothCases(bothCases(apart))
    .normalize('NFKD')
    .replace(LEFT_OUT, '')
    .replace(STROKES, (letter) => PLAIN[letter] ?? letter)
    .normalize('NFKC')
    .split(BETWEEN)
    .map((word) => word.replace(LEADING_MARKS, ''))
    .filter((word) => word !== '');
}

const bothCases = (text: string): string => text.normalize('NFKD').toUpperCase().toLowerCase();

const cut = (word: string): string => Array.from(word).slice(0, WORD_CHARS).join('');

/** Collects the values of an address. The names of its fields are no words of the order. */
function valuesIn(json: Json | undefined, texts: string[]): void {
  if (json === undefined || json === null) return;
  if (typeof json !== 'object') texts.push(String(json));
  else for (const value of Object.values(json)) valuesIn(value, texts);
}
