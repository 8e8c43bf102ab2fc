/**
 * A letter between partitions has exactly one effect, in order per channel (from, to), even if the bus loses,
 * repeats or reorders letters.
 *
 *  C1. A letter has a number, dense from 1 in its channel. Every repeat of the letter has the same number.
 *  C2. The receiver handles only the letter last + 1. It confirms earlier letters again and drops them.
 *  C3. The sender keeps a letter until it is confirmed. A confirmation leaves only after the append that moved the
 *      watermark.
 */
import type { NumberedLetter } from '../ports/letters.js';
import type { PartitionRow } from '../ports/snapshot-rows.js';

interface Outbox {
  last: number;
  unconfirmed: NumberedLetter[];
}

/** The counters of one partition, as sender and as receiver. */
export class Channels {
  /** Changed since the partition's row was last collected. */
  dirty = false;
  private readonly seenBy = new Map<number, number>();
  private readonly sentTo = new Map<number, Outbox>();

  constructor(row?: Pick<PartitionRow, 'seen' | 'sent'>) {
    for (const [from, last] of Object.entries(row?.seen ?? {})) this.seenBy.set(Number(from), last);
    for (const [to, { last, unconfirmed }] of Object.entries(row?.sent ?? {})) {
      this.sentTo.set(Number(to), { last, unconfirmed: [...unconfirmed] });
    }
  }

  /** The number of the last letter handled from that partition. */
  seen(from: number): number {
    return this.seenBy.get(from) ?? 0;
  }

  /** channels.C2: moves the watermark. A cascade that is taken back sets it back. */
  moveSeen(from: number, to: number): void {
    this.seenBy.set(from, to);
    this.dirty = true;
  }

  /** Whether a new letter would have to wait behind older ones. */
  isBusy(to: number): boolean {
    return (this.sentTo.get(to)?.unconfirmed.length ?? 0) > 0;
  }

  nextNumber(to: number): number {
    return (this.sentTo.get(to)?.last ?? 0) + 1;
  }

  add(letter: NumberedLetter): void {
    const box = this.sentTo.get(letter.to);
    if (box === undefined) this.sentTo.set(letter.to, { last: letter.number, unconfirmed: [letter] });
    else if (letter.number > box.last) {
      box.last = letter.number;
      box.unconfirmed.push(letter);
    }
    this.dirty = true;
  }

  /** channels.C3: drops confirmed letters. @returns how many were dropped. */
  confirm(to: number, upTo: number): number {
    const box = this.sentTo.get(to);
    if (box === undefined) return 0;
    const before = box.unconfirmed.length;
    box.unconfirmed = box.unconfirmed.filter((letter) => letter.number > upTo);
    if (box.unconfirmed.length !== before) this.dirty = true;
    return before - box.unconfirmed.length;
  }

  unconfirmed(): NumberedLetter[] {
    return [...this.sentTo.values()].flatMap((box) => box.unconfirmed);
  }

  row(): Pick<PartitionRow, 'seen' | 'sent'> {
    return {
      seen: Object.fromEntries(this.seenBy),
      sent: Object.fromEntries(
        [...this.sentTo].map(([to, box]) => [to, { last: box.last, unconfirmed: [...box.unconfirmed] }]),
      ),
    };
  }
}
