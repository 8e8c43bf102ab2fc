/**
 * How an incarnation comes to own its partitions: seal, claim, close, load, replay, in this order.
 *
 *  S1. The journal's row is made before the first claim.
 *  S2. A journal is sealed before its partitions are claimed; from then on its every append fails. One
 *      that has not released is sealed only if it is of this folder: whoever holds the lock of the
 *      DATA_DIR knows that its writer is dead.
 *  S3. After the claim the sealed journals' rows are closed; only then are the rows loaded.
 *  S4. A replay first loads every actor its journals name.
 */
import type { JournalId, NodeId, OrderId } from '../../actors/ids.js';
import { foldClaims, namesIn, type Ownership, standing, withClaims, withRelease } from '../../actors/node/claims.js';
import { CLAIMS_LOG, type Claim, encodeClaims } from '../../actors/node/record.js';
import { type JournalTail, replay } from '../../actors/node/replay.js';
import type { World } from '../../actors/node/world.js';
import type { Log, Position } from '../../actors/ports/log.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';
import { readClaims, readTail } from '../journal/log-reader.js';
import { sealJournal } from '../journal/seal.js';
import { pause } from '../retry.js';

export interface TakeOverParts {
  readonly node: NodeId;
  /** What this node is called, for people. */
  readonly nodeName: string;
  readonly partitions: number;
  readonly log: Log;
  readonly snapshots: Snapshots;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told whom this node waits for; undefined when for nobody any more. */
  readonly onWaiting: (owner: Owner | undefined) => void;
  readonly isStopping: () => boolean;
  /** The time to stop in is over: nothing is tried again any more. */
  readonly isTooLate: () => boolean;
}

export interface Owner {
  readonly node: NodeId;
  /** Its NODE_NAME, or its id where it is of a version that did not tell. */
  readonly name: string;
}

export interface TakenOver {
  readonly journal: JournalId;
  readonly epochs: ReadonlyMap<number, number>;
  readonly world: World;
  /** Journals whose partitions were taken over, oldest first. */
  readonly predecessors: readonly JournalId[];
  /** Where this incarnation's claim stands. */
  readonly claim: Position;
}

/**
 * May be tried again with the same journal, until that is sealed.
 * @returns undefined when told to stop, claimed or not. @throws LostRecords, UnreadableRecord
 */
export async function takeOver(parts: TakeOverParts, journal: JournalId): Promise<TakenOver | undefined> {
  const claimed = await claimAll(parts, journal);
  return claimed && load(parts, journal, claimed);
}

/** @returns undefined when told to stop. */
async function load(parts: TakeOverParts, journal: JournalId, claimed: Claimed): Promise<TakenOver | undefined> {
  const { node, partitions, log, snapshots, isStopping } = parts;
  const { ownership, sealed, claim } = claimed;

  const all = Array.from({ length: partitions }, (_, partition) => partition);
  const chains = new Map<number, Claim[]>();
  const epochs = new Map<number, number>();
  const journals = new Set<JournalId>();
  for (const partition of all) {
    const chain = ownership.chains[partition] ?? [];
    chains.set(partition, chain.slice(0, -1));
    epochs.set(partition, chain.at(-1)?.epoch ?? 0);
    for (const claim of chain.slice(0, -1)) journals.add(claim.journal);
  }
  if (isStopping()) return undefined;
  // take-over.S3. Those too that a predecessor sealed and did not live to close.
  await snapshots.closeJournals([...new Set([...sealed, ...journals])]);
  const rows = new Map((await snapshots.journals()).map((row) => [row.journal, row]));
  // Rows of this folder's earlier tries, which never came to claim: ours stands, so none of them can any more.
  const claimants = new Set(ownership.chains.flat().map((each) => each.journal));
  for (const row of rows.values()) {
    const isIdle = row.node === node && !row.closed && row.folded.n === 0 && row.journal !== journal;
    if (isIdle && !claimants.has(row.journal)) await snapshots.forgetJournal(row.journal);
  }
  // A closed journal whose row still stands was taken over by one before us, and is not forgotten yet.
  const closed = [...rows.values()].filter((row) => row.closed).map((row) => row.journal);
  // Its tail is out: claims are trimmed only after that. Those of the claims follow in their order, each actor's events with them.
  const predecessors = new Set([...closed.filter((name) => !journals.has(name)), ...journals]);
  const tails = new Map<JournalId, JournalTail>();
  for (const name of journals) {
    if (isStopping()) return undefined;
    tails.set(name, await readTail(log, name, rows.get(name)));
  }
  if (isStopping()) return undefined;
  const loaded = await snapshots.load(all, partitions, ordersIn(tails.values())); // take-over.S4
  if (isStopping()) return undefined;
  const world = replay({ partitions, chains, tails, loaded });
  return { journal, epochs, world, predecessors: [...predecessors], claim };
}

