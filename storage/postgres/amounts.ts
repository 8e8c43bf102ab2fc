/** Amounts are decimals in Postgres and whole minor units in memory. The conversion works on text, so it is exact. */
import { minorOfText } from '../../actors/money.js';

/** @throws Error when the stored decimal is not an amount of this currency. */
export function minorOf(decimal: string, currency: string): number {
  const minor = minorOfText(decimal, currency);
  if (minor === undefined) {
    throw new Error(`the stored amount ${decimal} is no amount in ${currency || 'an unknown currency'}`);
  }
  return minor;
}
