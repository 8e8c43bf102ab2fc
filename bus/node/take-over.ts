/**
 * How an incarnation comes to own its partitions. The steps in order: seal, claim, close, load, replay.
 *
 *  S1. The incarnation creates its journal's row before its first claim.
 *  S2. The incarnation seals a journal before it claims the journal's partitions. Every later append to that journal
 *      fails. A journal that still holds its partitions is sealed only if it belongs to the same DATA_DIR: this node
 *      holds the lock of the DATA_DIR, so the journal's writer is dead.
 *  S3. After the claim the incarnation closes the rows of the sealed journals. Only then does it load the rows.
 *  S4. A replay first loads every actor that its journals name.
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
  /** This node's name for people. */
  readonly nodeName: string;
  readonly partitions: number;
  readonly log: Log;
  readonly snapshots: Snapshots;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called with the owner that this node waits for; undefined when it waits for none. */
  readonly onWaiting: (owner: Owner | undefined) => void;
  readonly isStopping: () => boolean;
  /** The deadline of the stop has passed: no attempt is repeated any more. */
  readonly isTooLate: () => boolean;
}

export interface Owner {
  readonly node: NodeId;
  /** Its NODE_NAME, or its id where an older version stored no name. */
  readonly name: string;
}

export interface TakenOver {
  readonly journal: JournalId;
  readonly epochs: ReadonlyMap<number, number>;
  readonly world: World;
  /** The journals whose partitions were taken over, oldest first. */
  readonly predecessors: readonly JournalId[];
  /** The position of this incarnation's claim. */
  readonly claim: Position;
}

/**
 * May be repeated with the same journal until that journal is sealed.
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
  // take-over.S3: this includes journals that a predecessor sealed before it crashed.
  await snapshots.closeJournals([...new Set([...sealed, ...journals])]);
  const rows = new Map((await snapshots.journals()).map((row) => [row.journal, row]));
  // Earlier attempts of this DATA_DIR left rows and never claimed. They cannot claim any more, because our claim holds.
  const claimants = new Set(ownership.chains.flat().map((each) => each.journal));
  for (const row of rows.values()) {
    const isIdle = row.node === node && !row.closed && row.folded.n === 0 && row.journal !== journal;
    if (isIdle && !claimants.has(row.journal)) await snapshots.forgetJournal(row.journal);
  }
  // A closed journal that still has a row was taken over by an earlier incarnation, and is not forgotten yet.
  const closed = [...rows.values()].filter((row) => row.closed).map((row) => row.journal);
  // The tail of such a journal is published already: claims are trimmed only after that. The journals of the claims
  // follow in the order of the claims, so each actor's events stay in order.
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

/** Claims all partitions in one record, once all of them may be claimed. */
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
    const places = new Map((await snapshots.journals()).map((row) => [row.journal, row.folded]));
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
  /** The last turn. It and all turns before it are flushed. */
  readonly n: number;
  /** Ends the attempts. */
  readonly stopped: () => boolean;
}

/** Releases every partition that this journal still owns. @returns false when stopped before that. */
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
      // No answer: the next read of the claims shows whether the release is stored.
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
