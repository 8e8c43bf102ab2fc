/** The words of a text: one folding for every way to write it. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { orderWords, wordsOf } from '../../../actors/search-words.js';

const test = suite('the words of a text');

const MOST = 0x10ffff;
function* everyCharacter(): Generator<string> {
  for (let code = 0; code <= MOST; code++) if (code < 0xd800 || code > 0xdfff) yield String.fromCodePoint(code);
}

test('a letter is equal in upper and lower case, composed and decomposed, for every letter', () => {
  for (const character of everyCharacter()) {
    const words = wordsOf(character);
    for (const other of [
      character.toUpperCase(),
      character.toLowerCase(),
      character.normalize('NFD'),
      character.normalize('NFKC'),
      character.normalize('NFKD').toUpperCase(),
      words.join(' '),
    ]) {
      if (other === character) continue;
      const code = character.codePointAt(0)?.toString(16);
      assert.equal(wordsOf(other), words, `U+${code} ${character} as ${other}`);
    }
  }
});

test('every character that is no letter, digit or mark separates words', () => {
  const sign = /[^\p{L}\p{N}\p{M}]/u;
  for (const character of everyCharacter()) {
    if (!sign.test(character)) continue;
    const words = wordsOf(`left${character}right`);
    assert.equal([words[0], words.at(-1)], ['left', 'right'], `U+${character.codePointAt(0)?.toString(16)}`);
  }
});

test('texts that people read as equal have the same words', () => {
  for (const [one, other] of [
    ['Straße', 'STRASSE'],
    ['STRAẞE', 'strasse'],
    ['ΟΔΟΣ', 'οδός'],
    ['Σίσυφος', 'ΣΊΣΥΦΟΣ'],
    ['José'.normalize('NFC'), 'JOSÉ'.normalize('NFD')],
    ['José', 'jose'],
    ['Łódź Ærø', 'lodz ærø'],
    ['İstanbul ISPARTA ılıca', 'istanbul isparta ilica'],
    ['ﬁve ½ ①', 'five 1 2 1'],
    ['ｆｕｌｌ', 'full'],
    ['ガス', 'ｶﾞｽ'],
    ['شَارِع', 'شارع'],
    ['Ёлка', 'елка'],
    ['5️⃣', '5'],
    ['\ufeffBerlin', 'berlin'],
  ] as const) {
    assert.equal(wordsOf(one), wordsOf(other), `${one} and ${other}`);
  }
  assert.equal(wordsOf('3×4 a،b Berlin→Oslo コーヒー・紅茶 בית־ספר №7 Foo™'), [
    ...['3', '4', 'a', 'b', 'berlin', 'oslo', 'コーヒー', '紅茶', 'בית', 'ספר', 'no', '7', 'foo', 'tm'],
  ]);
  for (const [one, other] of [
    ['ガス', 'カス'],
    ['कि', 'का'],
    ['bär', 'bar1'],
  ] as const) {
    assert.not.equal(wordsOf(one), wordsOf(other));
  }
});

test('any text has the words of its composed and decomposed form, each short and none empty', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.string());
  fc.assert(
    fc.property(text, (text) => {
      const words = wordsOf(text);
      assert.equal(wordsOf(text.normalize('NFD')), words);
      assert.equal(wordsOf(text.normalize('NFC')), words);
      assert.equal(wordsOf(words.join('+')), words);
      assert.ok(
        words.every((word) => word !== '' && Array.from(word).length <= 64 && /^[\p{L}\p{N}\p{M}]+$/u.test(word)),
      );
    }),
    { numRuns: 2_000 },
  );
  assert.equal(wordsOf(`${'😀'.repeat(9)}${'ß'.repeat(99)}`), ['s'.repeat(64)]);
});

test('an order has the words of its values, and not of its field names', () => {
  const words = orderWords({
    id: 'ORD-1',
    user: 'ada',
    email: undefined,
    shippingAddress: { street: ['Elm "Tree"\n', { more: 5 }], none: null, sure: true },
    billingAddress: 'Öland',
    notes: undefined,
    products: [
      ['P-9', 'Chair'],
      ['Q', undefined],
    ],
  });
  assert.equal([...words], ['ord', '1', 'ada', 'elm', 'tree', '5', 'true', 'oland', 'p', '9', 'q', 'chair']);
});

test.run();
