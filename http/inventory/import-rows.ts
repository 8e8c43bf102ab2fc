/**
 * Which write a row of a file is. A row is named by its product and its place among the rows of that product that
 * were received, and compared by its values. So neither its line, nor its columns' order, nor how a number is
 * written matters.
 *
 * Law: under one key a row is received once, however the file is saved again, and whatever else of it was
 * corrected, moved or taken out. A place that another row has taken is given to no second one: who finds it taken
 * waits until the whole file is read, and is new only if rows of the file stand on every place before.
 */
import type { Failure } from '../api/failure.js';

/** What became of a row on a place: it stands there, another one does, or it was not received. */
export type Placed = 'received' | 'taken' | Failure;

interface Waiting<R> {
  readonly row: R;
  readonly taken: Failure;
}

interface Product<R> {
  /** The lowest place on which no row of this file stands. */
  place: number;
  late: Failure | undefined;
  readonly waiting: Waiting<R>[];
}

/** Rows that wait for the end of the file, and how often they are tried then. */
const MOST_WAITING = 1_000;
const MOST_TRIES = 10_000;

export class ImportRows<R> {
  /** Most products have one row: their place alone is kept. */
  private readonly places = new Map<string, number>();
  private readonly special = new Map<string, Product<R>>();
  private waiting = 0;
  private tries = 0;

  /**
   * Rows of one product come one after the other.
   * @param place sends the row under the name of this place
   * @param taken what is told where the place stays another's
   * @returns 'waits' where that is known only when the whole file is read.
   */
  async receive(
    product: string,
    row: R,
    place: (row: R, at: number) => Promise<Placed>,
    taken: Failure,
  ): Promise<'received' | 'waits' | Failure> {
    const special = this.special.get(product);
    // A late row may still come to stand on its place: the next one is not tried on it.
    if (special?.late !== undefined) return special.late;
    const at = special?.place ?? this.places.get(product) ?? 1;
    const placed = await place(row, at);
    if (placed === 'received') {
      if (special === undefined) this.places.set(product, at + 1);
      else special.place = at + 1;
      return placed;
    }
    if (placed !== 'taken') {
      if (placed.status === 503) this.of(product, at).late = placed;
      return placed;
    }
    if (this.waiting >= MOST_WAITING) return taken;
    this.waiting++;
    this.of(product, at).waiting.push({ row, taken });
    return 'waits';
  }

  /** Those who waited, once the whole file is read, each with what became of it. */
  async *rest(place: (row: R, at: number) => Promise<Placed>): AsyncGenerator<readonly [R, Failure | undefined]> {
    for (const product of this.special.values()) {
      let waiting: readonly Waiting<R>[] = product.waiting;
      while (waiting.length > 0) {
        const next = await this.standing(waiting, product, place);
        if (next === undefined) {
          for (const { row, taken } of waiting) yield [row, product.late ?? taken];
          break;
        }
        yield [next.one.row, next.failure];
        waiting = waiting.filter((each) => each !== next.one);
      }
    }
  }

  // -------------------------------------------------------------- machinery

  /** The one of those who wait that belongs on the lowest place; undefined where none does. */
  private async standing(
    waiting: readonly Waiting<R>[],
    product: Product<R>,
    place: (row: R, at: number) => Promise<Placed>,
  ): Promise<{ readonly one: Waiting<R>; readonly failure: Failure | undefined } | undefined> {
    for (const one of waiting) {
      if (product.late !== undefined || ++this.tries > MOST_TRIES) return undefined;
      const placed = await place(one.row, product.place);
      if (placed === 'taken') continue;
      if (placed === 'received') {
        product.place++;
        return { one, failure: undefined };
      }
      if (placed.status === 503) product.late = placed;
      return { one, failure: placed };
    }
    return undefined;
  }

  private of(product: string, place: number): Product<R> {
    let special = this.special.get(product);
    if (special === undefined) {
      special = { place, late: undefined, waiting: [] };
      this.special.set(product, special);
      this.places.delete(product);
    }
    return special;
  }
}