interface Claimed {
  readonly ownership: Ownership;
  readonly sealed: readonly JournalId[];
  readonly claim: Position;
}

/** Claims every partition in one record, once every one may be claimed. */
async function claimAll(
  { node, nodeName, partitions, log, snapshots, clock, logger, onWaiting, isStopping }: TakeOverParts,
  journal: JournalId,
): Promise<Claimed | undefined> {
  const sealed = new Set<JournalId>();
  const id = clock.id();
  for (let attempt = 0; !isStopping(); await pause(clock, attempt++)) {
    const { records, end } = await readClaims(log);
    const ownership = foldClaims(records, partitions);
    if (ownership.map.every((claim) => claim?.journal === journal)) {
      return { ownership, sealed: [...sealed], claim: end };
    }
    const other = ownership.map.find((claim) => standing(claim, node) === 'others');
    if (other) {
      onWaiting({ node: other.node, name: ownership.names[other.node] ?? other.node });
      continue;
    }
    onWaiting(undefined);
    const places = new Map((await snapshots.journals()).map((row) => [row.journal, row.folded.position]));
    for (const claim of ownership.map) {
      if (claim === null || sealed.has(claim.journal)) continue;
      const from = places.get(claim.journal);
      const sealing = { log, clock, journal: claim.journal, by: journal, from, stopped: isStopping };
      if (!(await sealJournal(sealing))) return undefined; // take-over.S2
      sealed.add(claim.journal);
    }
    await snapshots.openJournal(journal, node); // take-over.S1
    const map = withClaims(ownership.map, [...ownership.map.keys()], node, journal);
    try {
      const names = namesIn(map, { ...ownership.names, [node]: nodeName });
      const record = encodeClaims({ id, by: journal, at: clock.now(), map, names });
      await log.append(CLAIMS_LOG, end, record, { urgent: true });
    } catch (error) {
      logger.warn({ cause: String(error) }, 'the claim has no answer: reading the claims again');
    }
  }
  return undefined;
}

interface Releasing {
  readonly log: Log;
  readonly clock: Clock;
  readonly partitions: number;
  readonly journal: JournalId;
  /** Everything up to here is flushed, and nothing comes after it. */
  readonly n: number;
  /** Ends the trying. */
  readonly stopped: () => boolean;
}

/** Lets go of everything that this journal still holds. @returns false when stopped before. */
export async function releaseAll({ log, clock, partitions, journal, n, stopped }: Releasing): Promise<boolean> {
  const id = clock.id();
  for (let attempt = 0; !stopped(); await pause(clock, attempt++)) {
    const { records, end } = await readClaims(log);
    const { map, names } = foldClaims(records, partitions);
    const next = withRelease(map, journal, n);
    if (next.every((claim, i) => claim === map[i])) return true;
    try {
      const record = encodeClaims({ id, by: journal, at: clock.now(), map: next, names });
      const answer = await log.append(CLAIMS_LOG, end, record, { urgent: true });
      if (answer.kind === 'appended') return true;
    } catch {
      // No answer: the next look shows whether it stands.
    }
  }
  return false;
}

function ordersIn(tails: Iterable<JournalTail>): OrderId[] {
  const orders = new Set<OrderId>();
  for (const { turns } of tails) {
    for (const turn of turns) {
      for (const { events } of turn.cascades) for (const { of } of events) if (of.kind === 'order') orders.add(of.id);
    }
  }
  return [...orders];
}
