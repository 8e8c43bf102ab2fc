/**
 * The words of a text, as a search knows them: of what is stored and of what is asked alike, and nowhere else. So
 * both sides agree on every letter, whatever the database's locale knows.
 *
 * A text is compared without case (Unicode's full case folding: `ß` is `ss`), without diacritics, and in
 * compatibility form (NFKC: `ﬁ` is `fi`), and split at whatever is no letter, digit or mark.
 */
import type { Json } from './protocol.js';

/** A word is cut behind so many characters. */
const WORD_CHARS = 64;

const ASCII = /^[\0-\x7f]*$/;
const ASCII_WORDS = /[0-9a-z]+/g;
const BETWEEN = /[^\p{L}\p{N}\p{M}]+/gu;
/** What may be left out: diacritics of Latin, Greek and Cyrillic letters, points of Hebrew and Arabic ones, signs of how to draw. */
const LEFT_OUT =
  /[\u0300-\u036f]|[\u0483-\u0487]|[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7]|[\u064b-\u065f]|\u0670|[\u1ab0-\u1aff]|[\u1dc0-\u1dff]|[\u20d0-\u20ff]|[\ufe20-\ufe2f]|\p{Variation_Selector}/gu;
/** Of nothing before them. */
const LEADING_MARKS = /^\p{M}+/u;
/** Letters with a stroke, which Unicode does not take apart, and the sigma that JavaScript puts at a word's end. */
const STROKES = /[øłđħŧς]/g;
const PLAIN: Readonly<Record<string, string>> = { ø: 'o', ł: 'l', đ: 'd', ħ: 'h', ŧ: 't', ς: 'σ' };

/** In their order, as often as they come. */
export function wordsOf(text: string): string[] {
  const words = ASCII.test(text) ? (text.toLowerCase().match(ASCII_WORDS) ?? []) : foldedWords(text);
  return words.some((word) => word.length > WORD_CHARS) ? words.map(cut) : words;
}

/** What is said of an order in words. */
interface OrderTexts {
  readonly id: string;
  readonly user: string;
  readonly email: string | undefined;
  readonly shippingAddress: Json | undefined;
  readonly billingAddress: Json | undefined;
  readonly notes: string | undefined;
  /** Ids and names. */
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
 * A sign that stands for letters (`№`, `™`, `㎏`) is a word of its own. Twice through both cases: a capital may have
 * other small letters than it came from.
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

/** The values of an address; its fields' names are no words of the order. */
function valuesIn(json: Json | undefined, texts: string[]): void {
  if (json === undefined || json === null) return;
  if (typeof json !== 'object') texts.push(String(json));
  else for (const value of Object.values(json)) valuesIn(value, texts);
}
