/**
 * The result of `verify`: sentences that name the promise, the thing, the value found and the value expected. Bounded:
 * past the limit, violations are counted but not kept.
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
  /** For example `order ORD-...` or `product PROD-001`. */
  readonly thing: string;
  readonly sentence: string;
}

export interface Checked {
  readonly orders: number;
  readonly items: number;
  readonly history: number;
  readonly products: number;
  readonly operations: number;
  /** Orders in archives. */
  readonly archived: number;
  readonly journals: number;
  readonly records: number;
  /** The events of these records that were compared with their rows. */
  readonly events: number;
  /** The events on EVENTS. */
  readonly published: number;
}

export interface Verdict {
  /** Empty when clean; at most `KEPT`, in the order of the promises. */
  readonly violations: readonly Violation[];
  readonly total: number;
  readonly checked: Checked;
  readonly tookMs: number;
  /** How often the data was read. A running system may move on during a look, which is then repeated. */
  readonly looks: number;
}

/** The data cannot be judged: no connection, no tables, or a record that this version cannot read. */
export class CouldNotLook extends Error {
  override name = 'CouldNotLook';
}

/** Data was trimmed or claimed while it was read (hazard 9): this look proves nothing. */
export class MovedOn extends Error {
  override name = 'MovedOn';
}

/** The same gap was met again and again: no trim under way caused it. */
export class RecordsLost extends Error {
  override name = 'RecordsLost';
}

export const KEPT = 50;

export class Findings {
  readonly violations: Violation[] = [];
  total = 0;

  /** The limit applies to each promise, so that many violations of one do not hide the others. */
  add(promise: PromiseName, thing: string, sentence: string): void {
    this.total++;
    if (this.violations.filter((other) => other.promise === promise).length < KEPT) {
      this.violations.push({ promise, thing, sentence: `promise ${PROMISES[promise]}: ${thing}: ${sentence}` });
    }
  }

  /** Counts violations that a query found but did not return. */
  more(count: number): void {
    this.total += Math.max(0, count);
  }
}

/** Violations that both looks found. A passing state of a running system is not in both, or concerns another thing. */
export function confirmed(earlier: Findings, later: Findings): Violation[] {
  const seen = new Set(earlier.violations.map(({ promise, thing }) => `${promise} ${thing}`));
  return later.violations.filter(({ promise, thing }) => seen.has(`${promise} ${thing}`));
}
