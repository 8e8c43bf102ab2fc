/** Ids: their form, and the partition of an actor. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { crockford128, fnv1a32, isOurOrderId, partitionOf } from '../../../actors/ids.js';

const test = suite('ids');

test('FNV-1a gives the published values', () => {
  assert.is(fnv1a32(''), 0x811c9dc5);
  assert.is(fnv1a32('a'), 0xe40c292c);
  assert.is(fnv1a32('foobar'), 0xbf9cf968);
});

test('a code unit above one byte counts with both its bytes', () => {
  assert.is(fnv1a32('\u3661'), fnv1a32('a6'));
  assert.is.not(fnv1a32('\u3661'), fnv1a32('a'));
});

test('the partitions of known ids never change', () => {
  const where = (kind: 'order' | 'product', id: string) => partitionOf(kind, id, 16);
  assert.equal(
    ['PROD-001', 'PROD-002', 'PROD-003', 'PROD-004', 'PROD-005'].map((id) => where('product', id)),
    [2, 15, 12, 9, 6],
  );
  assert.equal([where('order', 'ORD-1'), where('order', 'é😀'), where('order', '')], [1, 4, 8]);
});

test('an order and a product with the same name are two actors', () => {
  assert.is.not(fnv1a32('order/X'), fnv1a32('product/X'));
});

test('every id has a partition of the system, with any content', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 256 }), (id, partitions) => {
      const partition = partitionOf('order', id, partitions);
      return Number.isInteger(partition) && partition >= 0 && partition < partitions;
    }),
  );
});

test('orders spread over the partitions', () => {
  const counts = new Array<number>(16).fill(0);
  for (let i = 0; i < 16_000; i++) {
    const partition = partitionOf('order', `ORD-${i}`, 16);
    counts[partition] = (counts[partition] ?? 0) + 1;
  }
  assert.ok(Math.min(...counts) > 700 && Math.max(...counts) < 1_300, counts.join(' '));
});

test('128 bits are written as a ULID writes them', () => {
  assert.is(crockford128(new Uint8Array(16)), '0'.repeat(26));
  assert.is(crockford128(new Uint8Array(16).fill(255)), `7${'Z'.repeat(25)}`);
  assert.is(crockford128(Uint8Array.from({ length: 16 }, (_, i) => i)), '00041061050R3GG28A1C60T3GF');
});

const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 });

test('texts of 128 bits sort like their bytes and lose none', () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      const order = Math.sign(Buffer.compare(a, b));
      const [x, y] = [crockford128(a), crockford128(b)];
      return order === (x < y ? -1 : x > y ? 1 : 0);
    }),
  );
});

test('an id that Holdfast drew is recognized by its form', () => {
  fc.assert(fc.property(bytes, (b) => isOurOrderId(`ORD-${crockford128(b)}`)));
  for (const text of ['', 'ORD-1', `ORD-8${'0'.repeat(25)}`, `ORD-${'U'.repeat(26)}`, `ord-${'0'.repeat(26)}`])
    assert.not(isOurOrderId(text), text);
  assert.not(isOurOrderId(`ORD-${'0'.repeat(26)}\n`));
});

test.run();
