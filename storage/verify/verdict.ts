/**
 * What a look at the stored data found: sentences that name the promise, the thing, what stands there and
 * what should. Bounded: past the limit violations are counted, not kept.
 */

export const PROMISES = {
  stock: '1, never oversold',
  holds: '2, all or nothing',
  outcome: '3, one outcome',
  once: '4, no effect twice',
  durable: '5, what was acknowledged stands',
} as const;

export type PromiseName = keyof typeof PROMISES;

export interface Violation {
  readonly promise: PromiseName;
  /** Such as `order ORD-...` or `product PROD-001`. */
  readonly thing: string;
  readonly sentence: string;
}

export interface Checked {
  readonly orders: number;
  readonly items: number;
  readonly history: number;
  readonly products: number;
  readonly operations: number;
  readonly journals: number;
  readonly records: number;
  /** Of these records, how many events were compared with their rows. */
  readonly events: number;
}

export interface Verdict {
  /** Empty when clean; the first wrong one first, at most `KEPT`. */
  readonly violations: readonly Violation[];
  readonly total: number;
  readonly checked: Checked;
  readonly tookMs: number;
  /** A running system may move on while it is looked at: then it is looked at again. */
  readonly looks: number;
}

/** Nothing can be said about the data: no connection, no tables, a record that this version cannot read. */
export class CouldNotLook extends Error {
  override name = 'CouldNotLook';
}

/** Part of what was to be read has been trimmed or claimed meanwhile (hazard 9): this look is worth nothing. */
export class MovedOn extends Error {
  override name = 'MovedOn';
}

export const KEPT = 50;

export class Findings {
  readonly violations: Violation[] = [];
  total = 0;

  /** Kept by promise, so that a flood against one does not hide the others. */
  add(promise: PromiseName, thing: string, sentence: string): void {
    this.total++;
    if (this.violations.filter((other) => other.promise === promise).length < KEPT) {
      this.violations.push({ promise, thing, sentence: `promise ${PROMISES[promise]}: ${thing}: ${sentence}` });
    }
  }

  /** Counted by a query, and not brought over. */
  more(count: number): void {
    this.total += Math.max(0, count);
  }
}

/** Found by both looks: what passed by while the system ran is not in the later one, or is about something else. */
export function confirmed(earlier: Findings, later: Findings): Violation[] {
  const seen = new Set(earlier.violations.map(({ promise, thing }) => `${promise} ${thing}`));
  return later.violations.filter(({ promise, thing }) => seen.has(`${promise} ${thing}`));
}
