/** Whether the promise was kept: what the buyers were answered, against what the stock says afterwards. */

/** What one buyer has so far. */
export type Outcome = 'waiting' | 'sold' | 'refused';

/**
 * What an answer to one buyer says. `another`: no buyer can be served so, such as by a key that has expired; undefined: not known
 * yet, so the buyer asks again under the same key.
 */
export function answerOf(status: number, text: string): 'sold' | 'refused' | 'another' | undefined {
  if (status === 201) return 'sold';
  if (status < 400 || status === 429 || status >= 500) return undefined;
  return status === 402 || (status === 409 && text.includes('"out_of_stock"')) ? 'refused' : 'another';
}

interface StockRow {
  readonly on_hand: number;
  readonly held: number;
  readonly available: number;
}

export interface Verdict {
  readonly sentence: string;
  readonly isKept: boolean;
}

/** @param row the product's own stock afterwards; @param units what it had before, with no other buyer */
export function verdictOf(outcomes: readonly Outcome[], units: number, row: StockRow): Verdict {
  const { sold, refused, waiting } = countOf(outcomes);
  const oversold = Math.max(0, sold - units, row.held - row.on_hand, -row.available);
  const numbers = `${sold} sold, ${refused} refused, ${oversold} oversold.`;
  const taken = units - row.available;
  if (oversold > 0) return { sentence: `${numbers} The promise is broken: run holdfast verify.`, isKept: false };
  if (waiting > 0) return { sentence: `${numbers} ${waiting} buyers got no answer in time.`, isKept: false };
  if (taken !== sold)
    return { sentence: `${numbers} The stock says that ${taken} are sold: run holdfast verify.`, isKept: false };
  return { sentence: `${numbers} The stock agrees: ${row.available} of ${units} units are left.`, isKept: true };
}

export function countOf(outcomes: readonly Outcome[]): Readonly<Record<Outcome, number>> {
  const counts = { waiting: 0, sold: 0, refused: 0 };
  for (const outcome of outcomes) counts[outcome]++;
  return counts;
}
