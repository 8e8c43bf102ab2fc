/**
 * How an incarnation comes to own partitions. The steps in order: seal, claim, close, load, replay. Then they join
 * (node.N8).
 *
 *  S1. The incarnation makes its journal's row once, before its first claim. Each attempt to claim looks at the own
 *      journal after it has read the claims: a seal ends the incarnation. So a journal that was forgotten claims nothing
 *      any more (janitor.N7).
 *  S2. A partition is claimed only on its release, or after its owner's journal is sealed. Sealed are only the journals
 *      of those whom the caller judges dead. Every later append to them fails.
 *  S3. After the claim the incarnation closes the rows of the sealed journals from which it replays, never the row of a
 *      live journal. Only then does it load the rows.
 *  S4. A replay first loads every actor that its journals name. Products that were loaded before the claim count with what
 *      has changed since. The journal's row moves last in a flush, so what half a flush wrote is read again.
 *  S5. A claim may be stored although its append had no answer, or after the caller gave up. So a partition that the
 *      map gives to this journal and that does not run is loaded like one that was just claimed.
 */
import { type JournalId, type NodeId, type OrderId, partitionOf } from '../../actors/ids.js';
import { isHeld, withClaims } from '../../actors/node/claims.js';
import { joinOf } from '../../actors/node/joins.js';
import type { Claim, Join } from '../../actors/node/record.js';
import { type JournalTail, replay } from '../../actors/node/replay.js';
import type { World } from '../../actors/node/world.js';
import type { Log } from '../../actors/ports/log.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { foldedTo, type JournalRow, type Mark, type StoredProduct } from '../../actors/ports/snapshot-rows.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';
import { readTail } from '../journal/log-reader.js';
import { isSealed, sealJournal } from '../journal/seal.js';
import type { OwnershipMap } from './ownership-map.js';

