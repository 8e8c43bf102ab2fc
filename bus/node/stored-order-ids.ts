/**
 * Reads the ids of all stored orders into the node's filter, beside service. Until the reading is complete, the node looks up
 * every id that is not in memory. One page is read at a time, with a rest after it, so that nobody waits for the reading.
 */
import { limits } from '../../actors/limits.js';
import type { Node } from '../../actors/node/node.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';
import { pause } from '../retry.js';

/** The reading takes a quarter of the time. */
const RESTS = 3;
const LONGEST_REST_MS = 1_000;
/** An outage is told once in so many failures. */
const TOLD_EVERY = 10;

interface Reading {
  readonly node: Pick<Node, 'storedOrders'>;
  readonly snapshots: Pick<Snapshots, 'orderIdsAfter'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends the reading before it is complete. */
  readonly stopped: () => boolean;
}

/** Tries until every id was read, or until it was stopped. */
export async function readStoredOrderIds({ node, snapshots, clock, logger, stopped }: Reading): Promise<void> {
  const { storedOrders } = node;
  const began = clock.monotonic();
  const reading = storedOrders.begin();
  const most = limits.storedOrdersPage;
  let count = 0;
  let failures = 0;
  for (let after = ''; !stopped(); ) {
    const since = clock.monotonic();
    const ids = await snapshots.orderIdsAfter(after, most).catch((error: unknown) => {
      if (failures++ % TOLD_EVERY === 0) {
        const fields = { failures, cause: String(error) };
        logger.warn(fields, 'the ids of stored orders cannot be read: keyed orders are looked up meanwhile');
      }
    });
    if (ids === undefined) {
      await pause(clock, failures);
      continue;
    }
    failures = 0;
    storedOrders.addStored(ids);
    count += ids.length;
    const last = ids.at(-1);
    if (last === undefined || ids.length < most) {
      storedOrders.complete(reading);
      logger.debug({ orders: count, tookMs: clock.monotonic() - began }, 'the ids of stored orders are known');
      return;
    }
    after = last;
    const restMs = Math.min(LONGEST_REST_MS, RESTS * (clock.monotonic() - since));
    await new Promise<void>((resolve) => void clock.after(restMs, resolve));
  }
}
