/** Amounts are decimals in Postgres and whole minor units inside; turned as text, so that not a cent is lost. */
import { minorDigits } from '../../actors/money.js';

/** @throws Error when the column holds what this currency cannot show. */
export function minorOf(decimal: string, currency: string): number {
  const digits = minorDigits(currency);
  const [whole = '', fraction = ''] = decimal.split('.');
  const minor = Number(whole + fraction.slice(0, digits).padEnd(digits, '0'));
  if (!Number.isSafeInteger(minor) || /[1-9]/.test(fraction.slice(digits))) {
    throw new Error(`the stored amount ${decimal} is no amount in ${currency || 'an unknown currency'}`);
  }
  return minor;
}
