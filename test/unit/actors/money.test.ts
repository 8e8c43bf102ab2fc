/** Money is whole minor units: what comes in as a decimal goes out as the same one, or is refused. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { minorDigits, toDecimal, toMinor } from '../../../actors/money.js';

const test = suite('money');

test('cents, yen, fils', () => {
  assert.is(toMinor(19.99, 'USD'), 1999);
  assert.is(toMinor(500, 'JPY'), 500);
  assert.is(toMinor(1.234, 'KWD'), 1234);
  assert.is(toMinor(0.0001, 'CLF'), 1);
  assert.is(toMinor(0, 'USD'), 0);
});

test('a currency that is not in the table has hundredths', () => {
  assert.is(minorDigits('XYZ'), 2);
});

test('amounts that binary fractions cannot hold are still exact', () => {
  for (const decimal of [0.07, 0.29, 1.005e2, 4.35, 8.41, 1.15, 64.1, 1_000_000_000.01])
    assert.is(toDecimal(toMinor(decimal, 'USD') ?? Number.NaN, 'USD'), decimal);
});

test('more digits than the currency has are refused, also when they are small', () => {
  for (const decimal of [0.005, 19.999, 10.000001, 10.000000001, 1e-9, 5e-324])
    assert.is(toMinor(decimal, 'USD'), undefined, String(decimal));
  assert.is(toMinor(0.5, 'JPY'), undefined);
  assert.is(toMinor(1.2345, 'BHD'), undefined);
});

test('the last bits that arithmetic leaves behind are no digits', () => {
  assert.is(toMinor(0.1 + 0.2, 'USD'), 30);
  assert.is(toMinor(19.99 * 3, 'USD'), 5997);
});

test('what is no amount, or leaves the safe range, is refused', () => {
  for (const decimal of [Number.NaN, Number.POSITIVE_INFINITY, 1e15, 2 ** 53, -1e300])
    assert.is(toMinor(decimal, 'USD'), undefined, String(decimal));
});

test('every amount goes out as it came in, in every currency', () => {
  const currency = fc.constantFrom('USD', 'JPY', 'KWD', 'CLF');
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1e13 }),
      currency,
      (minor, of) => toMinor(toDecimal(minor, of), of) === minor,
    ),
  );
});

test('a decimal as a person writes it is taken at its word', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e9 }), fc.integer({ min: 0, max: 99 }), (whole, cents) => {
      const written = `${whole}.${String(cents).padStart(2, '0')}`;
      return toMinor(Number(written), 'USD') === whole * 100 + cents;
    }),
  );
});

test.run();
