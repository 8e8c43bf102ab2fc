/**
 * Checks each event of a product: what it did for each order, and in which sequence.
 *
 *  - 0 <= held <= on hand, on hand is the sum of the events, and the backordered pieces are those that orders wait for.
 *  - New stock goes to the order that waits longest, and no order passes it. Backorders stay within their limit.
 *  - An order takes or returns no more pieces of a product than it was given.
 */
import type { OrderId, ProductId } from '../../actors/ids.js';
import type { ProductState } from '../../actors/product/inventory.js';
import type { ProductEvent } from '../../actors/protocol.js';
import type { Verdict } from './verdict.js';

/** The pieces that one product gave to one order, by kind of event. */
interface Given {
  held: number;
  /** The part of `held` for which the order had waited. */
  filled: number;
  released: number;
  committed: number;
  returned: number;
  backordered: number;
  unbackordered: number;
}

export class StockTruth {
  private readonly given = new Map<string, Given>();
  private readonly onHand = new Map<ProductId, number>();
  private readonly parts = new Set<string>();

  constructor(private readonly verdict: Verdict) {}

  of(order: OrderId, product: ProductId): Given {
    const key = `${order} ${product}`;
    const given = this.given.get(key) ?? {
      ...{ held: 0, filled: 0, released: 0, committed: 0, returned: 0, backordered: 0, unbackordered: 0 },
    };
    this.given.set(key, given);
    return given;
  }

  happened(before: ProductState, event: ProductEvent, after: ProductState): void {
    const { verdict } = this;
    const name = `product ${after.id}`;
    this.count(after.id, event);
    holdsNoMoreThanItHas(verdict, after, 'in the journals');
    if (after.onHand !== this.onHand.get(after.id))
      verdict.fail('never oversold', `${name} has ${after.onHand}, its events make ${this.onHand.get(after.id)}`);
    if (event.type === 'held' && (event.no ?? 1) === 1 && before.waiting.length > 0)
      verdict.fail('first come, first served', `${name} held for ${event.order} while others wait`);
    if (event.type === 'held' && (event.no ?? 1) > 1 && before.waiting[0]?.order !== event.order)
      verdict.fail('first come, first served', `${name} filled ${event.order} out of turn`);
    if (event.type === 'backordered') this.mayWait(before, after);
    if ('order' in event) this.isFair(event.order, after, event.type);
  }

  private count(product: ProductId, event: ProductEvent): void {
    const moved = (by: number) => this.onHand.set(product, (this.onHand.get(product) ?? 0) + by);
    if (event.type === 'received') return void moved(event.quantity);
    if (event.type === 'adjusted') return void moved(event.delta);
    const part = `${event.type} ${product} ${event.order} ${('no' in event && event.no) || 1}`;
    if (this.parts.has(part)) this.verdict.fail('no effect twice', `${part} happened twice`);
    this.parts.add(part);
    const given = this.of(event.order, product);
    given[event.type] += event.quantity;
    if (event.type === 'held' && (event.no ?? 1) > 1) given.filled += event.quantity;
    if (event.type === 'committed') moved(-event.quantity);
    if (event.type === 'returned') moved(event.quantity);
  }

  private mayWait(before: ProductState, { id, backordered }: ProductState): void {
    const { allowed, limit } = before.backorders;
    if (!allowed || backordered > (limit ?? Number.POSITIVE_INFINITY))
      this.verdict.fail('never oversold', `product ${id} promised ${backordered} beyond what is there, of ${limit}`);
  }

  private isFair(order: OrderId, { id, waiting }: ProductState, what: string): void {
    const { held, filled, released, committed, returned, backordered, unbackordered } = this.of(order, id);
    const waits = waiting.find((each) => each.order === order)?.quantity ?? 0;
    if (released + committed <= held && returned <= committed && backordered === filled + unbackordered + waits) return;
    const given = JSON.stringify(this.of(order, id));
    this.verdict.fail('all or nothing', `product ${id} after ${what} of ${order}: ${given}, which waits for ${waits}`);
  }
}

/** Promise 1: a product holds no more than it has, in the journals, in memory and in its row. */
export function holdsNoMoreThanItHas(verdict: Verdict, product: ProductState, where: string): void {
  const { id, held, onHand, backordered, waiting } = product;
  if (held < 0 || held > onHand) verdict.fail('never oversold', `product ${id} holds ${held} of ${onHand} ${where}`);
  if (backordered === 0 && waiting.length === 0) return;
  const waits = waiting.reduce((sum, { quantity }) => sum + (quantity > 0 ? quantity : Number.NaN), 0);
  if (backordered !== waits)
    verdict.fail(
      'never oversold',
      `product ${id} has ${backordered} backordered ${where}, its orders wait for ${waits}`,
    );
}
