/**
 * Product writes that are answered for good, by their id, until Postgres is known to have them: so that a receipt
 * or an adjustment happens once, whatever repeats it, and one that was refused never happens later.
 */
import type { ProductId, WriteId } from '../ids.js';
import type { ProductRefusal } from '../protocol.js';

/** A product write that has had its effect, or was refused under a client's key. */
export interface AnsweredWrite {
  readonly ref: WriteId;
  readonly product: ProductId;
  readonly fingerprint: string;
  readonly refused?: ProductRefusal;
}

/** A write as it is sent again. */
interface SentWrite extends Omit<AnsweredWrite, 'refused'> {
  /** What an older version made of the same request. */
  readonly oldFingerprint: string | undefined;
  /** What was refused with another content does not stand against it. */
  readonly corrects: boolean;
}

type Prior = 'new' | 'repeat' | 'other_body' | { readonly refused: ProductRefusal; readonly product: ProductId };

export class Writes {
  private readonly recent = new Map<WriteId, { n: number; answered: AnsweredWrite[] }>();

  add(write: AnsweredWrite, n: number): void {
    const known = this.recent.get(write.ref);
    if (known === undefined) this.recent.set(write.ref, { n, answered: [write] });
    else {
      known.n = n;
      known.answered.push(write);
    }
  }

  /** What stands of this write. A request that was refused for one of its products is refused for all that is not done. */
  find({ ref, product, fingerprint, oldFingerprint, corrects }: SentWrite, lookedUp: readonly AnsweredWrite[]): Prior {
    let refused: Exclude<Prior, string> | undefined;
    let isDone = false;
    for (const write of [...lookedUp, ...(this.recent.get(ref)?.answered ?? [])]) {
      if (write.ref !== ref) continue;
      if (write.fingerprint !== fingerprint && write.fingerprint !== oldFingerprint) {
        if (corrects && write.refused !== undefined) continue;
        return 'other_body';
      }
      if (write.refused !== undefined) refused ??= { refused: write.refused, product: write.product };
      else if (write.product === product) isDone = true;
    }
    return isDone ? 'repeat' : (refused ?? 'new');
  }

  /** Postgres has everything up to n. @param isPinned whether a repeat of the write is waiting. */
  flushed(n: number, isPinned: (ref: WriteId) => boolean): void {
    for (const [ref, write] of this.recent) if (write.n <= n && !isPinned(ref)) this.recent.delete(ref);
  }
}
