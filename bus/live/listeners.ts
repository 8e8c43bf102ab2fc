/** The listeners that are told what comes, found by what an event is about: 5,000 of them cost an event no more than one. */
import type { EventFilter } from '../../actors/ports/live-events.js';
import type { ToldEvent } from './told-events.js';

/** Each listener stands in one place: under the rarest thing that its filter names. */
export class Listeners<L extends { readonly filter: EventFilter }> {
  private readonly byOrder = new Map<string, Set<L>>();
  private readonly byProduct = new Map<string, Set<L>>();
  private readonly byUser = new Map<string, Set<L>>();
  private readonly others = new Set<L>();
  private readonly all = new Set<L>();

  get size(): number {
    return this.all.size;
  }

  [Symbol.iterator](): Iterator<L> {
    return this.all[Symbol.iterator]();
  }

  has(listener: L): boolean {
    return this.all.has(listener);
  }

  add(listener: L): void {
    this.all.add(listener);
    const [map, key] = this.placeOf(listener.filter);
    if (map === undefined) this.others.add(listener);
    else map.set(key, (map.get(key) ?? new Set()).add(listener));
  }

  delete(listener: L): void {
    this.all.delete(listener);
    const [map, key] = this.placeOf(listener.filter);
    if (map === undefined) return void this.others.delete(listener);
    const there = map.get(key);
    there?.delete(listener);
    if (there?.size === 0) map.delete(key);
  }

  /** Whoever may want the event; their filters have more to say. */
  *of({ kind, subject, products, user }: ToldEvent): Generator<L> {
    yield* this.others;
    if (kind === 'order') yield* this.byOrder.get(subject) ?? NOBODY;
    for (const product of products) yield* this.byProduct.get(product) ?? NOBODY;
    if (user !== undefined) yield* this.byUser.get(user) ?? NOBODY;
  }

  private placeOf({ order, product, user, stock }: EventFilter): [Map<string, Set<L>>, string] | [undefined] {
    if (order !== undefined) return [this.byOrder, order];
    if (product !== undefined) return [this.byProduct, product];
    if (user !== undefined && stock !== true) return [this.byUser, user];
    return [undefined];
  }
}

const NOBODY: readonly never[] = [];
