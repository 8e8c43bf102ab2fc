/**
 * Product writes that have had their effect, by their id, until Postgres is known to have them: so
 * that a receipt or an adjustment happens once, whatever repeats it.
 */
import type { ProductId, WriteId } from '../ids.js';

/** A product write that has had its effect, in memory until Postgres has it. */
export interface DoneWrite {
  readonly ref: WriteId;
  readonly product: ProductId;
  readonly fingerprint: string;
}

export class Writes {
  private readonly recent = new Map<WriteId, { n: number; done: DoneWrite[] }>();

  add(write: DoneWrite, n: number): void {
    const known = this.recent.get(write.ref);
    if (known === undefined) this.recent.set(write.ref, { n, done: [write] });
    else {
      known.n = n;
      known.done.push(write);
    }
  }

  /** What stands of this write: its repeat, a refusal of another body, or nothing. */
  find(
    ref: WriteId,
    product: ProductId,
    fingerprint: string,
    lookedUp: readonly DoneWrite[],
  ): 'repeat' | 'other_body' | 'new' {
    let found: 'repeat' | 'new' = 'new';
    for (const write of [...lookedUp, ...(this.recent.get(ref)?.done ?? [])]) {
      if (write.ref !== ref) continue;
      if (write.fingerprint !== fingerprint) return 'other_body';
      if (write.product === product) found = 'repeat';
    }
    return found;
  }

  /** Postgres has everything up to n. @param isPinned whether a repeat of the write is waiting. */
  flushed(n: number, isPinned: (ref: WriteId) => boolean): void {
    for (const [ref, write] of this.recent) if (write.n <= n && !isPinned(ref)) this.recent.delete(ref);
  }
}
