/**
 * Keeps the digits of numbers that JSON.parse would round.
 *
 * A double holds at least 15 digits, but an amount of money may have 16. So a number with a fraction above `ROUNDED_FROM`
 * becomes text with the same digits. The schema of an amount accepts that text; other schemas refuse it.
 */

/** Up to here an amount has at most 10 digits before the point and 4 after it, which a double holds. */
export const ROUNDED_FROM = 1e9;

/** A string, which is kept, or a number. */
const TEXT_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** @param json known to be valid. @returns the same JSON with each such number as text. */
export const withRoundedAsText = (json: string): string =>
  json.replace(TEXT_OR_NUMBER, (token) => {
    if (token.startsWith('"') || Math.abs(Number(token)) <= ROUNDED_FROM) return token;
    const plain = plainDecimal(token);
    return plain !== undefined && AMOUNT.test(plain) ? `"${plain}"` : token;
  });

/** More digits after the point are not an amount, but the rounding error of arithmetic with doubles. */
const AMOUNT = /^-?\d{1,16}\.\d{1,4}$/;

const PARTS = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
const FARTHEST = 20;

/** The number without exponent and trailing zeros. */
function plainDecimal(number: string): string | undefined {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = PARTS.exec(number) ?? [];
  const shift = Number(exponent);
  if (Math.abs(shift) > FARTHEST) return undefined;
  const digits = (whole + fraction).padEnd(whole.length + shift, '0');
  const point = whole.length + shift;
  if (point <= 0) return undefined; // Below 1.
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`.replace(/\.?0*$/, '');
}
