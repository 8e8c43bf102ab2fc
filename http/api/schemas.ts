/**
 * The schemas of requests, compiled once. A message is the rest of a sentence that begins with the field's name.
 *
 * json-body.ts has already refused values that no field may contain: U+0000, lone surrogates, 1e400 and 2^53.
 */
import { z } from 'zod';
import { limits } from '../../actors/limits.js';
import { STATUSES } from '../../actors/order/transitions.js';
import { GREMLIN_KINDS, GREMLIN_TARGETS } from '../../actors/ports/gremlin-setting.js';
import type { Page } from '../../actors/ports/queries.js';
import type { Json } from '../../actors/protocol.js';
import { fieldName } from '../wire/json-body.js';
import { type Failure, type FieldError, invalid } from './failure.js';

// ---------------------------------------------------------------- words

const PLAIN_ID = /^[!-~]{1,255}$/;
const NO_ID = /[\p{Cc}\p{Cs}]/u;

/** Counts code points: a surrogate pair is one character. */
export const hasAtMost = (text: string, chars: number): boolean =>
  text.length <= chars || (text.length <= 2 * chars && [...text].length <= chars);

export const isIdText = (value: string): boolean =>
  PLAIN_ID.test(value) ||
  (value.length > 0 && hasAtMost(value, limits.idChars) && !NO_ID.test(value) && value.trim() === value);

const isId = (value: unknown): boolean => (typeof value === 'string' ? isIdText(value) : Number.isSafeInteger(value));

export const ID_RULE = `must be text of 1 to ${limits.idChars} characters without control characters or blanks around it, or a whole number`;

/** An idempotency key has visible characters and no blanks. */
export const isKey = (value: unknown): boolean =>
  typeof value === 'string' && value !== '' && hasAtMost(value, limits.keyChars) && !/[\s\p{C}]/u.test(value);

export const KEY_RULE = `must be 1 to ${limits.keyChars} visible characters`;

const grouped = (n: number): string => n.toLocaleString('en-US');

/**
 * A rule of ours with the JSON Schema that documents it. The schema may allow more than the rule, never less.
 * @param rule the message, or what makes it of the wrong value.
 */
export const ruled = <T>(
  rule: string | ((value: unknown) => string),
  holds: (value: unknown) => boolean,
  meta: z.core.GlobalMeta,
) => z.custom<T>(holds, { error: typeof rule === 'string' ? rule : ({ input }) => rule(input) }).meta(meta);

const ID_TEXT = { type: 'string', minLength: 1, maxLength: limits.idChars } as const;

const id = ruled<string | number>(ID_RULE, isId, {
  anyOf: [ID_TEXT, { type: 'integer' }],
  description:
    'Text without control characters or surrounding blanks, or a whole number. A number is the same as its decimal text.',
});
export const text = ruled<string>(
  `must be text of at most ${grouped(limits.textChars)} characters`,
  (value) => typeof value === 'string' && hasAtMost(value, limits.textChars),
  { type: 'string', maxLength: limits.textChars },
);
const someText = ruled<string>(
  `must be text of 1 to ${grouped(limits.textChars)} characters`,
  (value) => typeof value === 'string' && value.trim() !== '' && hasAtMost(value, limits.textChars),
  { type: 'string', minLength: 1, maxLength: limits.textChars },
);
export const address = ruled<Json>(
  `must be text or an object, at most ${grouped(limits.addressJsonChars)} characters as JSON`,
  (value) =>
    (typeof value === 'string' || (typeof value === 'object' && value !== null && !Array.isArray(value))) &&
    hasAtMost(JSON.stringify(value), limits.addressJsonChars),
  {
    id: 'Address',
    anyOf: [{ type: 'string' }, { type: 'object', additionalProperties: true }],
    description: `Text, or an object of any shape. It has at most ${grouped(limits.addressJsonChars)} characters as JSON.`,
  },
);
const keyFor = (repeats: string) =>
  ruled<string>(KEY_RULE, isKey, {
    type: 'string',
    minLength: 1,
    maxLength: limits.keyChars,
    description: `Visible characters. A repeat under the same key changes nothing. ${repeats} To retry a refused request, use a new key.`,
  });
