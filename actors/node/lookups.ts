/**
 * Look-ups of orders and writes that are not in memory. One query is under way at a time, for all waiting ids.
 *
 *  L1. An answer counts only under the number of its query. An answer to a query that was given up is ignored: the
 *      actor may have come into memory and left it meanwhile.
 *  L2. An id is pinned from when a command for it waits until that command is answered. A pinned order does not leave
 *      memory, so "absent" in an answer stays true until the command is decided.
 */
import type { OrderId, WriteId } from '../ids.js';
import type { StoredOrder } from '../ports/snapshot-rows.js';
import type { InboxItem } from './effects.js';
import type { AnsweredWrite } from './remembered-writes.js';

export interface FoundIds {
  readonly orders: readonly StoredOrder[];
  readonly writes: readonly AnsweredWrite[];
}

type Waiting = Extract<InboxItem, { kind: 'place' | 'act' | 'stock' }>;

export class LookUps {
  private number = 0;
  private underWay: Waiting[] | undefined;
  private waiting: Waiting[] = [];
  private readonly pins = new Map<string, number>();

  get size(): number {
    return this.waiting.length + (this.underWay?.length ?? 0);
  }

  add(item: Waiting): void {
    this.waiting.push(item);
  }

  /** The next query, when none is under way. */
  next(most: number): { number: number; orders: OrderId[]; writes: WriteId[] } | undefined {
    if (this.underWay !== undefined || this.waiting.length === 0) return undefined;
    this.underWay = this.waiting.splice(0, most);
    const orders = new Set<OrderId>();
    const writes = new Set<WriteId>();
    for (const item of this.underWay) {
      if (item.kind === 'stock') writes.add(item.ask.command.ref);
      else {
        orders.add(item.ask.order);
        if (item.kind === 'place' && item.ask.alias !== undefined) orders.add(item.ask.alias);
      }
    }
    return { number: ++this.number, orders: [...orders], writes: [...writes] };
  }

  /**
   * Takes the items that waited for this answer. None, when it answers another query than the one under way
   * (lookups.L1).
   */
  take(number: number): readonly Waiting[] {
    if (number !== this.number || this.underWay === undefined) return [];
    const items = this.underWay;
    this.underWay = undefined;
    return items;
  }

  pin(id: string): void {
    this.pins.set(id, (this.pins.get(id) ?? 0) + 1);
  }

  unpin(id: string): void {
    const count = (this.pins.get(id) ?? 0) - 1;
    if (count > 0) this.pins.set(id, count);
    else this.pins.delete(id);
  }

  isPinned(id: string): boolean {
    return this.pins.has(id);
  }
}
