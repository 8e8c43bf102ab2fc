/**
 * What a request may contain: the one set of schemas of the edge, compiled once. A message is the
 * rest of a sentence that begins with the field's name.
 *
 * Whatever no text and no number may be (U+0000, lone surrogates, 1e400, 2^53) is refused before,
 * wherever it stands (json-body.ts).
 */
import { z } from 'zod';
import { limits } from '../actors/limits.js';
import type { Json } from '../actors/protocol.js';
import { type Failure, type FieldError, invalid } from './failure.js';
import { fieldName } from './json-body.js';

// ---------------------------------------------------------------- words

const PLAIN_ID = /^[!-~]{1,255}$/;
const NO_ID = /[\p{Cc}\p{Cs}]/u;

/** At most so many characters, a pair of surrogates being one. */
const hasAtMost = (text: string, chars: number): boolean =>
  text.length <= chars || (text.length <= 2 * chars && [...text].length <= chars);

export const isIdText = (value: string): boolean =>
  PLAIN_ID.test(value) ||
  (value.length > 0 && hasAtMost(value, limits.idChars) && !NO_ID.test(value) && value.trim() === value);

const isId = (value: unknown): boolean => (typeof value === 'string' ? isIdText(value) : Number.isSafeInteger(value));

export const ID_RULE = `must be text of 1 to ${limits.idChars} characters without control characters or blanks around it, or a whole number`;

/** What an idempotency key may be: visible characters, no blanks. */
export const isKey = (value: unknown): boolean =>
  typeof value === 'string' && value !== '' && hasAtMost(value, limits.keyChars) && !/[\s\p{C}]/u.test(value);

export const KEY_RULE = `must be 1 to ${limits.keyChars} visible characters`;

const grouped = (n: number): string => n.toLocaleString('en-US');

const id = z.custom<string | number>(isId, ID_RULE);
const text = z.custom<string>(
  (value) => typeof value === 'string' && hasAtMost(value, limits.textChars),
  `must be text of at most ${grouped(limits.textChars)} characters`,
);
const someText = z.custom<string>(
  (value) => typeof value === 'string' && value.trim() !== '' && hasAtMost(value, limits.textChars),
  `must be text of 1 to ${grouped(limits.textChars)} characters`,
);
const address = z.custom<Json>(
  (value) =>
    (typeof value === 'string' || (typeof value === 'object' && value !== null && !Array.isArray(value))) &&
    hasAtMost(JSON.stringify(value), limits.addressJsonChars),
  `must be text or an object, at most ${grouped(limits.addressJsonChars)} characters as JSON`,
);
const key = z.custom<string>(isKey, KEY_RULE);
const currency = z.custom<string>(
  (value) => typeof value === 'string' && /^[A-Z]{3}$/.test(value),
  'must be three capital letters such as USD',
);
const whole = (from: number, to: number) =>
  z.custom<number>(
    (value) => typeof value === 'number' && Number.isInteger(value) && value >= from && value <= to,
    `must be a whole number from ${grouped(from)} to ${grouped(to)}`,
  );
const quantity = whole(1, limits.quantity);

const listOf = <T extends z.ZodType>(item: T, most: number) => {
  const rule = `must be a list of 1 to ${grouped(most)} entries`;
  return z.array(item, rule).min(1, rule).max(most, rule);
};
const object = <T extends z.core.$ZodLooseShape>(shape: T) => z.strictObject(shape, 'must be an object');

// ---------------------------------------------------------------- bodies

const lines = listOf(object({ product_id: id, quantity }), limits.linesPerOrder);

export const orderBody = z.compile(
  object({
    user_id: id,
    items: lines.optional(),
    order_items: lines.optional(),
    product_id: id.optional(),
    quantity: quantity.optional(),
    user_email: text.optional(),
    currency: currency.optional(),
    shipping_address: address.optional(),
    billing_address: address.optional(),
    notes: text.optional(),
    payment_method: text.optional(),
    idempotency_key: key.optional(),
  }),
);
export type OrderBody = z.output<typeof orderBody>;

export const receiptBody = z.compile(
  object({
    products: listOf(
      object({
        product_id: id,
        name: someText,
        unit_price: z.custom<number>(
          (value) => typeof value === 'number' && value >= 0 && value <= limits.priceDecimal,
          `must be a number from 0 to ${grouped(limits.priceDecimal)}`,
        ),
        currency: currency.optional(),
        stock: whole(0, limits.stock),
      }),
      limits.productsPerReceipt,
    ),
    idempotency_key: key.optional(),
  }),
);
export type ReceiptBody = z.output<typeof receiptBody>;

export const adjustBody = z.compile(
  object({
    delta: z.custom<number>(
      (value) => Number.isInteger(value) && value !== 0 && Math.abs(Number(value)) <= limits.stock,
      `must be a whole number from -${grouped(limits.stock)} to ${grouped(limits.stock)} other than 0`,
    ),
    reason: someText,
    idempotency_key: key.optional(),
  }),
);

export const checkBody = z.compile(object({ items: lines }));

// ---------------------------------------------------------------- machinery

/** Answers the value as the schema has it, or throws with every wrong field named. */
export function validated<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw refusal(result.error.issues, value);
}

function refusal(issues: readonly z.core.$ZodIssue[], value: unknown): Failure {
  const errors: FieldError[] = [];
  for (const issue of issues) {
    if (issue.code === 'unrecognized_keys') {
      for (const name of issue.keys) {
        const field = fieldName([...issue.path, name]);
        errors.push({ field, message: `${field} is not a field that is known here.` });
      }
      continue;
    }
    const field = fieldName(issue.path);
    const missing = at(value, issue.path) === undefined;
    errors.push({ field, message: `${field} ${missing ? `is missing; it ${issue.message}` : issue.message}.` });
  }
  return invalid(errors);
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value;
  for (const part of path) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = (found as { readonly [name: PropertyKey]: unknown })[part];
  }
  return found;
}