export interface TakeOverParts {
  readonly node: NodeId;
  /** This node's name for people. */
  readonly nodeName: string;
  readonly partitions: number;
  readonly log: Log;
  readonly snapshots: Snapshots;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Taking extends TakeOverParts {
  readonly journal: JournalId;
  readonly ownership: OwnershipMap;
  readonly stopped: () => boolean;
}

interface Claiming extends Taking {
  /** Makes the journal's row, once (take-over.S1). */
  readonly open: () => Promise<void>;
  /** Whether the own journal has no seal yet (take-over.S1). */
  readonly mayClaim: () => Promise<boolean>;
}

/** The products of a partition that Postgres had at some moment. */
export interface Ahead {
  readonly products: readonly StoredProduct[];
  readonly upTo: Mark;
}

/** A claim of this journal, and the claims before it. */
interface Chain {
  readonly epoch: number;
  readonly before: readonly Claim[];
}

interface Taken {
  readonly world: World;
  readonly joins: readonly Join[];
}

/** The others wait so long for the node that a release names. */
const OTHERS_WAIT_MS = 1_000;

/**
 * Claims those of the partitions that may be claimed (take-over.S2).
 * @returns the epochs of those that are this journal's now. @throws LostRecords, UnreadableRecord
 */
export async function claim(
  taking: Claiming,
  partitions: readonly number[],
  dead: readonly JournalId[],
): Promise<Map<number, number>> {
  const { journal, node, nodeName, ownership, clock, open, mayClaim: mayAppend, stopped } = taking;
  const isMine = (claim: Claim | null | undefined) => claim?.released !== undefined && claim.to === node;
  // What was released for this node serves nobody until it is claimed: that waits for no second look at the claims. If
  // somebody else has claimed it since, this claim is not stored.
  const isRead = partitions.every((partition) => isMine(ownership.ownership.map[partition]));
  const sealed = isRead ? new Set<JournalId>() : await sealDead(taking, partitions, dead);
  const mayClaim = (claim: Claim | null | undefined, partition: number) => {
    if (isHeld(claim)) return claim.journal !== journal && sealed.has(claim.journal);
    const isForOther = claim?.to !== undefined && claim.to !== node;
    return !isForOther || ownership.releasedForMs(partition) >= OTHERS_WAIT_MS;
  };
  const wanted = (map: readonly (Claim | null)[]) => partitions.filter((each) => mayClaim(map[each], each));
  if (!stopped() && wanted(ownership.ownership.map).length > 0) {
    await open();
    const make = ({ map }: { readonly map: readonly (Claim | null)[] }) => {
      const free = wanted(map);
      return free.length === 0 ? undefined : withClaims(map, free, { node, journal, at: clock.now() });
    };
    await ownership.change({ by: journal, make, name: { node, name: nodeName }, mayAppend, stopped, isRead });
  }
  return claimedBy(journal, ownership, partitions);
}

/** take-over.S5: the partitions that the map gives to this journal, with their epochs. */
export function claimedBy(
  journal: JournalId,
  { ownership }: OwnershipMap,
  partitions: readonly number[],
): Map<number, number> {
  const epochs = new Map<number, number>();
  for (const partition of partitions) {
    const claim = ownership.map[partition];
    if (isHeld(claim) && claim.journal === journal) epochs.set(partition, claim.epoch);
  }
  return epochs;
}

/**
 * Reads the products of a partition that another node still runs, so that its load reads only what has changed since.
 * @returns undefined when nothing of it is stored
 */
export async function loadAhead(
  { partitions, snapshots }: TakeOverParts,
  partition: number,
): Promise<Ahead | undefined> {
  const { products, partitions: rows, journals } = await snapshots.load([partition], partitions, []);
  const upTo = foldedTo(rows, journals).get(partition);
  return upTo && { products, upTo };
}

/**
 * Loads and replays partitions that this journal has claimed.
 * @param ahead by partition: what was loaded before the claim
 * @returns undefined when told to stop. @throws LostRecords, UnreadableRecord
 */
export async function load(
  taking: Taking,
  epochs: ReadonlyMap<number, number>,
  ahead: ReadonlyMap<number, Ahead>,
): Promise<Taken | undefined> {
  const { journal, partitions, log, snapshots, ownership, stopped } = taking;
  const claims = new Map<number, Chain>();
  for (const [partition, epoch] of epochs) {
    const before = (ownership.ownership.chains[partition] ?? []).filter((each) => each.epoch < epoch);
    claims.set(partition, { epoch, before });
  }
  const sealed = await replayedJournals(taking, claims);
  const rowsOf = async () => new Map((await snapshots.journals()).map((row) => [row.journal, row]));
  let rows: ReadonlyMap<JournalId, JournalRow> = new Map();
  // A partition that was released needs none of this, and serves nobody meanwhile.
  if (sealed.size > 0) {
    const open = await rowsOf();
    if (stopped()) return undefined;
    // take-over.S3: this includes journals that a predecessor sealed before it crashed. A missing row counts as closed.
    await snapshots.closeJournals([...sealed].filter((name) => open.get(name)?.closed === false));
    rows = await rowsOf();
  }
  const tails = new Map<JournalId, JournalTail>();
  for (const name of sealed) {
    if (stopped()) return undefined;
    tails.set(name, await readTail(log, name, rows.get(name)));
  }
  if (stopped()) return undefined;
  const isTaken = (order: OrderId) => epochs.has(partitionOf('order', order, partitions));
  const named = ordersIn(tails.values()).filter(isTaken); // Another partition's orders may run here already.
  const known = [...ahead].filter(([partition]) => epochs.has(partition));
  const since = new Map(known.map(([partition, { upTo }]) => [partition, upTo]));
  const changed = await snapshots.load([...epochs.keys()], partitions, named, since); // take-over.S4
  const before = known.flatMap(([, { products }]) => products);
  const loaded = { ...changed, products: newest(before, changed.products) };
  mustBeSame(sealed, rows, loaded.journals);
  if (stopped()) return undefined;
  const world = replay({ partitions, claims, tails, loaded });
  const joins = [...claims].map(([partition, each]) => joinOf({ journal, partition, ...each }));
  return { world, joins };
}

// ---------------------------------------------------------------- machinery

/** The journals that were not released, as far back as the partitions' rows need them. */
async function replayedJournals(
  { snapshots }: Taking,
  claims: ReadonlyMap<number, Chain>,
): Promise<ReadonlySet<JournalId>> {
  const held = [...claims].map(([partition, { before }]) => ({ partition, held: before.filter(isHeld) }));
  if (held.every((each) => each.held.length === 0)) return new Set();
  const marks = new Map((await snapshots.partitionMarks()).map(({ partition, epoch }) => [partition, epoch]));
  const needed = held.flatMap(({ partition, held }) =>
    held.filter(({ epoch }) => epoch >= (marks.get(partition) ?? 1)),
  );
  return new Set(needed.map(({ journal }) => journal));
}

/**
 * Seals those journals of the dead that hold one of the partitions.
 * @returns all sealed journals that hold one: also those that others have sealed
 */
async function sealDead(
  { log, clock, journal, ownership, snapshots, stopped }: Taking,
  partitions: readonly number[],
  dead: readonly JournalId[],
): Promise<Set<JournalId>> {
  const sealed = new Set<JournalId>();
  const { map } = await ownership.refresh();
  const held = partitions.map((partition) => map[partition]).filter(isHeld);
  const holders = new Set(held.map((claim) => claim.journal));
  holders.delete(journal);
  if (holders.size === 0) return sealed;
  const places = new Map((await snapshots.journals()).map((row) => [row.journal, row.folded]));
  for (const holder of holders) {
    const from = places.get(holder);
    const isEnded = dead.includes(holder)
      ? await sealJournal({ log, clock, journal: holder, by: journal, from, stopped })
      : await isSealed(log, holder, from);
    if (isEnded) sealed.add(holder);
  }
  return sealed;
}

function newest(before: readonly StoredProduct[], changed: readonly StoredProduct[]): readonly StoredProduct[] {
  if (before.length === 0) return changed;
  return [...new Map([...before, ...changed].map((product) => [product.state.id, product])).values()];
}

/** A closed row does not move. It goes only once nobody needs the journal. */
function mustBeSame(
  sealed: ReadonlySet<JournalId>,
  rows: ReadonlyMap<JournalId, JournalRow>,
  loaded: readonly JournalRow[],
): void {
  const now = new Map(loaded.map((row) => [row.journal, row]));
  for (const name of sealed) {
    if (rows.get(name)?.folded.n === now.get(name)?.folded.n) continue;
    throw new Error(`the row of the sealed journal ${name} changed while it was read: read it again`);
  }
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
