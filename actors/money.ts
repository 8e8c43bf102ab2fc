/**
 * Money is a whole number of minor units (cents, yen, fils) of one currency. Only the edge and the read model show
 * decimals.
 *
 * Law: a decimal is a text, made from the integer and read back into it digit by digit. A double certainly holds only 15
 * digits of a decimal, and an amount may have 16.
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

/**
 * The currencies of ISO 4217 that have a minor unit, as of 2025. A code that ISO withdraws stays in the list, because
 * products are sold in it. `Intl` is no source: it lacks some codes (CLF, UYW), has withdrawn ones, and differs by
 * Node's version.
 */
const CURRENCIES: ReadonlySet<string> = new Set(
  `
  AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN
  BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD
  FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR
  KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV
  MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG
  SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI
  UYU UYW UZS VED VES VND VUV WST XAD XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
`
    .trim()
    .split(/\s+/),
);

export const isCurrency = (code: string): boolean => CURRENCIES.has(code);

export const DEFAULT_CURRENCY = 'USD';

/** The most digits after the point in any currency. */
export const MOST_MINOR_DIGITS = 4;

/** Digits after the point in amounts of this currency. */
export const minorDigits = (currency: string): number => DIGITS[currency] ?? 2;

/** Powers of ten, computed beforehand: a power costs more than the rest of the conversion. */
const UNITS: readonly number[] = [1, 10, 100, 1_000, 10_000];

/** Minor units as a JSON number, in JavaScript's form: 1990 cents are 19.9. */
export function amountText(minor: number, currency: string): string {
  if (minor < 0) return `-${amountText(-minor, currency)}`;
  const digits = minorDigits(currency);
  const unit = UNITS[digits] ?? 1;
  const rest = minor % unit;
  if (rest === 0) return `${minor / unit}`;
  return `${(minor - rest) / unit}.${digits === 2 ? HUNDREDTHS[rest] : fractionText(rest, unit)}`;
}

/** The digits of rest / unit after the point, without zeros at the end. */
const fractionText = (rest: number, unit: number): string => `${unit + rest}`.slice(1).replace(/0+$/, '');

/** Computed beforehand: most currencies have hundredths. */
const HUNDREDTHS: readonly string[] = Array.from({ length: 100 }, (_, rest) => fractionText(rest, 100));

/** Minor units as a decimal with all digits of the currency, for stores and providers: 19.90. */
export function decimalText(minor: number, currency: string): string {
  const digits = minorDigits(currency);
  if (digits === 0) return String(minor);
  const text = String(Math.abs(minor)).padStart(digits + 1, '0');
  return `${minor < 0 ? '-' : ''}${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

/** A sum of minor units as a JSON number. It may have more digits than a double holds. */
export function sumText(minor: bigint, currency: string): string {
  if (minor < 0n) return `-${sumText(-minor, currency)}`;
  const unit = UNITS[minorDigits(currency)] ?? 1;
  const [whole, rest] = [minor / BigInt(unit), Number(minor % BigInt(unit))];
  return rest === 0 ? `${whole}` : `${whole}.${fractionText(rest, unit)}`;
}

/** Reads a sum as a store has it: a decimal with at most the digits of its currency. */
export function minorOfSum(decimal: string, currency: string): bigint {
  const [whole = '', fraction = ''] = decimal.split('.');
  const digits = minorDigits(currency);
  return BigInt(whole + fraction.slice(0, digits).padEnd(digits, '0'));
}

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/;

/** Reads both forms back. Undefined when the text is no decimal, has too many digits, or leaves the safe range. */
export function minorOfText(decimal: string, currency: string): number | undefined {
  const [, sign, whole = '', fraction = ''] = DECIMAL.exec(decimal) ?? [];
  const digits = minorDigits(currency);
  if (sign === undefined || /[1-9]/.test(fraction.slice(digits))) return undefined;
  const minor = Number(whole + fraction.slice(0, digits).padEnd(digits, '0'));
  if (!Number.isSafeInteger(minor)) return undefined;
  return sign === '-' && minor > 0 ? -minor : minor;
}

/**
 * A JSON number as minor units. Undefined when it has more digits than the currency, or more than a double certainly
 * holds. An error in the last bits from a client's arithmetic (0.1 + 0.2) does not count as digits.
 */
export function toMinor(decimal: number, currency: string): number | undefined {
  const scaled = decimal * (UNITS[minorDigits(currency)] ?? 1);
  const minor = Math.round(scaled);
  const lastBits = Number.isInteger(decimal) ? 0 : Math.min(Math.abs(scaled) * 4 * Number.EPSILON, MOST_LAST_BITS);
  return Math.abs(scaled - minor) <= lastBits && isSure(decimal, minor) ? minor : undefined;
}

/** The largest error that counts as last bits, as a part of a minor unit. */
const MOST_LAST_BITS = 0.01;
const SURE = 1e15;

const isSure = (decimal: number, minor: number): boolean =>
  Number.isSafeInteger(minor) && (Number.isInteger(decimal) || Math.abs(minor) < SURE);

/** A decimal of at most MOST_MINOR_DIGITS as a whole number, so decimals of different currencies compare. */
export function comparable(decimal: string): bigint {
  const [whole = '', fraction = ''] = decimal.split('.');
  return BigInt(whole + fraction.padEnd(MOST_MINOR_DIGITS, '0'));
}
