/**
 * What a consumer of committed records would see as the last value of a key. It is judged by the markers that the brokers write
 * at the end of each transaction, from raw batches of one partition.
 */

interface Batch {
  readonly attributes: number;
  readonly producerId: bigint;
  readonly records: readonly { readonly key: Buffer | null; readonly value: Buffer | null }[];
}

/** Bits of a batch's attributes, and the type in a marker's key. */
const TRANSACTIONAL = 1 << 4;
const CONTROL = 1 << 5;
const COMMIT = 1;

export class CommittedValues {
  value: string | undefined;
  /** No commit without its records was seen since: they may be before the first batch. */
  isCertain = false;
  private readonly open = new Map<bigint, { value: string | undefined }>();

  constructor(private readonly key: string) {}

  take({ attributes, producerId, records }: Batch): void {
    if ((attributes & CONTROL) !== 0) {
      this.end(producerId, records[0]?.key?.readInt16BE(2) === COMMIT);
      return;
    }
    let found = this.open.get(producerId);
    if (found === undefined) {
      found = { value: undefined };
      this.open.set(producerId, found);
    }
    for (const { key, value } of records) {
      if (key?.toString() === this.key) found.value = value?.toString();
    }
    if ((attributes & TRANSACTIONAL) === 0) this.end(producerId, true);
  }

  private end(producerId: bigint, isCommit: boolean): void {
    const ended = this.open.get(producerId);
    this.open.delete(producerId);
    if (!isCommit) return;
    if (ended === undefined) this.isCertain = false;
    else if (ended.value !== undefined) {
      this.value = ended.value;
      this.isCertain = true;
    }
  }
}
