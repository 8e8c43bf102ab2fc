/** The bounded map against a plain one: it may forget, but is never wrong, and keeps recently used entries. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Recent } from '../../../actors/recent-map.js';

const test = suite('recent');
const MOST = 20;

test('for any operations, it answers the last value set or nothing, and stays within its limit', () => {
  const key = fc.integer({ min: 0, max: 12 });
  const weight = fc.integer({ min: 1, max: 12 });
  const step = fc.oneof(
    fc.record({ does: fc.constant('set' as const), key, weight }),
    fc.record({ does: fc.constant('get' as const), key }),
    fc.record({ does: fc.constant('delete' as const), key }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const recent = new Recent<number, { weight: number }>(MOST, (value) => value.weight);
      const plain = new Map<number, { weight: number }>();
      for (const each of steps) {
        if (each.does === 'set') {
          const value = { weight: each.weight };
          recent.set(each.key, value);
          plain.set(each.key, value);
          assert.is(recent.get(each.key), each.weight <= MOST / 2 ? value : undefined);
        } else if (each.does === 'delete') {
          recent.delete(each.key);
          plain.delete(each.key);
          assert.is(recent.get(each.key), undefined);
        } else {
          const found = recent.get(each.key);
          if (found !== undefined) assert.is(found, plain.get(each.key));
        }
      }
      const held = [...plain.keys()].flatMap((each) => recent.get(each)?.weight ?? []);
      assert.ok(held.length === 0 || Math.max(...held) <= MOST / 2);
      assert.ok(held.reduce((sum, each) => sum + each, 0) <= 1.5 * MOST, 'each look may move one generation on');
    }),
  );
});

test('entries within the limit are all kept, and the older half is dropped first', () => {
  const recent = new Recent<number, string>(10);
  for (let i = 0; i < 10; i++) recent.set(i, `${i}`);
  recent.set(10, '10');
  const held = Array.from({ length: 11 }, (_, i) => i).filter((i) => recent.get(i) !== undefined);
  assert.is(recent.get(10), '10');
  assert.not(held.includes(0));
});

test.run();
