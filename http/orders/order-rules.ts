/**
 * What is refused before an order is placed because it could never be right: a currency that nobody knows or that is
 * not its products', products of several currencies, and a total beyond what can be counted.
 *
 * A product's currency never changes, so it is asked for once and then known. Products that nobody
 * knows are left to their keeper, who answers with 404.
 */
import type { ProductId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { isCurrency, MOST_MINOR_DIGITS } from '../../actors/money.js';
import type { Owners } from '../../actors/ports/owners.js';
import type { OrderContent } from '../../actors/protocol.js';
import { TOTAL_TOO_LARGE } from '../api/errors.js';
import { Failure, invalidField, unknownCurrency } from '../api/failure.js';
import type { Wish } from './order-content.js';

/** Fewer pieces than this cannot overflow, whatever they cost: price limit times the smallest minor unit. */
const HARMLESS_PIECES = Math.floor(limits.amountMinor / (limits.priceDecimal * 10 ** MOST_MINOR_DIGITS));

export class OrderRules {
  private readonly owners: Pick<Owners, 'product'>;
  private readonly currencies = new Map<ProductId, string>();

  constructor(owners: Pick<Owners, 'product'>) {
    this.owners = owners;
  }

  /** Whether there is anything to look at: for most orders there is not, and they do not wait. */
  concern({ lines, currency }: OrderContent): boolean {
    return currency !== undefined || lines.length > 1 || pieces(lines) > HARMLESS_PIECES;
  }

  /** @returns why the order can never be right. */
  async refusal({ content, lineFields }: Wish): Promise<Failure | undefined> {
    return (await this.currencyRefusal(content, lineFields)) ?? (await this.totalRefusal(content));
  }

  private async currencyRefusal(
    { lines, currency }: OrderContent,
    fields: readonly string[],
  ): Promise<Failure | undefined> {
    const unknown = lines.filter(({ product }) => !this.currencies.has(product));
    const asked = new Map<ProductId, string>();
    if (unknown.length > 0) {
      await Promise.all(
        unknown.map(async ({ product }) => {
          const state = await this.owners.product(product);
          if (!state?.known) return;
          asked.set(product, state.currency);
          this.remember(product, state.currency);
        }),
      );
    }
    const soldIn = (product: ProductId) => this.currencies.get(product) ?? asked.get(product);
    if (currency !== undefined && !isCurrency(currency) && !lines.some(({ product }) => soldIn(product) === currency)) {
      return unknownCurrency('currency', currency);
    }
    let expected = currency;
    for (const [i, { product }] of lines.entries()) {
      const found = soldIn(product);
      if (found === undefined) continue;
      expected ??= found;
      if (found === expected) continue;
      return currency === undefined
        ? invalidField(
            fields[i] ?? 'items',
            `is sold in ${found}, the products before it in ${expected}: order them apart`,
          )
        : invalidField('currency', `is ${currency}, but ${product} is sold in ${found}`);
    }
    return undefined;
  }

  private async totalRefusal({ lines }: OrderContent): Promise<Failure | undefined> {
    if (pieces(lines) <= HARMLESS_PIECES) return undefined;
    const products = await Promise.all(lines.map(({ product }) => this.owners.product(product)));
    const total = lines.reduce((sum, { quantity }, i) => sum + quantity * (products[i]?.unitPrice ?? 0), 0);
    // Past the limit it may be rounded, but never to below it.
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
