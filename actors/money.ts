/**
 * Money is a whole number of minor units (cents, yen, fils) of one currency; only the edge and the
 * read model show decimals.
 */

/** Currencies whose minor unit is not a hundredth (ISO 4217). */
const DIGITS: Readonly<Record<string, number>> = {
  BIF: 0,
  CLP: 0,
  DJF: 0,
  GNF: 0,
  ISK: 0,
  JPY: 0,
  KMF: 0,
  KRW: 0,
  PYG: 0,
  RWF: 0,
  UGX: 0,
  UYI: 0,
  VND: 0,
  VUV: 0,
  XAF: 0,
  XOF: 0,
  XPF: 0,
  BHD: 3,
  IQD: 3,
  JOD: 3,
  KWD: 3,
  LYD: 3,
  OMR: 3,
  TND: 3,
  CLF: 4,
  UYW: 4,
};

export const DEFAULT_CURRENCY = 'USD';

/** Digits after the point in amounts of this currency. */
export const minorDigits = (currency: string): number => DIGITS[currency] ?? 2;

/** Minor units as a decimal number, for JSON. */
export function toDecimal(minor: number, currency: string): number {
  const digits = minorDigits(currency);
  return minor / (UNITS[digits] ?? 10 ** digits);
}

/** Made beforehand: a power costs more than the rest of it. */
const UNITS = [1, 10, 100, 1_000, 10_000];

/**
 * A decimal number in minor units; undefined when it has more digits than the currency or leaves the safe
 * range. The last bits, which a client's arithmetic leaves behind (0.1 + 0.2), are no digits.
 */
export function toMinor(decimal: number, currency: string): number | undefined {
  const scaled = decimal * 10 ** minorDigits(currency);
  const minor = Math.round(scaled);
  const isWhole = Math.abs(scaled - minor) <= Math.abs(scaled) * 4 * Number.EPSILON;
  return isWhole && Number.isSafeInteger(minor) ? minor : undefined;
}

/** Minor units as a decimal number's text, so that not a cent is lost. */
export function decimalText(minor: number, currency: string): string {
  const digits = minorDigits(currency);
  if (digits === 0) return String(minor);
  const text = String(Math.abs(minor)).padStart(digits + 1, '0');
  return `${minor < 0 ? '-' : ''}${text.slice(0, -digits)}.${text.slice(-digits)}`;
}
