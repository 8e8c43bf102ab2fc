/**
 * Rebuilds the world at a start: first from the rows, then from each partition's part of the journals. Each epoch of
 * a partition is in its own journal.
 *
 *  P1. Records are dense in n from the end of the rows to the journal's seal or its release. "Nothing more to read" is
 *      not an end. A missing record is an error that names it, and is never skipped.
 *  P2. Each row decides alone which events it already has: a partition's letters and counters at n 90 are rebuilt
 *      though one of its actors is at n 95.
 *  P3. The record at the stored place has the stored id: a log can lose its tail and grow again.
 */
import type { JournalId } from '../ids.js';
import type { JournalRow } from '../ports/snapshot-rows.js';
import type { Loaded } from '../ports/snapshots.js';
import { Channels } from './channels.js';
import { LostRecords } from './lost-records.js';
import type { Claim, SealRecord, TurnRecord } from './record.js';
import { World } from './world.js';

/** The records of a journal after the place in its row. */
export interface JournalTail {
  readonly turns: readonly TurnRecord[];
  readonly seal: SealRecord | undefined;
  /** The id of the record at the row's place; undefined when that record is missing. */
  readonly idAtPlace: string | undefined;
}

export interface ReplayInput {
  readonly partitions: number;
  /** By partition of this node: its claims before this incarnation's, oldest first. */
  readonly chains: ReadonlyMap<number, readonly Claim[]>;
  readonly tails: ReadonlyMap<JournalId, JournalTail>;
  readonly loaded: Loaded;
}

export function replay({ partitions, chains, tails, loaded }: ReplayInput): World {
  const world = new World(partitions);
  world.hasBeen(loaded.lastPlacedAt);
  for (const order of loaded.orders) world.loadOrder(order);
  for (const product of loaded.products) world.loadProduct(product);
  const rows = new Map(loaded.partitions.map((row) => [row.partition, row]));
  const journals = new Map(loaded.journals.map((row) => [row.journal, row]));
  for (const [partition, chain] of chains) {
    const row = rows.get(partition);
    const channels = new Channels(row);
    world.channels.set(partition, channels);
    if (
      row !== undefined &&
      chain.length > 0 &&
      !chain.some((c) => c.epoch === row.epoch && c.journal === row.journal)
    ) {
      throw new LostRecords(
        `partition ${partition} is remembered at epoch ${row.epoch} of journal ${row.journal}, which the claims log does not know: the log was replaced or rolled back`,
      );
    }
    for (const claim of chain) {
      if (claim.epoch < (row?.epoch ?? 1)) continue;
      const tail = tails.get(claim.journal) ?? { turns: [], seal: undefined, idAtPlace: undefined };
      replayEpoch(world, partition, channels, claim, complete(claim, tail, journals.get(claim.journal)));
    }
  }
  return world;
}

/** replay.P1, replay.P3. @returns the turns of the tail, dense and ended by a seal or reaching the release. */
function complete(claim: Claim, tail: JournalTail, row: JournalRow | undefined): readonly TurnRecord[] {
  const folded = row?.folded.n ?? 0;
  const name = `journal ${claim.journal}`;
  if (folded > 0 && tail.idAtPlace !== row?.folded.recordId) {
    throw new LostRecords(
      `${name} does not have the record ${row?.folded.recordId} at n ${folded} that Postgres remembers (found ${tail.idAtPlace ?? 'nothing'}): the log was rolled back or replaced`,
    );
  }
  let n = folded;
  for (const turn of tail.turns) {
    if (turn.n !== n + 1) throw new LostRecords(`${name} has record ${turn.n} after ${n}: records in between are lost`);
    n = turn.n;
  }
  if (tail.seal !== undefined) return tail.turns;
  if (claim.released === undefined) throw new LostRecords(`${name} ends at ${n} without a seal or a release`);
  if (n < claim.released) throw new LostRecords(`${name} ends at ${n}, before its release at ${claim.released}`);
  return tail.turns;
}

function replayEpoch(
  world: World,
  partition: number,
  channels: Channels,
  claim: Claim,
  turns: readonly TurnRecord[],
): void {
  for (const turn of turns) {
    const part = turn.parts[partition];
    if (part === undefined || part.epoch !== claim.epoch) continue;
    const mark = { epoch: claim.epoch, n: turn.n };
    for (const { correlation, events } of turn.cascades) {
      for (const event of events) {
        if (world.partitionOf(event.of) === partition) world.replay(event, mark, turn.at, correlation);
      }
    }
    for (const write of turn.refused ?? []) {
      const of = { kind: 'product', id: write.product } as const;
      if (world.partitionOf(of) === partition) world.rememberRefusal({ ...write, at: turn.at });
    }
    for (const letter of turn.letters) if (letter.from === partition) channels.add(letter);
    for (const [from, last] of Object.entries(part.seen ?? {})) {
      if (last > channels.seen(Number(from))) channels.moveSeen(Number(from), last);
    }
  }
}
