/**
 * Look-ups of orders and writes that are not in memory. One query is under way at a time, for all waiting ids.
 *
 *  L1. An answer counts only under the number of its query. An answer to a query that was given up is ignored: the
 *      actor may have come into memory and left it meanwhile.
 *  L2. An id is pinned from when a command for it waits until that command is answered. A pinned order does not leave
 *      memory, so "absent" in an answer stays true until the command is decided.
 *  L3. What an answer says of a partition counts only while this node owns the partition at the epoch at which it asked:
 *      another owner may have changed its actors meanwhile.
 */
import type { OrderId, WriteId } from '../ids.js';
import type { StoredOrder } from '../ports/snapshot-rows.js';
import type { LookedUp } from '../ports/snapshots.js';
import type { EdgeItem } from './effects.js';
import type { AnsweredWrite } from './remembered-writes.js';

export interface FoundIds {
  readonly orders: readonly StoredOrder[];
  readonly writes: readonly AnsweredWrite[];
  readonly archived?: LookedUp['archived'];
}

/** The items that waited for an answer, and the epochs of this node's partitions when it asked. */
interface Answered {
  readonly items: readonly EdgeItem[];
  readonly epochs: ReadonlyMap<number, number>;
}

export class LookUps {
  private number = 0;
  private underWay: EdgeItem[] | undefined;
  private epochs: ReadonlyMap<number, number> = new Map();
  private waiting: EdgeItem[] = [];
  private readonly pins = new Map<string, number>();

  get size(): number {
    return this.waiting.length + (this.underWay?.length ?? 0);
  }

  /** The number of the query under way. */
  get asking(): number | undefined {
    return this.underWay && this.number;
  }

  add(item: EdgeItem): void {
    this.waiting.push(item);
  }

  /**
   * The next query, when none is under way.
   * @param epochs by partition of this node
   */
  next(
    most: number,
    epochs: () => ReadonlyMap<number, number>,
  ): { number: number; orders: OrderId[]; writes: WriteId[] } | undefined {
    if (this.underWay !== undefined || this.waiting.length === 0) return undefined;
    this.underWay = this.waiting.splice(0, most);
    this.epochs = epochs();
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
   * Takes the items that waited for this answer; undefined when it answers another query than the one under way
   * (lookups.L1).
   */
  take(number: number): Answered | undefined {
    if (number !== this.number || this.underWay === undefined) return undefined;
    const items = this.underWay;
    this.underWay = undefined;
    return { items, epochs: this.epochs };
  }

  /** Takes the items of partitions that leave. */
  leave(isGone: (partition: number) => boolean): EdgeItem[] {
    const isOf = (item: EdgeItem) => isGone(item.partition);
    const gone = [...(this.underWay ?? []), ...this.waiting].filter(isOf);
    if (gone.length === 0) return gone;
    this.underWay = this.underWay?.filter((item) => !isOf(item));
    this.waiting = this.waiting.filter((item) => !isOf(item));
    return gone;
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
