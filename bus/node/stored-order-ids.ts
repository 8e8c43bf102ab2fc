/**
 * Reads the ids of all stored orders into the node's filter while the node serves. Until it has read them all, the node
 * looks up every id that is not in memory. It rests after each page, so that no request waits for it.
 */

import { limits } from '../../actors/limits.js';
import type { Node } from '../../actors/node/node.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';
import { untilAnswered } from '../retry.js';

/** It rests three times as long as a page took, so it reads a quarter of the time. */
const RESTS = 3;

/** Rejects when it is stopped while Postgres does not answer. */
export async function readStoredOrderIds(
  { storedOrders }: Pick<Node, 'storedOrders'>,
  snapshots: Snapshots,
  clock: Clock,
  logger: Logger,
  stopped: () => boolean,
): Promise<void> {
  const began = clock.monotonic();
  const reading = storedOrders.begin();
  const most = limits.storedOrdersPage;
  let count = 0;
  for (let after = ''; !stopped(); ) {
    const since = clock.monotonic();
    const ids = await untilAnswered(clock, stopped, () => snapshots.orderIdsAfter(after, most));
    storedOrders.addStored(ids);
    count += ids.length;
    const last = ids.at(-1);
    if (last === undefined || ids.length < most) {
      storedOrders.complete(reading);
      logger.debug({ orders: count, tookMs: clock.monotonic() - began }, 'the ids of stored orders are known');
      return;
    }
    after = last;
    const restMs = RESTS * (clock.monotonic() - since);
    await new Promise<void>((resolve) => void clock.after(restMs, resolve));
  }
}
