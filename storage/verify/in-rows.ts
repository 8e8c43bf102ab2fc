/** Which parts of records the rows of a snapshot contain. */
import type { JournalId } from '../../actors/ids.js';
import type { TurnRecord } from '../../actors/node/record.js';
import type { Owners } from './ownership.js';
import type { Snapshot } from './snapshot.js';

export class InRows {
  /** By partition: the epochs that were released when the snapshot was taken. */
  private readonly released: readonly ReadonlySet<number>[];

  /** @param before the claims that were read before the snapshot */
  constructor(
    private readonly snapshot: Snapshot,
    before: Owners,
  ) {
    this.released = before.chains.map(
      (chain) => new Set(chain.flatMap(({ epoch, released }) => (released === undefined ? [] : [epoch]))),
    );
  }

  /** Everything of this epoch: the partition's row is past it, or it was released, and a release needs a flush. */
  hasAllOf(partition: number, epoch: number): boolean {
    const row = this.snapshot.partitions.get(partition);
    return (row !== undefined && row.epoch > epoch) || this.released[partition]?.has(epoch) === true;
  }

  has(partition: number, { journal, n, parts }: Pick<TurnRecord, 'journal' | 'n' | 'parts'>): boolean {
    const epoch = parts[partition]?.epoch ?? 0;
    if (this.hasAllOf(partition, epoch)) return true;
    return this.snapshot.partitions.get(partition)?.epoch === epoch && this.foldedN(journal) >= n;
  }

  foldedN(journal: JournalId): number {
    return this.snapshot.journals.get(journal)?.folded.n ?? 0;
  }
}
