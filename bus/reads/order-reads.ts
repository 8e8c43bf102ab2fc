/** Reads orders that have left memory from Postgres. */
import type { OrderId } from '../../actors/ids.js';
import { decidedIn } from '../../actors/order/as-decided.js';
import type { OrderState } from '../../actors/order/order.js';
import type { Queries } from '../../actors/ports/queries.js';
import type { Clock } from '../../actors/ports/runtime.js';
import { Unavailable } from '../../actors/unavailable.js';
import { pause } from '../retry.js';
import type { Told } from './read-cache.js';

/** A read without an answer is repeated for this long. */
const READ_AGAIN_MS = 1_000;

/** Each method rejects with Unavailable. A broken connection deserves a retry; a server that stays away does not. */
export interface StoredOrders {
  /** The order as it is now. */
  order(id: OrderId): Promise<Told<OrderState | undefined>>;
  /** The order as it was when it was decided; undefined if its history has no outcome. */
  decided(id: OrderId): Promise<OrderState | undefined>;
}

export function storedOrders(queries: Pick<Queries, 'order' | 'history'>, clock: Clock): StoredOrders {
  const answered = async <T>(ask: () => Promise<T>): Promise<T> => {
    const lastTryMs = clock.monotonic() + READ_AGAIN_MS;
    for (let attempt = 0; ; attempt++) {
      try {
        return await ask();
      } catch (error) {
        if (error instanceof Unavailable) throw error; // An archive's own word.
        if (clock.monotonic() > lastTryMs) throw new Unavailable(`Postgres did not answer: ${String(error)}`);
        await pause(clock, attempt);
      }
    }
  };
  return {
    async order(id) {
      const state = await answered(() => queries.order(id));
      return { version: state?.version ?? 0, value: state };
    },
    decided: async (id) => decidedIn(id, await answered(() => queries.history(id))),
  };
}