/** The key of an order or of an act on an order. */
export const key = keyFor('It gets the first answer again, byte for byte, even if that was a refusal.');
export const stockKey = keyFor(
  'It gets a refusal again, byte for byte. Otherwise it shows the products as they are now.',
);
export const currency = ruled<string>(
  'must be three capital letters such as USD',
  (value) => typeof value === 'string' && /^[A-Z]{3}$/.test(value),
  { type: 'string', pattern: '^[A-Z]{3}$', description: 'A code of ISO 4217.' },
);
const whole = (from: number, to: number) =>
  ruled<number>(
    `must be a whole number from ${grouped(from)} to ${grouped(to)}`,
    (value) => typeof value === 'number' && Number.isInteger(value) && value >= from && value <= to,
    { type: 'integer', minimum: from, maximum: to },
  );
const quantity = whole(1, limits.quantity);

/** The form of a decimal amount. An amount that JSON.parse would round comes as text (rounded-numbers.ts). */
export const DECIMAL_TEXT = /^\d{1,16}(\.\d{1,4})?$/;
const isAbove0 = (value: unknown): boolean => typeof value === 'number' && value > 0;

export const listOf = <T extends z.ZodType>(item: T, most: number) => {
  const rule = `must be a list of 1 to ${grouped(most)} entries`;
  return z.array(item, rule).min(1, rule).max(most, rule);
};
export const object = <T extends z.core.$ZodLooseShape>(shape: T) => z.strictObject(shape, 'must be an object');

// ---------------------------------------------------------------- addresses

/** An id in a path or query, where every value is text. */
export const idText = ruled<string>(ID_RULE, (value) => typeof value === 'string' && isIdText(value), ID_TEXT);

/** A whole number in a query. */
export const wholeText = (to: number, description: string) =>
  ruled<string>(
    `must be a whole number from 1 to ${to}`,
    (value) => typeof value === 'string' && /^\d{1,9}$/.test(value) && Number(value) >= 1 && Number(value) <= to,
    { type: 'integer', minimum: 1, maximum: to, description },
  )
    .optional()
    .transform((text) => (text === undefined ? undefined : Number(text)));

/**
 * A whole number in a query, with a default. The description names the default, not the `default` keyword: generated
 * clients send a `default` with every request, even if it contradicts another parameter.
 */
export const wholeTextOr = (otherwise: number, to: number, description: string) =>
  wholeText(to, `${description} ${otherwise} if it is left out.`).transform((given) => given ?? otherwise);

/** @param id the name of this enum in the document. */
export const word = <const W extends readonly string[]>(id: string, words: W) =>
  z.enum(words, `must be one of ${words.join(', ')}`).meta({ id });

interface PageQuery {
  readonly page?: number | undefined;
  readonly page_size?: number | undefined;
}

export const auditQuery = z.object({
  page: wholeTextOr(1, limits.pageDepth, 'The number of the page.'),
  page_size: wholeTextOr(limits.pageSizeDefault, limits.pageSize, 'How many entries a page has.'),
  product_id: idText.optional(),
});
export type AuditQuery = z.output<typeof auditQuery>;

export const orderParams = z.object({ order_id: idText });
export const returnParams = orderParams.extend({ return_id: idText });
export const userParams = z.object({ user_id: idText });
export const productParams = z.object({ product_id: idText });

export const pageOf = ({ page = 1, page_size = limits.pageSizeDefault }: PageQuery): Page => ({
  page,
  pageSize: page_size,
});

// ---------------------------------------------------------------- bodies

