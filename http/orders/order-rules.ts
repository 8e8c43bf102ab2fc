/**
 * Refuses orders that can never succeed, before they are placed: an unknown currency, a currency that is not the
 * products', products of several currencies, and a total that is too large.
 *
 * A product's currency never changes, so it is looked up once and then cached. The owner of an unknown product refuses
 * it later with 404.
 */
import type { ProductId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { isCurrency, MOST_MINOR_DIGITS } from '../../actors/money.js';
import type { Owners } from '../../actors/ports/owners.js';
import type { OrderContent } from '../../actors/protocol.js';
import { TOTAL_TOO_LARGE } from '../api/errors.js';
import { Failure, invalidField, unknownCurrency } from '../api/failure.js';
import type { NormalisedOrder } from './order-content.js';

/** Up to this many pieces the total cannot overflow, even at the highest price and with the smallest minor unit. */
const HARMLESS_PIECES = Math.floor(limits.amountMinor / (limits.priceDecimal * 10 ** MOST_MINOR_DIGITS));

export class OrderRules {
  private readonly owners: Pick<Owners, 'product'>;
  private readonly currencies = new Map<ProductId, string>();

  constructor(owners: Pick<Owners, 'product'>) {
    this.owners = owners;
  }

  /** Whether the order needs a check. Most orders need none and do not wait. */
  applyTo({ lines, currency }: OrderContent): boolean {
    return currency !== undefined || lines.length > 1 || pieces(lines) > HARMLESS_PIECES;
  }

  /** @returns the reason why the order can never succeed. */
  async refusal({ content, lineFields }: NormalisedOrder): Promise<Failure | undefined> {
    return (await this.currencyRefusal(content, lineFields)) ?? (await this.totalRefusal(content));
  }

  private async currencyRefusal(
    { lines, currency }: OrderContent,
    fields: readonly string[],
  ): Promise<Failure | undefined> {
    const unknown = lines.filter(({ product }) => !this.currencies.has(product));
    const found = new Map<ProductId, string>();
    if (unknown.length > 0) {
      await Promise.all(
        unknown.map(async ({ product }) => {
          const state = await this.owners.product(product);
          if (!state?.known) return;
          found.set(product, state.currency);
          this.remember(product, state.currency);
        }),
      );
    }
    const soldIn = (product: ProductId) => this.currencies.get(product) ?? found.get(product);
    if (currency !== undefined && !isCurrency(currency) && !lines.some(({ product }) => soldIn(product) === currency)) {
      return unknownCurrency('currency', currency);
    }
    let expected = currency;
    for (const [i, { product }] of lines.entries()) {
      const own = soldIn(product);
      if (own === undefined) continue;
      expected ??= own;
      if (own === expected) continue;
      return currency === undefined
        ? invalidField(
            fields[i] ?? 'items',
            `is sold in ${own}, but the products before it are sold in ${expected}: order them separately`,
          )
        : invalidField('currency', `is ${currency}, but ${product} is sold in ${own}`);
    }
    return undefined;
  }

  private async totalRefusal({ lines }: OrderContent): Promise<Failure | undefined> {
    if (pieces(lines) <= HARMLESS_PIECES) return undefined;
    const products = await Promise.all(lines.map(({ product }) => this.owners.product(product)));
    const total = lines.reduce((sum, { quantity }, i) => sum + quantity * (products[i]?.unitPrice ?? 0), 0);
    // Beyond the limit the sum may be rounded, but never to a value below the limit.
    return total <= limits.amountMinor ? undefined : new Failure(409, 'total_too_large', TOTAL_TOO_LARGE);
  }

  private remember(product: ProductId, currency: string): void {
    if (this.currencies.size >= limits.knownCurrencies) {
      const oldest = this.currencies.keys().next().value;
      if (oldest !== undefined) this.currencies.delete(oldest);
    }
    this.currencies.set(product, currency);
  }
}

function pieces(lines: OrderContent['lines']): number {
  let sum = 0;
  for (const line of lines) sum += line.quantity;
  return sum;
}
