/** Money is whole minor units: a decimal is printed as it was read, or refused. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  amountText,
  comparable,
  decimalText,
  isCurrency,
  MOST_MINOR_DIGITS,
  minorDigits,
  minorOfText,
  toMinor,
} from '../../../actors/money.js';

const test = suite('money');

/** One each with 2, 0, 3 and 4 digits. */
const CURRENCIES = ['USD', 'JPY', 'KWD', 'CLF'] as const;
const currency = fc.constantFrom(...CURRENCIES);
/** Small amounts, and the largest possible ones. */
const anyMinor = fc.oneof(
  fc.nat({ max: 100_000 }),
  fc.maxSafeInteger().map(Math.abs),
  fc.nat({ max: 100_000 }).map((below) => Number.MAX_SAFE_INTEGER - below),
);

test('cents, yen, fils', () => {
  assert.is(toMinor(19.99, 'USD'), 1999);
  assert.is(toMinor(500, 'JPY'), 500);
  assert.is(toMinor(1.234, 'KWD'), 1234);
  assert.is(toMinor(0.0001, 'CLF'), 1);
  assert.is(toMinor(0, 'USD'), 0);
});

test('a currency that is not in the table has two digits', () => {
  assert.is(minorDigits('XYZ'), 2);
});

test('amounts that binary fractions cannot hold are still exact', () => {
  for (const decimal of [0.07, 0.29, 1.005e2, 4.35, 8.41, 1.15, 64.1, 1_000_000_000.01])
    assert.is(amountText(toMinor(decimal, 'USD') ?? Number.NaN, 'USD'), String(decimal));
});

test('a currency is one of ISO 4217 that has a minor unit', () => {
  for (const code of ['USD', 'EUR', 'JPY', 'KWD', 'CLF', 'XCG', 'VED', 'BGN']) assert.ok(isCurrency(code), code);
  for (const code of ['ERU', 'usd', 'XXX', 'XAU', 'XTS', 'DEM', '', 'constructor']) assert.not(isCurrency(code), code);
  for (const code of ['BIF', 'VND', 'XPF', 'UYI', 'BHD', 'TND', 'UYW']) {
    assert.ok(isCurrency(code), code);
    assert.is.not(minorDigits(code), 2, code);
  }
});

test('large amounts are printed to the last digit', () => {
  assert.is(amountText(7_000_000_000_000_001, 'USD'), '70000000000000.01');
  assert.is(amountText(9_000_000_000_000_001, 'KWD'), '9000000000000.001');
  assert.is(amountText(Number.MAX_SAFE_INTEGER, 'CLF'), '900719925474.0991');
  assert.is(amountText(Number.MAX_SAFE_INTEGER, 'JPY'), '9007199254740991');
});

test('in every currency, over the whole range, a printed amount is read as the same amount', () => {
  fc.assert(
    fc.property(anyMinor, currency, (minor, of) => {
      assert.is(minorOfText(amountText(minor, of), of), minor);
      assert.is(minorOfText(decimalText(minor, of), of), minor);
      assert.is(minorOfText(amountText(-minor, of), of), minor === 0 ? 0 : -minor);
      const digits = minorDigits(of);
      const exact = `${BigInt(minor) / 10n ** BigInt(digits)}`;
      assert.is(decimalText(minor, of).split('.')[0], exact, 'digit by digit');
      assert.is(comparable(decimalText(minor, of)), BigInt(minor) * 10n ** BigInt(MOST_MINOR_DIGITS - digits));
    }),
  );
});

test('an amount that a double holds is printed as JavaScript prints it', () => {
  fc.assert(
    fc.property(fc.nat({ max: 1e13 }), currency, (minor, of) => {
      assert.is(amountText(minor, of), String(minor / 10 ** minorDigits(of)));
      assert.is(toMinor(Number(amountText(minor, of)), of), minor);
    }),
  );
  assert.equal([amountText(8990, 'USD'), decimalText(8990, 'USD')], ['89.9', '89.90']);
});

test('a JSON number is taken exactly, or not at all', () => {
  fc.assert(
    fc.property(anyMinor, currency, (minor, of) => {
      const taken = toMinor(Number(amountText(minor, of)), of);
      assert.ok(taken === minor || taken === undefined, `${amountText(minor, of)} ${of} was taken as ${taken}`);
      if (minor < 1e13) assert.is(taken, minor);
    }),
  );
});

test('more digits than the currency has are refused, also tiny ones', () => {
  for (const decimal of [0.005, 19.999, 10.000001, 10.000000001, 1e-9, 5e-324, 5_700_000_000_000.005])
    assert.is(toMinor(decimal, 'USD'), undefined, String(decimal));
  assert.is(toMinor(0.5, 'JPY'), undefined);
  assert.is(toMinor(1.2345, 'BHD'), undefined);
  assert.equal([minorOfText('19.999', 'USD'), minorOfText('0.5', 'JPY')], [undefined, undefined]);
  assert.equal([minorOfText('19.990', 'USD'), minorOfText('5.000', 'JPY')], [1999, 5], 'zeros are none');
});

test('rounding errors of arithmetic are not digits', () => {
  assert.is(toMinor(0.1 + 0.2, 'USD'), 30);
  assert.is(toMinor(19.99 * 3, 'USD'), 5997);
});

test('text that is no amount, and amounts beyond the safe range, are refused', () => {
  for (const decimal of [Number.NaN, Number.POSITIVE_INFINITY, 1e15, 2 ** 53, -1e300])
    assert.is(toMinor(decimal, 'USD'), undefined, String(decimal));
  for (const text of ['', '.', '1.', '.5', '1e3', '0x1', ' 1', '90071992547409.92', '1,5'])
    assert.is(minorOfText(text, 'USD'), undefined, text);
});

test('a decimal as text is read exactly', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e9 }), fc.integer({ min: 0, max: 99 }), (whole, cents) => {
      const written = `${whole}.${String(cents).padStart(2, '0')}`;
      return toMinor(Number(written), 'USD') === whole * 100 + cents;
    }),
  );
});

test.run();