const line = object({ product_id: id, quantity }).meta({ id: 'OrderLineRequest' });
const lines = listOf(line, limits.linesPerOrder);

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
  }).meta({ id: 'OrderRequest' }),
);
export type OrderBody = z.output<typeof orderBody>;

const named = { idempotency_key: key.optional() };

export const statusBody = z.compile(
  object({ status: word('OrderStatus', STATUSES), ...named }).meta({ id: 'StatusRequest' }),
);
export type StatusBody = z.output<typeof statusBody>;

export const cancelBody = z.compile(object({ reason: text.optional(), ...named }).meta({ id: 'CancelRequest' }));
export type CancelBody = z.output<typeof cancelBody>;

export const shipBody = z.compile(
  object({ tracking_id: text.optional(), carrier: text.optional(), lines: lines.optional(), ...named }).meta({
    id: 'ShipRequest',
  }),
);
export type ShipBody = z.output<typeof shipBody>;

export const deliverBody = z.compile(
  object({ fulfillment_id: idText.optional(), ...named }).meta({ id: 'DeliverRequest' }),
);
export type DeliverBody = z.output<typeof deliverBody>;

export const returnBody = z.compile(
  object({
    lines: listOf(
      object({ product_id: id.optional(), item_id: idText.optional(), quantity }).meta({ id: 'ReturnLineRequest' }),
      limits.linesPerOrder,
    ).optional(),
    reason: text.optional(),
    ...named,
  }).meta({ id: 'ReturnRequest' }),
);
export type ReturnBody = z.output<typeof returnBody>;

export const receiveReturnBody = z.compile(
  object({
    restock: z
      .boolean('must be true or false')
      .optional()
      .meta({ description: 'True (the default) puts the goods back in stock, false writes them off.' }),
    ...named,
  }).meta({ id: 'ReceiveReturnRequest' }),
);
export type ReceiveReturnBody = z.output<typeof receiveReturnBody>;

export const refundBody = z.compile(
  object({
    amount: ruled<number | string>(
      'must be a number above 0, or the same as text',
      (value) => (typeof value === 'string' ? DECIMAL_TEXT.test(value) && Number(value) > 0 : isAbove0(value)),
      {
        anyOf: [
          { type: 'number', exclusiveMinimum: 0, maximum: limits.amountMinor },
          { type: 'string', pattern: DECIMAL_TEXT.source },
        ],
        description: 'At most what is left to refund. A number keeps all its digits.',
      },
    ).optional(),
    reason: text.optional(),
    ...named,
  }).meta({ id: 'RefundRequest' }),
);
export type RefundBody = z.output<typeof refundBody>;

export const extendBody = z.compile(object(named).meta({ id: 'ExtendRequest' }));
export type ExtendBody = z.output<typeof extendBody>;

export const receiptLine = object({
  product_id: id,
  name: someText,
  unit_price: ruled<number>(
    `must be a number from 0 to ${grouped(limits.priceDecimal)}`,
    (value) => typeof value === 'number' && value >= 0 && value <= limits.priceDecimal,
    { type: 'number', minimum: 0, maximum: limits.priceDecimal },
  ),
  currency: currency.optional(),
  stock: whole(0, limits.stock),
  allow_backorder: z
    .boolean('must be true or false')
    .optional()
    .meta({ description: 'Whether orders can take more than the stock.' }),
  backorder_limit: whole(0, limits.stock).optional(),
}).meta({ id: 'ReceiptLineRequest' });
export type ReceiptLine = z.output<typeof receiptLine>;

export const receiptBody = z.compile(
  object({ products: listOf(receiptLine, limits.productsPerReceipt), idempotency_key: stockKey.optional() }).meta({
    id: 'ReceiptRequest',
  }),
);
export type ReceiptBody = z.output<typeof receiptBody>;

