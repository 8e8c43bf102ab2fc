/**
 * A consistent cut through the tails of all journals. Other nodes append while the tails are read, one after the other,
 * so the end of one tail may have seen what another tail does not have yet.
 *
 *  C1. A tail ends before its first record that has seen a letter that nobody has sent, or that touches a partition at an
 *      epoch that the claims do not give yet, or at an epoch whose predecessor's tail is cut.
 *  C2. That never cuts a record of the first reading (tails.T2). There it is a violation, and the record stays.
 */
import type { TurnRecord } from '../../actors/node/record.js';
import type { PartitionRow } from '../../actors/ports/snapshot-rows.js';
import type { InRows } from './in-rows.js';
import type { Owners } from './ownership.js';
import type { Tail } from './tails.js';
import type { Findings } from './verdict.js';

/** A letter's channel. */
export const channel = (from: number | string, to: number | string): string => `${from} to ${to}`;

interface CutParts {
  readonly tails: readonly Tail[];
  readonly rows: ReadonlyMap<number, PartitionRow>;
  readonly inRows: InRows;
  /** The claims that were read between the two readings of the tails. */
  readonly owners: Owners;
  readonly findings: Findings;
}

/** @returns by journal the turns of its tail up to the cut. */
export function cutTails({ tails, rows, inRows, owners, findings }: CutParts): Map<Tail, readonly TurnRecord[]> {
  const ends = new Map(tails.map((tail) => [tail, tail.turns.length]));
  const upTo = (tail: Tail) => tail.turns.slice(0, ends.get(tail));
  const told = new Set<TurnRecord>();
  for (let isCut = true; isCut; ) {
    isCut = false;
    const sent = lastSent(rows, tails.flatMap(upTo));
    const isWhole = wholeEpochs(tails, ends);
    for (const tail of tails) {
      const kept = upTo(tail);
      for (const [i, turn] of kept.entries()) {
        const why = fault(turn, sent, owners, isWhole, inRows);
        if (why === undefined) continue;
        if (turn.n > tail.sureN) {
          ends.set(tail, i);
          isCut = true;
          break;
        }
        if (!told.has(turn)) findings.add('durable', `journal ${tail.journal}`, `record ${turn.n} ${why}`); // cut.C2
        told.add(turn);
      }
    }
  }
  return new Map(tails.map((tail) => [tail, upTo(tail)]));
}

/** By channel: the highest number that its sender has given. */
function lastSent(rows: ReadonlyMap<number, PartitionRow>, turns: readonly TurnRecord[]): Map<string, number> {
  const sent = new Map<string, number>();
  const give = (name: string, number: number) => sent.set(name, Math.max(number, sent.get(name) ?? 0));
  for (const { partition, sent: boxes } of rows.values()) {
    for (const [to, { last }] of Object.entries(boxes)) give(channel(partition, to), last);
  }
  for (const { letters } of turns) for (const { from, to, number } of letters) give(channel(from, to), number);
  return sent;
}

/** Whether nothing of the partition is cut off at epochs before this one. */
function wholeEpochs(tails: readonly Tail[], ends: ReadonlyMap<Tail, number>) {
  const firstCut = new Map<string, number>();
  for (const tail of tails) {
    for (const turn of tail.turns.slice(ends.get(tail))) {
      for (const [partition, { epoch }] of Object.entries(turn.parts)) {
        firstCut.set(partition, Math.min(epoch, firstCut.get(partition) ?? epoch));
      }
    }
  }
  return (partition: string, epoch: number) => epoch <= (firstCut.get(partition) ?? epoch);
}

/** cut.C1. @returns what is wrong with the record, or undefined. */
function fault(
  { parts, journal, n }: TurnRecord,
  sent: ReadonlyMap<string, number>,
  { chains }: Owners,
  isWhole: (partition: string, epoch: number) => boolean,
  inRows: InRows,
): string | undefined {
  for (const [partition, { epoch, seen = {} }] of Object.entries(parts)) {
    const newest = chains[Number(partition)]?.at(-1)?.epoch ?? 0;
    if (epoch > newest) return `touches partition ${partition} at epoch ${epoch}, which belongs to nobody`;
    if (!isWhole(partition, epoch))
      return `touches partition ${partition} at epoch ${epoch}, after records that are lost`;
    if (inRows.has(Number(partition), { journal, n, parts })) continue;
    for (const [from, number] of Object.entries(seen)) {
      const last = sent.get(channel(from, partition)) ?? 0;
      if (number > last)
        return `has seen letter ${number} of channel ${channel(from, partition)}, which ends at ${last}`;
    }
  }
  return undefined;
}
