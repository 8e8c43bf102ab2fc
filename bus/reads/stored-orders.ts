/** Orders that have left memory, as Postgres has them. */
import type { OrderId } from '../../actors/ids.js';
import { decidedIn } from '../../actors/order/as-decided.js';
import type { OrderState } from '../../actors/order/order.js';
import type { Queries } from '../../actors/ports/queries.js';
import type { Clock } from '../../actors/ports/runtime.js';
import { Unavailable } from '../../actors/unavailable.js';
import { pause } from '../retry.js';
import type { Told } from './read-cache.js';

/** A read without an answer is repeated for so long. */
const READ_AGAIN_MS = 1_000;

/** Each rejects with Unavailable: a connection that broke is worth another try, a server that is away is not. */
export interface StoredOrders {
  /** As it stands. */
  order(id: OrderId): Promise<Told<OrderState | undefined>>;
  /** As it was decided; undefined where its history has no outcome. */
  decided(id: OrderId): Promise<OrderState | undefined>;
}

export function storedOrders(queries: Pick<Queries, 'order' | 'history'>, clock: Clock): StoredOrders {
  const answered = async <T>(ask: () => Promise<T>): Promise<T> => {
    const lastTryMs = clock.monotonic() + READ_AGAIN_MS;
    for (let attempt = 0; ; attempt++) {
      try {
        return await ask();
      } catch (error) {
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
