/**
 * Numbers that JSON.parse would round, kept as their digits.
 *
 * A double is sure to hold 15 digits, an amount of money may have 16. So a number with a fraction beyond `ROUNDED_FROM`
 * becomes a text of the same digits: where an amount is expected its schema takes it, elsewhere it is no number.
 */

/** Up to here an amount has at most 10 digits before the point and 4 behind it, which a double holds. */
export const ROUNDED_FROM = 1e9;

/** A text, which is left alone, or a number. */
const TEXT_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** @param json that is known to be valid. @returns the same with each such number as text. */
export const withRoundedAsText = (json: string): string =>
  json.replace(TEXT_OR_NUMBER, (token) => {
    if (token.startsWith('"') || Math.abs(Number(token)) <= ROUNDED_FROM) return token;
    const plain = plainDecimal(token);
    return plain !== undefined && AMOUNT.test(plain) ? `"${plain}"` : token;
  });

/** With more digits behind the point it is no amount, but what arithmetic with doubles leaves of one. */
const AMOUNT = /^-?\d{1,16}\.\d{1,4}$/;

const PARTS = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
const FARTHEST = 20;

/** Without its exponent, and without zeros at its end. */
function plainDecimal(number: string): string | undefined {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = PARTS.exec(number) ?? [];
  const shift = Number(exponent);
  if (Math.abs(shift) > FARTHEST) return undefined;
  const digits = (whole + fraction).padEnd(whole.length + shift, '0');
  const point = whole.length + shift;
  if (point <= 0) return undefined; // Below 1.
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`.replace(/\.?0*$/, '');
}
