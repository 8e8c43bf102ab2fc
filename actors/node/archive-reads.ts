/** The commands that wait until their order was read from its archive. One read serves all that wait for an order. */
import type { OrderId } from '../ids.js';
import { limits } from '../limits.js';
import type { EdgeItem } from './effects.js';

type Item = Exclude<EdgeItem, { kind: 'stock' }>;

export class ArchiveReads {
  private readonly waiting = new Map<OrderId, Item[]>();
  private size = 0;

  /** `first`: nobody has asked for this order yet. */
  add(order: OrderId, item: Item): 'first' | 'joined' | 'full' {
    if (this.size >= limits.archiveReadsWaiting) return 'full';
    this.size++;
    const items = this.waiting.get(order);
    items?.push(item);
    if (items === undefined) this.waiting.set(order, [item]);
    return items === undefined ? 'first' : 'joined';
  }

  /** Those that waited for this order. A late answer finds none. */
  take(order: OrderId): readonly Item[] {
    const items = this.waiting.get(order) ?? [];
    this.waiting.delete(order);
    this.size -= items.length;
    return items;
  }

  /** Takes the commands of partitions that leave. */
  leave(isGone: (partition: number) => boolean): Item[] {
    const gone: Item[] = [];
    for (const [order, items] of this.waiting) {
      const stay = items.filter(({ partition }) => !isGone(partition));
      if (stay.length === items.length) continue;
      gone.push(...items.filter(({ partition }) => isGone(partition)));
      if (stay.length > 0) this.waiting.set(order, stay);
      else this.waiting.delete(order);
    }
    this.size -= gone.length;
    return gone;
  }
}
