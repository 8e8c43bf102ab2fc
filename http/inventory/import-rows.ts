/**
 * Decides which write a row of a file is. The name of the write is the product and the row's place among the received
 * rows of that product. Two rows are compared by their values. So the line, the order of columns and the notation of
 * numbers do not matter.
 *
 * Law: under one key a row is received once, however the file is saved again, and whichever other rows were corrected,
 * moved or removed. One place belongs to one row. A row that finds its place taken waits until the whole file is
 * read. It is new only if rows of this file occupy every lower place.
 */
import type { Failure } from '../api/failure.js';

/** The result for a row on a place: the row is there, another row is there, or it was not received. */
export type Placed = 'received' | 'taken' | Failure;

interface Waiting<R> {
  readonly row: R;
  readonly taken: Failure;
}

interface Product<R> {
  /** The lowest place without a row of this file. */
  place: number;
  late: Failure | undefined;
  readonly waiting: Waiting<R>[];
}

/** How many rows may wait for the end of the file, and how many tries they get together. */
const MOST_WAITING = 1_000;
const MOST_TRIES = 10_000;

export class ImportRows<R> {
  /** The next place by product. Most products have one row and need nothing else. */
  private readonly places = new Map<string, number>();
  private readonly special = new Map<string, Product<R>>();
  private waiting = 0;
  private tries = 0;

  /**
   * The caller passes rows of one product one after the other.
   * @param place sends the row under the name of this place
   * @param taken the failure if the place stays with another row
   * @returns 'waits' if only the end of the file can decide.
   */
  async receive(
    product: string,
    row: R,
    place: (row: R, at: number) => Promise<Placed>,
    taken: Failure,
  ): Promise<'received' | 'waits' | Failure> {
    const special = this.special.get(product);
    // A row without an answer may still get its place, so the next row is not tried there.
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

  /** The rows that waited for the end of the file, each with its result. */
  async *rest(place: (row: R, at: number) => Promise<Placed>): AsyncGenerator<readonly [R, Failure | undefined]> {
    for (const product of this.special.values()) {
      let waiting: readonly Waiting<R>[] = product.waiting;
      while (waiting.length > 0) {
        const next = await this.nextPlaced(waiting, product, place);
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

  /** The waiting row that belongs on the lowest free place; undefined if none does. */
  private async nextPlaced(
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
