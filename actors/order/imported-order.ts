/**
 * An order that was made and paid elsewhere: what is taken over of it, and what it refuses.
 *
 * Law: nothing is lost and nothing is invented. An amount counts in minor units of the order's currency. One that is finer
 * is rounded to the nearest, and one that cannot be told in that currency is unknown. Whenever the lines do not tell the
 * items exactly, the items are kept beside them as they were given. The goods and the money are another system's
 * (order.O6).
 */
import { type ProductId, type UserId, userId } from '../ids.js';
import { limits } from '../limits.js';
import { isCurrency, minorDigits } from '../money.js';
import type { Cost, ImportedFacts, ImportedItem, Json, OrderCommand, OrderContent } from '../protocol.js';
import { sameJson, sameText } from './content-equality.js';
import { nothing, type OrderState, type Row } from './order.js';

/** The user of an order that nobody told the user of. No user's id is empty. */
export const NO_USER: UserId = userId('');

/** An amount as google.type.Money has it: whole units and billionths, both of one sign. */
export interface GivenMoney {
  readonly currency: string;
  readonly units: bigint;
  readonly nanos: number;
}

export interface GivenOrder {
  readonly origin: string;
  readonly user?: UserId | undefined;
  readonly email?: string | undefined;
  readonly address?: Json | undefined;
  readonly tracking?: string | undefined;
  readonly shipping?: GivenMoney | undefined;
  /** Quantities are at least 1. */
  readonly items: readonly {
    readonly product: ProductId;
    readonly quantity: number;
    readonly cost?: GivenMoney | undefined;
  }[];
  /** Wall clock, milliseconds. */
  readonly placedAt?: number | undefined;
}

export type Import = Pick<Extract<OrderCommand, { type: 'import' }>, 'content' | 'facts'>;

/** The order's currency is that of its first item with a cost, or else that of its shipping. */
export function importOf(given: GivenOrder): Import {
  const { origin, user = NO_USER, email, address, tracking, shipping, items, placedAt } = given;
  const currency = [...items.map(({ cost }) => cost), shipping].find((cost) => isKnown(cost))?.currency;
  const lines = new Map<ProductId, { quantity: number; price: number | null }>();
  let isExact = true;
  for (const { product, quantity, cost } of items) {
    const price = priceOf(cost, currency);
    const line = lines.get(product);
    isExact &&= line === undefined && price.isExact;
    lines.set(product, {
      quantity: (line?.quantity ?? 0) + quantity,
      price: line === undefined || line.price === price.minor ? price.minor : null,
    });
  }
  const prices = [...lines.values()].map(({ price }) => price);
  const total = totalOf([...lines.values()]);
  return {
    content: {
      ...{ user, userIsNumber: false },
      lines: Array.from(lines, ([product, { quantity }]) => ({ product, quantity })),
      ...(currency !== undefined && { currency }),
      ...(email !== undefined && { email }),
      ...(address !== undefined && { shippingAddress: address }),
    },
    facts: {
      origin,
      ...(placedAt !== undefined && { placedAt }),
      ...(tracking !== undefined && { tracking }),
      ...(shipping !== undefined && { shipping: costOf(shipping) }),
      prices,
      ...(total !== undefined && { total }),
      ...(!isExact && { items: items.map(itemOf) }),
    },
  };
}

/** Minor units of this currency, rounded; undefined where the cost is of another currency, negative or too large. */
export function minorOfCost(cost: Cost, currency: string | undefined): number | undefined {
  if (cost.currency !== currency || !isCurrency(cost.currency)) return undefined;
  const [whole = '', fraction = ''] = cost.amount.split('.');
  const nanos = BigInt(whole + fraction.padEnd(NANO_DIGITS, '0'));
  return minorOfNanos(nanos, cost.currency);
}

/** The fields in which an import differs from the order. What one of them does not tell is no difference. */
export function differences(state: OrderState, { content, facts }: Import): string[] {
  const { life } = state;
  const { imported } = life;
  const of = state.content;
  const isForgotten = life.forgotten === true;
  const same: { readonly [field: string]: boolean } = {
    user_id: of.user === NO_USER || content.user === NO_USER || of.user === content.user,
    items: sameJson(
      itemsOf(of, state.lines, imported?.items),
      itemsOf(content, pricedLines(content, facts), facts.items),
    ),
    currency: (content.currency ?? state.currency) === (state.currency ?? content.currency),
    shipping_cost: sameIfTold(
      imported?.shipping,
      facts.shipping,
      (a, b) => a.currency === b.currency && a.amount === b.amount,
    ),
    user_email: isForgotten || sameIfTold(of.email, content.email, sameText),
    tracking_id: isForgotten || sameIfTold(imported?.tracking, facts.tracking, sameText),
    shipping_address: isForgotten || sameIfTold(of.shippingAddress, content.shippingAddress, sameJson),
  };
  return Object.keys(same).filter((field) => !same[field]);
}

