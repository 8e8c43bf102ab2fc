/**
 * A letter between partitions has exactly one effect, in order per channel (from, to), even if the bus loses,
 * repeats or reorders letters.
 *
 *  C1. A letter has a number, dense from 1 in its channel. Every repeat of the letter has the same number.
 *  C2. The receiver handles only the letter last + 1. It confirms earlier letters again and drops them.
 *  C3. The sender keeps a letter until it is confirmed. A confirmation leaves only after the append that moved the
 *      watermark.
 *  C4. A channel has at most `limits.letterWindow` letters under way. Those without a confirmation in time are all sent
 *      again, from the first on (go-back-N). So a partition that does not answer costs its own channels alone.
 */
import { limits } from '../limits.js';
import type { NumberedLetter } from '../ports/letters.js';
import type { PartitionRow } from '../ports/snapshot-rows.js';

interface Outbox {
  /** The highest number given, and the highest one whose record is appended. */
  last: number;
  appended: number;
  unconfirmed: NumberedLetter[];
  /** channels.C4: the highest number sent since the last repeat, and when a letter was sent or confirmed last. */
  sent: number;
  movedMs: number;
}

const outbox = (last: number, unconfirmed: NumberedLetter[], appended: number): Outbox => ({
  ...{ last, appended, unconfirmed, sent: 0, movedMs: Number.NEGATIVE_INFINITY },
});

/** The counters of one partition, as sender and as receiver. */
export class Channels {
  /** Changed since the partition's row was last collected. */
  dirty = false;
  private readonly seenBy = new Map<number, number>();
  private readonly sentTo = new Map<number, Outbox>();

  constructor(row?: Pick<PartitionRow, 'seen' | 'sent'>) {
    for (const [from, last] of Object.entries(row?.seen ?? {})) this.seenBy.set(Number(from), last);
    for (const [to, { last, unconfirmed }] of Object.entries(row?.sent ?? {})) {
      this.sentTo.set(Number(to), outbox(last, [...unconfirmed], last));
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

  /** The number of the last letter to that partition; 0 before the first. */
  last(to: number): number {
    return this.sentTo.get(to)?.last ?? 0;
  }

  /** How many letters to that partition have no confirmation. */
  waiting(to: number): number {
    return this.sentTo.get(to)?.unconfirmed.length ?? 0;
  }

  add(letter: NumberedLetter): void {
    const box = this.sentTo.get(letter.to);
    if (box === undefined) this.sentTo.set(letter.to, outbox(letter.number, [letter], 0));
    else if (letter.number > box.last) {
      box.last = letter.number;
      box.unconfirmed.push(letter);
    }
    this.dirty = true;
  }

  /** The letters up to this one are appended: they may leave (node.N2). */
  appended({ to, number }: NumberedLetter): void {
    const box = this.sentTo.get(to);
    if (box !== undefined && number > box.appended) box.appended = number;
  }

  /** channels.C3: drops confirmed letters. @returns how many were dropped. */
  confirm(to: number, upTo: number, nowMs = 0): number {
    const box = this.sentTo.get(to);
    if (box === undefined) return 0;
    let count = 0;
    while (count < box.unconfirmed.length && (box.unconfirmed[count] as NumberedLetter).number <= upTo) count++;
    if (count === 0) return 0;
    box.unconfirmed.splice(0, count);
    box.movedMs = nowMs;
    this.dirty = true;
    return count;
  }

  /** channels.C4: the appended letters that are in the window and not under way. They count as sent. */
  toSend(to: number, nowMs: number): NumberedLetter[] {
    const box = this.sentTo.get(to);
    if (box === undefined) return [];
    const letters: NumberedLetter[] = [];
    const window = Math.min(box.unconfirmed.length, limits.letterWindow);
    for (let i = 0; i < window; i++) {
      const letter = box.unconfirmed[i] as NumberedLetter;
      if (letter.number > box.appended) break;
      if (letter.number > box.sent) letters.push(letter);
    }
    const last = letters.at(-1);
    if (last === undefined) return letters;
    box.sent = last.number;
    box.movedMs = nowMs;
    return letters;
  }

  /** channels.C4: the letters to send again, and those to send at last. Nothing has moved in their channels for so long. */
  toRepeat(nowMs: number, afterMs: number, isAway: (to: number) => boolean): NumberedLetter[] {
    const letters: NumberedLetter[] = [];
    for (const [to, box] of this.sentTo) {
      if (box.unconfirmed.length === 0 || nowMs - box.movedMs < afterMs || !isAway(to)) continue;
      box.sent = 0;
      letters.push(...this.toSend(to, nowMs));
    }
    return letters;
  }

  /** The receiving partition is elsewhere now: what waits for it is repeated at once. */
  moved(to: number): void {
    const box = this.sentTo.get(to);
    if (box !== undefined) box.movedMs = Number.NEGATIVE_INFINITY;
  }

  /** The letters to that partition after a number, oldest first. */
  after(to: number, number: number): NumberedLetter[] {
    return this.sentTo.get(to)?.unconfirmed.filter((each) => each.number > number) ?? [];
  }

  /** How many letters to any partition have no confirmation. */
  get unconfirmedCount(): number {
    let count = 0;
    for (const { unconfirmed } of this.sentTo.values()) count += unconfirmed.length;
    return count;
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