export const adjustBody = z.compile(
  object({
    delta: ruled<number>(
      `must be a whole number from -${grouped(limits.stock)} to ${grouped(limits.stock)} other than 0`,
      (value) => Number.isInteger(value) && value !== 0 && Math.abs(Number(value)) <= limits.stock,
      {
        type: 'integer',
        minimum: -limits.stock,
        maximum: limits.stock,
        not: { const: 0 },
        description: 'Any number except 0.',
      },
    ),
    reason: someText,
    idempotency_key: stockKey.optional(),
  }).meta({ id: 'AdjustRequest' }),
);
export type AdjustBody = z.output<typeof adjustBody>;

export const checkBody = z.compile(object({ items: lines }).meta({ id: 'CheckRequest' }));
export type CheckBody = z.output<typeof checkBody>;

const gremlinRule = {
  target: word('GremlinTarget', GREMLIN_TARGETS).optional(),
  kind: word('GremlinKind', GREMLIN_KINDS).optional(),
  every: whole(1, limits.gremlinEvery).optional(),
  probability: ruled<number>(
    'must be a number from 0 to 1',
    (value) => typeof value === 'number' && value >= 0 && value <= 1,
    { type: 'number', minimum: 0, maximum: 1, description: 'Use it instead of `every`.' },
  ).optional(),
  delay_ms: whole(0, limits.gremlinDelayMs).optional(),
  jitter_ms: whole(0, limits.gremlinJitterMs).optional(),
};

/** One rule, or several in `rules`. Every member has a default. */
export const gremlinBody = z.compile(
  object({
    ...gremlinRule,
    rules: listOf(object(gremlinRule).meta({ id: 'GremlinRuleRequest' }), limits.gremlinRules).optional(),
    for_s: whole(1, limits.gremlinForS).optional(),
    seed: whole(0, 2 ** 31 - 1).optional(),
  }).meta({ id: 'GremlinRequest' }),
);
export type GremlinBody = z.output<typeof gremlinBody>;

// ---------------------------------------------------------------- machinery

/** @param params already decoded. */
export const readParams = <T extends z.ZodObject>(schema: T, params: Readonly<Record<string, string>>): z.output<T> =>
  validated(schema, params);

/**
 * A misspelt filter would filter nothing. So an unknown parameter is refused, like an unknown field of a body, and so
 * is a repeated one.
 */
export function readQuery<T extends z.ZodObject>(schema: T, url: string, unknown: 'refused' | 'ignored'): z.output<T> {
  const start = url.indexOf('?');
  if (start < 0) return validated(schema, {});
  const given = new URLSearchParams(url.slice(start + 1));
  const read: Record<string, string> = {};
  const errors: FieldError[] = [];
  for (const name of new Set(given.keys())) {
    const isKnown = Object.hasOwn(schema.shape, name);
    if (!isKnown && unknown === 'ignored') continue;
    const values = given.getAll(name);
    const problem = isKnown ? problemOf(values) : 'is not a known parameter';
    const field = name === '' ? 'query' : fieldName([name]);
    if (problem === undefined) read[name] = values[0] ?? '';
    else errors.push({ field, message: `${field} ${problem}.` });
  }
  return validated(schema, read, errors);
}

function problemOf(values: readonly string[]): string | undefined {
  if (values.length > 1) return 'is given twice';
  return values[0]?.includes('\0') ? 'contains U+0000' : undefined;
}

/** @returns the parsed value. @throws Failure that names every wrong field, including those in `found`. */
export function validated<T extends z.ZodType>(
  schema: T,
  value: unknown,
  found: readonly FieldError[] = [],
): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success && found.length === 0) return result.data;
  throw refusal(result.error?.issues ?? [], value, found);
}

function refusal(issues: readonly z.core.$ZodIssue[], value: unknown, found: readonly FieldError[]): Failure {
  const errors = [...found];
  for (const issue of issues) {
    if (issue.code === 'unrecognized_keys') {
      for (const name of issue.keys) {
        const field = fieldName([...issue.path, name]);
        errors.push({ field, message: `${field} is not a known field.` });
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
