/** The ids of stored orders are read page by page. The filter is trusted once all were read, and not before. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type OrderId, orderId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import { StoredOrders } from '../../../actors/node/stored-orders.js';
import type { Clock } from '../../../actors/ports/runtime.js';
import { readStoredOrderIds } from '../../../bus/node/stored-order-ids.js';

const test = suite('stored order ids');

const PARTITIONS = 4;
const idsOf = (count: number): OrderId[] =>
  Array.from({ length: count }, (_, i) => orderId(`ORD-${String(i).padStart(6, '0')}`));
const NEVER_STORED = orderId('ORD-NEVER');

/** A reading whose time passes only in its rests; `answer` may fail, or look at what has been read. */
function reading(stored: readonly OrderId[], answer: (call: number, after: string) => void = () => {}) {
  let nowMs = 0;
  let calls = 0;
  const [rests, warnings]: [number[], string[]] = [[], []];
  const clock: Clock = {
    now: () => nowMs,
    monotonic: () => nowMs,
    after(delayMs, run) {
      rests.push(delayMs);
      nowMs += delayMs;
      setImmediate(run);
      return () => {};
    },
    soon: (run) => void setImmediate(run),
    id: () => '',
    random: () => 0.5,
  };
  const filter = new StoredOrders(PARTITIONS);
  for (let partition = 0; partition < PARTITIONS; partition++) filter.join(partition);
  const state = { stopped: false };
  const run = () =>
    readStoredOrderIds({
      node: { storedOrders: filter },
      snapshots: {
        async orderIdsAfter(after, most) {
          answer(++calls, after);
          nowMs += 10;
          return stored.filter((id) => id > after).slice(0, most);
        },
      },
      clock,
      logger: { debug: () => {}, info: () => {}, warn: (_, line) => void warnings.push(line), error: () => {} },
      stopped: () => state.stopped,
    });
  return { run, filter, state, rests, warnings, calls: () => calls };
}

for (const count of [0, 1, limits.storedOrdersPage, limits.storedOrdersPage + 1, 2 * limits.storedOrdersPage]) {
  test(`${count} ids: each is a "maybe" afterwards, and one that was never stored is not`, async () => {
    const stored = idsOf(count);
    const { run, filter } = reading(stored, () => assert.is(filter.mayHave(NEVER_STORED), true));
    await run();
    assert.ok(stored.every((id) => filter.mayHave(id)));
    assert.is(filter.mayHave(NEVER_STORED), false);
  });
}

test('stopped between two pages, the filter says "maybe" to everything', async () => {
  const { run, filter, state, calls } = reading(idsOf(3 * limits.storedOrdersPage), () => {
    state.stopped = true;
  });
  await run();
  assert.is(calls(), 1);
  assert.is(filter.mayHave(NEVER_STORED), true);
});

test('an outage is told, not once a try, and the reading goes on where it was; the rest after it is short', async () => {
  const { run, filter, warnings, rests } = reading(idsOf(limits.storedOrdersPage + 5), (call, after) => {
    if (call < 2 || call > 26) return;
    assert.is(after, idsOf(limits.storedOrdersPage).at(-1), 'the same page again');
    throw new Error('Postgres is away');
  });
  await run();
  assert.is(filter.mayHave(NEVER_STORED), false);
  assert.is(warnings.length, 3);
  assert.ok(
    rests.every((ms) => ms <= 1_000),
    String(rests),
  );
});

test.run();
