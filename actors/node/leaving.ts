/**
 * The orders that may leave memory, and their leave (world.W2). From then on a read or a command for such an order goes
 * to Postgres.
 */
import type { OrderId } from '../ids.js';
import { isSettled } from '../order/order.js';
import type { LookUps } from './lookups.js';
import type { StoredOrders } from './stored-orders.js';
import type { OrderEntry, World } from './world.js';

export class Leaving {
  private readonly candidates = new Set<OrderEntry>();

  constructor(
    private readonly world: World,
    private readonly lookUps: LookUps,
    private readonly storedOrders: StoredOrders,
    private readonly onLeft: (order: OrderId) => void,
  ) {}

  /** The order may have become free to leave: the next `letLeave` checks it. */
  consider(entry: OrderEntry): void {
    this.candidates.add(entry);
  }

  /** world.W2: removes settled and flushed orders from memory. */
  letLeave(): void {
    for (const entry of this.candidates) {
      const { state } = entry;
      if (!isSettled(state) || entry.waiting !== undefined || entry.paying !== undefined) {
        this.candidates.delete(entry);
        continue;
      }
      if (entry.flushedVersion !== entry.version || entry.rows.length > 0 || this.lookUps.isPinned(state.id)) continue;
      this.candidates.delete(entry);
      if (this.world.orders.get(state.id) !== entry) continue;
      this.world.orders.delete(state.id);
      this.storedOrders.left(state.id);
      this.onLeft(state.id);
    }
  }
}
