/**
 * Answered product writes by their id, until Postgres certainly has them. So a receipt or an adjustment has its effect
 * once, whoever repeats it, and a refused one never has an effect later.
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

/** A write as a client sends it, perhaps again. */
interface SentWrite extends Omit<AnsweredWrite, 'refused'> {
  /** The fingerprint that an older version gives to the same request. */
  readonly oldFingerprint: string | undefined;
  /** A refusal of the same key with another content does not count against this write. */
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

  /**
   * The earlier answer to this write. A request refused for one product is refused for all its products that are not
   * done.
   */
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

  /** The fingerprint of the write that had its effect on the product under this ref. */
  done({ ref, product }: Pick<SentWrite, 'ref' | 'product'>, lookedUp: readonly AnsweredWrite[]): string | undefined {
    const isIt = (write: AnsweredWrite) =>
      write.ref === ref && write.product === product && write.refused === undefined;
    return (lookedUp.find(isIt) ?? this.recent.get(ref)?.answered.find(isIt))?.fingerprint;
  }

  /** The products' partition leaves: its writes are in Postgres. */
  leave(isGone: (product: ProductId) => boolean): void {
    for (const [ref, write] of this.recent) {
      write.answered = write.answered.filter(({ product }) => !isGone(product));
      if (write.answered.length === 0) this.recent.delete(ref);
    }
  }

  /** Forgets the writes up to n: Postgres has them. @param isPinned whether a repeat of the write is waiting. */
  flushed(n: number, isPinned: (ref: WriteId) => boolean): void {
    for (const [ref, write] of this.recent) if (write.n <= n && !isPinned(ref)) this.recent.delete(ref);
  }
}