// ---------------------------------------------------------------- cells of the chart

export const importOrder: Row<'import'> = (_, { content, facts, correlation }) => ({
  events: [{ type: 'imported', content, facts, correlation }],
  letters: [],
});

/** order.O4: the first content stays. The order remembers once for each field that it was told otherwise. */
export const importAgain: Row<'import'> = (state, command) => {
  const { imported } = state.life;
  if (imported === undefined) return { refused: 'not_yours' };
  const fields = differences(state, command).filter((field) => !imported.differed?.includes(field));
  return fields.length === 0 ? nothing : { events: [{ type: 'import_differed', fields }], letters: [] };
};

/** order.O6: what would move goods or money here is refused. */
export const isElsewhere = ({ life }: OrderState, command: OrderCommand): boolean =>
  life.imported !== undefined && (REFUSED.has(command.type) || (command.type === 'move' && command.to === 'cancelled'));

const REFUSED: ReadonlySet<OrderCommand['type']> = new Set(['cancel', 'requestReturn', 'receiveReturn', 'refund']);

// ---------------------------------------------------------------- machinery

const NANO_DIGITS = 9;

const isKnown = (cost: GivenMoney | undefined): boolean => cost !== undefined && isCurrency(cost.currency);

const nanosOf = ({ units, nanos }: GivenMoney): bigint => units * 1_000_000_000n + BigInt(nanos);

function priceOf(cost: GivenMoney | undefined, currency: string | undefined) {
  if (cost === undefined || cost.currency !== currency) return { minor: null, isExact: cost === undefined };
  const nanos = nanosOf(cost);
  const minor = minorOfNanos(nanos, currency);
  return { minor: minor ?? null, isExact: minor !== undefined && nanos % nanosOfMinor(currency) === 0n };
}

const nanosOfMinor = (currency: string): bigint => 10n ** BigInt(NANO_DIGITS - minorDigits(currency));

function minorOfNanos(nanos: bigint, currency: string): number | undefined {
  const one = nanosOfMinor(currency);
  const minor = (nanos + one / 2n) / one;
  return nanos < 0n || minor > BigInt(limits.amountMinor) ? undefined : Number(minor);
}

function totalOf(lines: readonly { readonly quantity: number; readonly price: number | null }[]): number | undefined {
  let total = 0n;
  for (const { quantity, price } of lines) {
    if (price === null) return undefined;
    total += BigInt(quantity) * BigInt(price);
  }
  return lines.length === 0 || total > BigInt(limits.amountMinor) ? undefined : Number(total);
}

/** A decimal with the digits that the amount has: 67.989999999, 8.99, 12. */
function costOf(money: GivenMoney): Cost {
  const nanos = nanosOf(money);
  const digits = String(nanos < 0n ? -nanos : nanos).padStart(NANO_DIGITS + 1, '0');
  const fraction = digits.slice(-NANO_DIGITS).replace(/0+$/, '');
  const whole = digits.slice(0, -NANO_DIGITS);
  const sign = nanos < 0n ? '-' : '';
  return { currency: money.currency, amount: `${sign}${whole}${fraction === '' ? '' : `.${fraction}`}` };
}

const itemOf = ({ product, quantity, cost }: GivenOrder['items'][number]): ImportedItem =>
  cost === undefined ? { product, quantity } : { product, quantity, cost: costOf(cost) };

/** What an order says of its items, as exactly as it says it, in one order. */
function itemsOf(
  { lines }: Pick<OrderContent, 'lines'>,
  priced: readonly { readonly unitPrice?: number | null | undefined }[],
  items: readonly ImportedItem[] | undefined,
): Json {
  const told: string[] = items?.map((item) => JSON.stringify(item)) ?? [];
  const shown = lines.map(({ product, quantity }, i) =>
    JSON.stringify([product, quantity, priced[i]?.unitPrice ?? null]),
  );
  return [told.sort(), shown.sort()];
}

const pricedLines = ({ lines }: OrderContent, { prices }: ImportedFacts) =>
  lines.map((_, i) => ({ unitPrice: prices[i] }));

const sameIfTold = <T>(a: T | undefined, b: T | undefined, same: (a: T, b: T) => boolean): boolean =>
  a === undefined || b === undefined || same(a, b);
