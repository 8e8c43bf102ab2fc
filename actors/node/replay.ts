/**
 * Rebuilds what a node takes over: first from the rows, then from each partition's part of the journals. Each epoch of
 * a partition is in its own journal.
 *
 *  P1. A sealed epoch is replayed: records are dense in n from the end of the rows to the journal's seal. "Nothing more
 *      to read" is not an end. A missing record is an error that names it, and is never skipped.
 *  P2. Each row decides alone which events it already has: a partition's letters and counters at n 90 are rebuilt
 *      though one of its actors is at n 95.
 *  P3. The record at the stored place has the stored id: a log can lose its tail and grow again.
 *  P4. A released epoch is not replayed: the journal's row has passed the release, or is forgotten since.
 *  P5. A journal without a row is no empty journal (hazard 15): its records must be there from the first one on, up to
 *      the last one that its seal names. Only a seal that names none tells that there never was one.
 */
import type { JournalId } from '../ids.js';
import type { JournalRow, PartitionRow } from '../ports/snapshot-rows.js';
import type { Loaded } from '../ports/snapshots.js';
import { Channels } from './channels.js';
import { LostRecords } from './lost-records.js';
import { OwnedPartition } from './owned-partition.js';
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
  /** The partitions to rebuild: the epoch of each one's new claim, and its claims before, oldest first. */
  readonly claims: ReadonlyMap<number, { readonly epoch: number; readonly before: readonly Claim[] }>;
  /** Of the sealed journals. */
  readonly tails: ReadonlyMap<JournalId, JournalTail>;
  readonly loaded: Loaded;
}

export function replay({ partitions, claims, tails, loaded }: ReplayInput): World {
  const world = new World(partitions);
  world.hasBeen(loaded.lastPlacedAt);
  for (const order of loaded.orders) world.loadOrder(order);
  for (const product of loaded.products) world.loadProduct(product);
  const rows = new Map(loaded.partitions.map((row) => [row.partition, row]));
  const journals = new Map(loaded.journals.map((row) => [row.journal, row]));
  for (const [partition, { epoch, before }] of claims) {
    const row = rows.get(partition);
    const channels = new Channels(row);
    world.owned.set(partition, new OwnedPartition(partition, epoch, channels));
    if (row !== undefined && !before.some((c) => c.epoch === row.epoch && c.journal === row.journal)) {
      throw new LostRecords(
        `partition ${partition} is remembered at epoch ${row.epoch} of journal ${row.journal}, which the claims log does not know: the log was replaced or rolled back`,
      );
    }
    for (const claim of unflushed(before, row)) {
      const journal = journals.get(claim.journal);
      if (claim.released !== undefined) mustHavePassed(claim, claim.released, journal);
      else {
        const tail = tails.get(claim.journal) ?? NOTHING;
        replayEpoch(world, partition, channels, claim, complete(claim, tail, journal));
      }
    }
  }
  return world;
}

const NOTHING: JournalTail = { turns: [], seal: undefined, idAtPlace: undefined };

/** The claims of a partition whose records its row may lack. */
const unflushed = (before: readonly Claim[], row: PartitionRow | undefined): readonly Claim[] =>
  before.filter(({ epoch }) => epoch >= (row?.epoch ?? 1));

/** replay.P4 */
function mustHavePassed({ journal }: Claim, released: number, row: JournalRow | undefined): void {
  if (row === undefined || row.folded.n >= released) return;
  throw new LostRecords(
    `journal ${journal} has released a partition at n ${released}, but Postgres remembers only its n ${row.folded.n}: the database was rolled back`,
  );
}

/** replay.P1, replay.P3, replay.P5. @returns the turns of the tail, dense and ended by a seal */
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
  if (tail.seal === undefined) throw new LostRecords(`${name} ends at ${n} without a seal or a release`);
  const last = tail.seal.n;
  if (last === undefined && row === undefined && n === 0)
    throw new LostRecords(`${name} has neither a row in Postgres nor a record`);
  if (last !== undefined && last !== n)
    throw new LostRecords(`${name} ends at ${n}, and its seal says ${last}: records are lost`);
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
    for (const letter of turn.letters) {
      if (letter.from !== partition) continue;
      channels.add(letter);
      channels.appended(letter);
    }
    for (const [from, last] of Object.entries(part.seen ?? {})) {
      if (last > channels.seen(Number(from))) channels.moveSeen(Number(from), last);
    }
  }
}
