// The contract of receipts' keys, for every implementation: a key is the first receipt's.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { writeId } from '../../actors/ids.js';
import type { ReceiptKeys } from '../../actors/ports/receipt-keys.js';

const AT_ONCE = 20;

/** @param others the same keys as other nodes see them */
export function receiptKeysContract(
  name: string,
  keys: ReceiptKeys,
  others: readonly ReceiptKeys[] = [],
  after: () => Promise<void> = async () => {},
): void {
  const test = suite(`receipt keys contract: ${name}`);

  test('the first receipt has its key, and each repeat of it', async () => {
    const ref = writeId('WR-first');
    assert.is(await keys.take(ref, 'one'), 'one');
    assert.is(await keys.take(ref, 'two'), 'one');
    assert.is(await keys.take(ref, 'one'), 'one');
    assert.is(await keys.take(writeId('WR-second'), 'two'), 'two');
  });

  test('of many receipts at once one has the key, and all hear which', async () => {
    const nodes = [keys, ...others];
    const heard = await Promise.all(
      Array.from({ length: AT_ONCE }, (_, i) => nodes[i % nodes.length]?.take(writeId('WR-many'), `body ${i}`)),
    );
    assert.is(new Set(heard).size, 1, heard.join(', '));
    assert.match(String(heard[0]), /^body \d+$/);
  });

  test.after(after);
  test.run();
}
