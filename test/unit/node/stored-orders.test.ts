/** The filter over stored orders: never "certainly not" for a stored one, and seldom "maybe" for a new one. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { crockford128, orderId, partitionOf } from '../../../actors/ids.js';
import { StoredOrders } from '../../../actors/node/stored-orders.js';

const test = suite('stored orders');

function joined(partitions: number, bytes?: number): StoredOrders {
  const stored = new StoredOrders(partitions, bytes);
  for (let partition = 0; partition < partitions; partition++) stored.join(partition);
  return stored;
}

function completed(partitions: number, bytes?: number): StoredOrders {
  const stored = joined(partitions, bytes);
  stored.complete(stored.begin());
  return stored;
}

/** Like ids of keyed orders: one says nothing about the next. */
const drawn = (i: number) => {
  const bytes = Uint8Array.from({ length: 16 }, (_, at) => Math.imul(i + 1, 0x9e3779b1 + 2 * at) >>> (at % 24));
  return orderId(`ORD-${crockford128(bytes)}-${i}`);
};

test('an added id is never "certainly not", for any id and any fill of the filter', () => {
  fc.assert(
    fc.property(fc.array(fc.string()), fc.constantFrom(1, 3, 16), fc.constantFrom(16, 200, 4_096), (ids, p, bytes) => {
      const stored = completed(p, bytes);
      stored.addStored(ids.filter((_, i) => i % 2 === 0).map(orderId));
      for (const id of ids.filter((_, i) => i % 2 === 1)) stored.left(orderId(id));
      return ids.every((id) => stored.mayHave(orderId(id)));
    }),
  );
});

test('with 100,000 stored orders a new one is a "maybe" in less than 1 of 100', () => {
  const stored = completed(16);
  for (let i = 0; i < 100_000; i++) stored.left(drawn(i));
  let maybe = 0;
  for (let i = 100_000; i < 200_000; i++) if (stored.mayHave(drawn(i))) maybe++;
  assert.ok(maybe < 1_000, `${maybe} of 100,000`);
  for (let i = 0; i < 100_000; i++) assert.ok(stored.mayHave(drawn(i)), drawn(i));
});

test('a filter at its memory limit accepts more ids, and says "maybe" more often', () => {
  const stored = completed(1, 4_096);
  for (let i = 0; i < 50_000; i++) stored.left(drawn(i));
  for (let i = 0; i < 50_000; i++) assert.ok(stored.mayHave(drawn(i)), drawn(i));
  let maybe = 0;
  for (let i = 50_000; i < 60_000; i++) if (stored.mayHave(drawn(i))) maybe++;
  assert.ok(maybe > 9_000, `${maybe} of 10,000`);
});

test('until a partition is complete, and after it is joined again, every id is a "maybe"', () => {
  const [id, partitions] = [orderId('ORD-1'), 4];
  const partition = partitionOf('order', id, partitions);
  const stored = joined(partitions);
  const reading = stored.begin();
  assert.is(stored.mayHave(id), true);
  stored.complete(new Map([...reading].filter(([other]) => other !== partition)));
  assert.is(stored.mayHave(id), true);
  stored.complete(reading);
  assert.is(stored.mayHave(id), false);
  stored.join(partition);
  stored.complete(reading); // It was read for an earlier join of the partition: too late.
  assert.is(stored.mayHave(id), true);
});

test.run();
