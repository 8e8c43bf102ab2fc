/** What this node's memory shows to readers (world.W1). */
import { type OrderId, type ProductId, partitionOf } from '../ids.js';
import type { OrderSight, ProductSight } from './effects.js';
import type { OrderEntry, ProductEntry, World } from './world.js';

export class Sights {
  constructor(
    private readonly world: World,
    /** The n of the turn under way. */
    private readonly underWay: () => number | undefined,
  ) {}

  order(id: OrderId): OrderSight {
    const entry = this.world.orders.get(id);
    if (entry === undefined) return this.owns('order', id) ? { kind: 'absent' } : { kind: 'elsewhere' };
    return this.isAppended(entry) ? { kind: 'now', state: entry.state } : { kind: 'later' };
  }

  product(id: ProductId): ProductSight {
    const entry = this.world.products.get(id);
    if (entry === undefined) return this.owns('product', id) ? { kind: 'absent' } : { kind: 'elsewhere' };
    return this.isAppended(entry) ? { kind: 'now', state: entry.state } : { kind: 'later' };
  }

  /** Whether Postgres has every change of this order; undefined when another node knows. */
  isFlushed(id: OrderId): boolean | undefined {
    const entry = this.world.orders.get(id);
    if (entry === undefined) return this.owns('order', id) ? true : undefined;
    return entry.flushedVersion === entry.version;
  }

  private owns(kind: 'order' | 'product', id: string): boolean {
    return this.world.owned.has(partitionOf(kind, id, this.world.partitions));
  }

  private isAppended({ n, epoch, partition }: OrderEntry | ProductEntry): boolean {
    return n !== this.underWay() || epoch !== this.world.epochOf(partition);
  }
}
