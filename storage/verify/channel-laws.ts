/**
 * The channels between partitions, both ways, on rows and tails together.
 *
 *  - A sender numbers its letters densely. Each number is given once.
 *  - A receiver's watermark never goes back, and never passes what was sent.
 *  - Every letter above the watermark is still there: in the sender's row as unconfirmed, or in a tail.
 */
import type { TurnRecord } from '../../actors/node/record.js';
import type { PartitionRow } from '../../actors/ports/snapshot-rows.js';
import { channel } from './cut.js';
import type { InRows } from './in-rows.js';
import type { Findings } from './verdict.js';

interface Channel {
  /** The highest number given, and the highest handled. */
  sent: number;
  seen: number;
  /** The numbers of the letters that are still there. */
  readonly there: Set<number>;
}

export function channelLaws(
  rows: ReadonlyMap<number, PartitionRow>,
  turns: readonly TurnRecord[],
  inRows: InRows,
  findings: Findings,
): void {
  const channels = new Map<string, Channel>();
  const of = (from: number | string, to: number | string): Channel => {
    const name = channel(from, to);
    const known = channels.get(name) ?? { sent: 0, seen: 0, there: new Set<number>() };
    channels.set(name, known);
    return known;
  };
  const wrong = (from: number | string, to: number | string, sentence: string) =>
    findings.add('durable', `channel ${channel(from, to)}`, sentence);

  for (const { partition, seen, sent } of rows.values()) {
    for (const [from, last] of Object.entries(seen)) of(from, partition).seen = last;
    for (const [to, { last, unconfirmed }] of Object.entries(sent)) {
      const it = of(partition, to);
      it.sent = last;
      for (const letter of unconfirmed) it.there.add(letter.number);
    }
  }
  for (const [partition, its] of byPartition(turns, inRows)) {
    for (const turn of its) {
      const where = `record ${turn.n} of journal ${turn.journal}`;
      for (const { from, to, number } of turn.letters) {
        if (from !== partition) continue;
        const it = of(from, to);
        if (number !== it.sent + 1) wrong(from, to, `${where} gives number ${number}, expected ${it.sent + 1}`);
        it.sent = Math.max(it.sent, number);
        it.there.add(number);
      }
      for (const [from, number] of Object.entries(turn.parts[partition]?.seen ?? {})) {
        const it = of(from, partition);
        if (number <= it.seen) wrong(from, partition, `${where} handles letter ${number} after letter ${it.seen}`);
        it.seen = Math.max(it.seen, number);
      }
    }
  }
  for (const [name, { sent, seen, there }] of channels) {
    const tell = (sentence: string) => findings.add('durable', `channel ${name}`, sentence);
    if (seen > sent) tell(`letter ${seen} is handled, the last that was sent is ${sent}`);
    for (let number = seen + 1; number <= sent; number++) {
      if (there.has(number)) continue;
      tell(`letter ${number} is sent and not handled, and is in no row and no journal`);
      break;
    }
  }
}

/** The turns that touch a partition and that its rows lack, in the partition's order: by epoch, then by n. */
function byPartition(turns: readonly TurnRecord[], inRows: InRows): Map<number, TurnRecord[]> {
  const all = new Map<number, TurnRecord[]>();
  for (const turn of turns) {
    for (const partition of Object.keys(turn.parts).map(Number)) {
      if (inRows.has(partition, turn)) continue;
      const its = all.get(partition) ?? [];
      its.push(turn);
      all.set(partition, its);
    }
  }
  for (const [partition, its] of all) {
    const epoch = (turn: TurnRecord) => turn.parts[partition]?.epoch ?? 0;
    its.sort((a, b) => epoch(a) - epoch(b) || a.n - b.n);
  }
  return all;
}
