/** Whether a repeat has the same content as its order, or other content. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { userId } from '../../../actors/ids.js';
import { sameContent } from '../../../actors/order/content-equality.js';
import type { OrderContent } from '../../../actors/protocol.js';
import { A, B, C, contentOf } from './samples.js';

const test = suite('same content');
const ADDRESS = { street: 'Main St 1', geo: { lat: 1, lon: [2, 3] } };
const FULL = contentOf({
  currency: 'USD',
  email: 'a@b.c',
  notes: 'ring twice',
  paymentMethod: 'card',
  shippingAddress: ADDRESS,
  billingAddress: 'the same',
});

const same = (again: OrderContent, content = FULL, currency?: string) =>
  sameContent({ content, ...(currency === undefined ? {} : { currency }) }, again);
const withoutCurrency = ({ currency: _, ...rest }: OrderContent): OrderContent => rest;

test('the same content is equal', () => {
  assert.ok(same(structuredClone(FULL)));
});

test('a NUL equals the character that Postgres stores for it', () => {
  const stored = { ...FULL, notes: 'a\ufffdb' };
  assert.ok(same({ ...FULL, notes: 'a\u0000b' }, stored));
  assert.not(same({ ...FULL, notes: 'a b' }, stored));
});

test('the order of lines does not matter', () => {
  assert.ok(same({ ...FULL, lines: [...FULL.lines].reverse() }));
});

test("the order of an address's fields does not matter", () => {
  assert.ok(same({ ...FULL, shippingAddress: { geo: { lon: [2, 3], lat: 1 }, street: 'Main St 1' } }));
});

test('a user is equal as a number and as text', () => {
  assert.ok(same({ ...FULL, userIsNumber: true }));
});

test('the currency may be left out in the repeat', () => {
  assert.ok(same(withoutCurrency(FULL)));
});

test('the repeat may name the currency that the order got', () => {
  assert.ok(same({ ...FULL, currency: 'USD' }, withoutCurrency(FULL), 'USD'));
  assert.not(same({ ...FULL, currency: 'EUR' }, withoutCurrency(FULL), 'USD'));
  assert.not(same({ ...FULL, currency: 'EUR' }));
});

const others: { readonly [what: string]: OrderContent } = {
  'another user': { ...FULL, user: userId('bob') },
  'another quantity': {
    ...FULL,
    lines: [
      { product: A, quantity: 2 },
      { product: B, quantity: 2 },
    ],
  },
  'another product': {
    ...FULL,
    lines: [
      { product: A, quantity: 2 },
      { product: C, quantity: 1 },
    ],
  },
  'a line less': { ...FULL, lines: FULL.lines.slice(1) },
  'a line more': { ...FULL, lines: [...FULL.lines, { product: C, quantity: 1 }] },
  'another address': { ...FULL, shippingAddress: { ...ADDRESS, street: 'Main St 2' } },
  'an address with a field more': { ...FULL, shippingAddress: { ...ADDRESS, zip: '1' } },
  'an address with a field less': { ...FULL, shippingAddress: { street: 'Main St 1' } },
  'an address whose list is turned round': { ...FULL, shippingAddress: { ...ADDRESS, geo: { lat: 1, lon: [3, 2] } } },
  'an address as text': { ...FULL, shippingAddress: JSON.stringify(ADDRESS) },
  'an address with an object for a list': {
    ...FULL,
    shippingAddress: { ...ADDRESS, geo: { lat: 1, lon: { 0: 2, 1: 3 } } },
  },
  'no billing address': contentOf({ ...FULL, billingAddress: null }),
  'other notes': { ...FULL, notes: 'ring once' },
  'another e-mail': { ...FULL, email: 'x@b.c' },
  'another way to pay': { ...FULL, paymentMethod: 'invoice' },
};

for (const [what, again] of Object.entries(others)) {
  test(`${what}: another order`, () => assert.not(same(again)));
}

test('a field named __proto__ or constructor is a field like any other', () => {
  const odd = (text: string): OrderContent => ({ ...FULL, shippingAddress: JSON.parse(text) });
  assert.ok(same(odd('{"__proto__":{"a":1}}'), odd('{"__proto__":{"a":1}}')));
  assert.not(same(odd('{"__proto__":{"a":1}}'), odd('{"__proto__":{"a":2}}')));
  assert.not(same(odd('{"constructor":1}'), odd('{"toString":1}')));
});

test.run();
