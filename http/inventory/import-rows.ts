/**
 * Decides which write a row of a file is. The name of the write is the product and the row's place among the received
 * rows of that product. Two rows are compared by their content. So the line, the order of columns and the notation of
 * numbers do not matter.
 *
 * Law: under one key a row is received once, however the file is saved again, and whichever other rows were corrected,
 * moved or removed. The stored rows of a product stand on the places from 1 on, without a gap. Each belongs to one row
 * of the file. A row that finds another row on its place is compared with all that are stored. It is new only if each
 * stored row is a row of this file, so it may have to wait for the end of the file. A row is called not received only
 * after this comparison.
 */
import type { Failure } from '../api/failure.js';

export interface Row {
  /** Equal for equal rows of a product. */
  readonly content: string;
}

/** The result for a row on a place: the row is there, another row is there, or it was not received. */
export type Placed = 'received' | 'taken' | Failure;

export interface Places<R> {
  /** Sends the row under the name of this place. */
  place(row: R, at: number): Promise<Placed>;
  /** The content that is stored on this place of the row's product, without an effect. Undefined if the place is free. */
  look(row: R, at: number): Promise<string | undefined | Failure>;
}

export interface Refusals {
  /** A stored row of the product is not in the file, and this row is not stored. */
  readonly other: Failure;
  /** There are too many rows to compare: nothing is known about this row. */
  readonly tooMany: Failure;
}

interface Waiting<R> {
  readonly row: R;
  readonly refusals: Refusals;
}

interface Product<R> {
  /** The lowest place that is not known to have a row. */
  place: number;
  /** How often each content is stored for which no row of this file has come yet. */
  readonly missing: Map<string, number>;
  /** The result of all further rows of the product. */
  ended: Failure | undefined;
  waiting: Waiting<R>[];
}

/** How many rows may wait for the end of the file. */
const MOST_WAITING = 1_000;
/** How many stored rows may be missing at a time. A file that was only reordered never has more. */
const MOST_MISSING = 100_000;

export class ImportRows<R extends Row> {
  /** The next place by product. Most products have one row and need nothing else. */
  private readonly places = new Map<string, number>();
  private readonly special = new Map<string, Product<R>>();
  private waiting = 0;
  private missing = 0;

  /**
   * The caller passes rows of one product one after the other.
   * @returns 'waits' if only the end of the file can decide.
   */
  async receive(
    product: string,
    row: R,
    places: Places<R>,
    refusals: Refusals,
  ): Promise<'received' | 'waits' | Failure> {
    const special = this.special.get(product);
    if (special !== undefined) return this.receiveSpecial(product, special, { row, refusals }, places);
    const at = this.places.get(product) ?? 1;
    const placed = await places.place(row, at);
    if (placed === 'received') this.places.set(product, at + 1);
    else if (placed === 'taken' || placed.status === 503) {
      // A row without an answer may still get its place, so the next row is not tried there.
      const ended = placed === 'taken' ? undefined : placed;
      const found = { place: at, missing: new Map(), ended, waiting: [] };
      this.special.set(product, found);
      this.places.delete(product);
      if (placed === 'taken') return this.compared(product, found, { row, refusals }, places);
    }
    return placed;
  }

  /** The rows that waited for the end of the file, each with its result. */
  async *rest(places: Places<R>): AsyncGenerator<readonly [R, Failure | undefined]> {
    for (const product of this.special.values()) {
      let looked = false;
      while (product.waiting.length > 0) {
        const [next] = product.waiting;
        if (next === undefined) break;
        if (!looked) await this.look(product, next, places);
        looked = true;
        for (const row of this.storedAmongWaiting(product)) yield [row, undefined];
        if (product.ended !== undefined || product.missing.size > 0) {
          for (const { row, refusals } of product.waiting.splice(0)) yield [row, product.ended ?? refusals.other];
          break;
        }
        const one = product.waiting.shift();
        if (one === undefined) break;
        const placed = await this.placeNext(product, one, places);
        if (placed === 'taken') {
          product.waiting.unshift(one);
          looked = false;
        } else yield [one.row, placed === 'received' ? undefined : placed];
      }
    }
  }

  // -------------------------------------------------------------- machinery

  private async receiveSpecial(
    name: string,
    product: Product<R>,
    one: Waiting<R>,
    places: Places<R>,
  ): Promise<'received' | 'waits' | Failure> {
    if (product.ended !== undefined) return product.ended;
    if (this.takeMissing(product, one.row)) return this.received(name, product);
    if (product.missing.size > 0) return this.wait(product, one);
    const placed = await this.placeNext(product, one, places);
    if (placed === 'taken') return this.compared(name, product, one, places);
    return placed === 'received' ? this.received(name, product) : placed;
  }

  /** The result of a row that found another row on the product's place. */
  private async compared(
    name: string,
    product: Product<R>,
    one: Waiting<R>,
    places: Places<R>,
  ): Promise<'received' | 'waits' | Failure> {
    await this.look(product, one, places);
    if (product.ended !== undefined) return product.ended;
    return this.takeMissing(product, one.row) ? this.received(name, product) : this.wait(product, one);
  }

  private received(name: string, product: Product<R>): 'received' {
    if (product.missing.size === 0 && product.waiting.length === 0 && product.ended === undefined) {
      this.special.delete(name);
      this.places.set(name, product.place);
    }
    return 'received';
  }

  private wait(product: Product<R>, one: Waiting<R>): 'waits' | Failure {
    if (this.waiting >= MOST_WAITING) return one.refusals.tooMany;
    this.waiting++;
    product.waiting.push(one);
    return 'waits';
  }

  private async placeNext(product: Product<R>, { row }: Waiting<R>, places: Places<R>): Promise<Placed> {
    const placed = await places.place(row, product.place);
    if (placed === 'received') product.place++;
    else if (placed !== 'taken' && placed.status === 503) product.ended = placed;
    return placed;
  }

  /** Adds what is stored from the product's place on to what is missing. */
  private async look(product: Product<R>, { row, refusals }: Waiting<R>, places: Places<R>): Promise<void> {
    while (product.ended === undefined) {
      const stored = await places.look(row, product.place);
      if (stored === undefined) return;
      if (typeof stored !== 'string') product.ended = stored;
      else if (this.missing >= MOST_MISSING) product.ended = refusals.tooMany;
      else {
        product.missing.set(stored, (product.missing.get(stored) ?? 0) + 1);
        this.missing++;
        product.place++;
      }
    }
  }

  /** Whether the row is a stored one. Then it is no longer missing. */
  private takeMissing({ missing }: Product<R>, { content }: R): boolean {
    const count = missing.get(content);
    if (count === undefined) return false;
    if (count > 1) missing.set(content, count - 1);
    else missing.delete(content);
    this.missing--;
    return true;
  }

  private storedAmongWaiting(product: Product<R>): R[] {
    const stored: R[] = [];
    product.waiting = product.waiting.filter(({ row }) => {
      const isStored = this.takeMissing(product, row);
      if (isStored) stored.push(row);
      return !isStored;
    });
    return stored;
  }
}
