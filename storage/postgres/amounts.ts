/** Amounts are decimals in Postgres and whole minor units inside; turned as text, so that not a cent is lost. */
import { minorOfText } from '../../actors/money.js';

/** @throws Error when the column holds what this currency cannot show. */
export function minorOf(decimal: string, currency: string): number {
  const minor = minorOfText(decimal, currency);
  if (minor === undefined) {
    throw new Error(`the stored amount ${decimal} is no amount in ${currency || 'an unknown currency'}`);
  }
  return minor;
}
