/** Orders without a key: their ids are drawn into the partition of their first product. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { crockford128, isOurOrderId, partitionOf, productId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import { systemClock } from '../../../bus/system-clock.js';
import { drawingFor } from '../../../http/orders/drawn-ids.js';

const test = suite('drawn ids');
const clock = systemClock();
const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 });
const place = fc
  .integer({ min: 1, max: limits.partitions })
  .chain((partitions) =>
    fc.record({ partitions: fc.constant(partitions), partition: fc.integer({ min: 0, max: partitions - 1 }) }),
  );

test('every drawn id falls into its partition, for any number of partitions', () => {
  fc.assert(
    fc.property(bytes, place, (drawn, { partition, partitions }) => {
      const id = drawingFor(partitions)(partition, crockford128(drawn));
      assert.is(partitionOf('order', id, partitions), partition, `${id} of ${partitions}`);
      assert.ok(isOurOrderId(id), id);
    }),
    { numRuns: 2_000 },
  );
});

test('every partition can be reached from every start, also where ids differ in nothing but their last characters', () => {
  for (const partitions of [1, 2, 3, 16, 17, 403, 806, 1_000, limits.partitions]) {
    const draw = drawingFor(partitions);
    for (const drawn of ['0'.repeat(26), `0${'Z'.repeat(25)}`, '53QQAPGM879Q80N2BVBXBDM4J5', clock.id()]) {
      for (let partition = 0; partition < partitions; partition++) {
        assert.is(partitionOf('order', draw(partition, drawn), partitions), partition);
      }
    }
  }
});

test('a drawn id keeps the time and all but the last four random characters', () => {
  const drawn = clock.id();
  const id = drawingFor(16)(partitionOf('product', productId('PROD-001'), 16), drawn);
  assert.is(id.slice(0, -4), `ORD-${drawn.slice(0, -4)}`);
  assert.match(id, /^ORD-0[0-9A-HJKMNP-TV-Z]{25}$/);
});

test('a million ids of one partition are all different, and their last characters are spread', () => {
  const draw = drawingFor(16);
  const ids = new Set<string>();
  const ends = new Map<string, number>();
  for (let i = 0; i < 1_000_000; i++) {
    const id = draw(7, clock.id());
    ids.add(id);
    ends.set(id.slice(-1), (ends.get(id.slice(-1)) ?? 0) + 1);
  }
  assert.is(ids.size, 1_000_000);
  assert.is(ends.size, 32);
  assert.ok(Math.max(...ends.values()) < 8 * Math.min(...ends.values()), JSON.stringify([...ends]));
});

test.run();
