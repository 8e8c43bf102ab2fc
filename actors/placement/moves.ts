/**
 * What a node does next about its partitions: take some, preload some, give some away.
 *
 *  M1. A node takes what is free, what a dead node holds, and what an earlier incarnation of its own holds. What the
 *      claims say is its own and does not run, it takes as well: a claim can land late.
 *  M2. Who should have a partition takes it at once. Everybody else waits, each member longer than the one before it:
 *      so they do not all try, and one that cannot take over keeps nobody waiting for long.
 *  M3. A release that names a receiver is the receiver's for releaseWaitMs, then its giver's again, then everybody's.
 *  M4. A node preloads what should be its own and another living node runs, at most movesAtOnce partitions at a time,
 *      and says so in its heartbeat.
 *  M5. A node gives a partition only to the member that should have it and has preloaded it at the present epoch, while
 *      all members agree, and at most movesAtOnce partitions at a time. With moves.M4 both ends of a move are limited.
 *  M6. A partition that came back, or could not be given, is not given again for giveAgainMs.
 */
import type { JournalId, NodeId } from '../ids.js';
import { limits } from '../limits.js';
import type { Claim } from '../node/record.js';
import type { Want } from '../ports/members.js';
import { ranked, sharesOf } from './rendezvous.js';
import type { View } from './view.js';

export interface Scene {
  /** The judge's running time. */
  readonly watchedMs: number;
  readonly me: NodeId;
  readonly journal: JournalId;
  readonly map: readonly (Claim | null)[];
  /** The partitions that this incarnation has, in whatever state. */
  readonly mine: ReadonlySet<number>;
  /** Those of them that run. */
  readonly running: ReadonlySet<number>;
  readonly view: View;
  /** Nodes whose journals may be sealed now. */
  readonly dead: ReadonlySet<NodeId>;
  /** What the other nodes want, by their heartbeats. */
  readonly wants: ReadonlyMap<NodeId, readonly Want[]>;
  /** By partition: the epoch at which it is preloaded, or being preloaded. */
  readonly preloaded: ReadonlyMap<number, number>;
  readonly taking: ReadonlySet<number>;
  readonly giving: ReadonlySet<number>;
  readonly isLeaving: boolean;
}

export interface Plan {
  readonly take: readonly number[];
  /** The unreleased journals of what is taken. */
  readonly seal: readonly JournalId[];
  readonly preload: readonly Want[];
  /** Preloads that serve no more. */
  readonly drop: readonly number[];
  readonly give: readonly { readonly partition: number; readonly to: NodeId }[];
}

export class Moves {
  /** By partition: since when it is free, at which epoch, in running time. */
  private readonly freeSince = new Map<number, { readonly epoch: number; readonly atMs: number }>();
  /** By partition: until when it is not given away, in running time (moves.M6). */
  private readonly keptUntil = new Map<number, number>();

  plan(scene: Scene): Plan {
    const { map, isLeaving, view } = scene;
    const shares = sharesOf(
      view.sharing,
      map.map((claim, partition) => this.holder(scene, claim, partition)),
    );
    const free = map.flatMap((claim, partition) => (this.isFree(scene, claim, partition) ? [partition] : []));
    for (const partition of this.freeSince.keys()) if (!free.includes(partition)) this.freeSince.delete(partition);
    const take = isLeaving ? [] : free.filter((partition) => this.isTaken(scene, partition, shares[partition]));
    const seal = take.flatMap((partition) => {
      const claim = map[partition];
      return claim && claim.released === undefined && claim.journal !== scene.journal ? [claim.journal] : [];
    });
    return {
      take,
      seal: [...new Set(seal)],
      ...this.preloads(scene, shares),
      give: isLeaving ? [] : this.gifts(scene, shares),
    };
  }

  /** moves.M3: what was released for this node, and neither runs nor is taken here. It is taken on sight. */
  handedOver({ map, me, mine, taking, giving }: Pick<Scene, 'map' | 'me' | 'mine' | 'taking' | 'giving'>): number[] {
    return map.flatMap((claim, partition) => {
      const isFor = claim?.released !== undefined && claim.to === me;
      return isFor && !mine.has(partition) && !taking.has(partition) && !giving.has(partition) ? [partition] : [];
    });
  }

  /** moves.M6 */
  notGiven(partition: number, watchedMs: number): void {
    this.keptUntil.set(partition, watchedMs + limits.giveAgainMs);
  }

  // -------------------------------------------------------------- machinery

  /** The member that has the partition, or that a fresh release names. */
  private holder({ view, watchedMs }: Scene, claim: Claim | null, partition: number): NodeId | undefined {
    if (claim === null) return undefined;
    const holder = claim.released === undefined ? claim.node : claim.to;
    if (holder === undefined || !view.sharing.includes(holder)) return undefined;
    if (claim.released === undefined) return holder;
    return this.freeForMs(partition, claim.epoch, watchedMs) < limits.releaseWaitMs ? holder : undefined;
  }

  /** moves.M1 */
  private isFree({ me, mine, dead }: Scene, claim: Claim | null, partition: number): boolean {
    if (mine.has(partition)) return false;
    if (claim === null || claim.released !== undefined) return true;
    return claim.node === me || dead.has(claim.node);
  }

  /** Whether this node takes the free partition now. */
  private isTaken(scene: Scene, partition: number, should: NodeId | undefined): boolean {
    const { map, me, journal, taking, giving, watchedMs, view } = scene;
    const claim = map[partition] ?? null;
    const freeForMs = this.freeForMs(partition, claim?.epoch ?? 0, watchedMs);
    if (taking.has(partition) || giving.has(partition)) return false;
    let turn = turnOf(me, should, view, partition); // moves.M2
    if (claim !== null && claim.released === undefined && claim.node === me) turn = claim.journal === journal ? 1 : 0;
    const to = claim?.released === undefined ? undefined : claim.to;
    if (to === me) turn = 0;
    else if (to !== undefined && view.sharing.includes(to)) turn = claim?.node === me ? 1 : 2 + turn; // moves.M3
    const isDue = freeForMs >= turn * limits.releaseWaitMs;
    if (isDue && to !== undefined && to !== me && claim?.node === me) this.notGiven(partition, watchedMs);
    return isDue;
  }

  private freeForMs(partition: number, epoch: number, watchedMs: number): number {
    const known = this.freeSince.get(partition);
    if (known?.epoch === epoch) return watchedMs - known.atMs;
    this.freeSince.set(partition, { epoch, atMs: watchedMs });
    return 0;
  }

  /** moves.M4 */
  private preloads(scene: Scene, shares: readonly (NodeId | undefined)[]): Pick<Plan, 'preload' | 'drop'> {
    const { map, me, preloaded, view, mine, isLeaving } = scene;
    const isGiver = (node: NodeId) => node !== me && (view.sharing.includes(node) || view.leaving.has(node));
    const epochs = new Map<number, number>();
    for (const [partition, claim] of map.entries()) {
      if (claim === null || claim.released !== undefined || !isGiver(claim.node)) continue;
      if (!isLeaving && shares[partition] === me && !mine.has(partition)) epochs.set(partition, claim.epoch);
    }
    const kept = [...preloaded].filter(([partition, epoch]) => epochs.get(partition) === epoch);
    const keeps = new Set(kept.map(([partition]) => partition));
    const more = [...epochs].filter(([partition]) => view.isSettled && !keeps.has(partition));
    const drop = [...preloaded.keys()].filter((partition) => !keeps.has(partition) && !mine.has(partition));
    const preload = more.slice(0, Math.max(0, limits.movesAtOnce - kept.length));
    return { preload: preload.map(([partition, epoch]) => ({ partition, epoch })), drop };
  }

  /** moves.M5 */
  private gifts(scene: Scene, shares: readonly (NodeId | undefined)[]): Plan['give'] {
    const { map, me, journal, running, giving, wants, view, watchedMs } = scene;
    if (!view.isSettled) return [];
    const gifts = [...running].flatMap((partition) => {
      const claim = map[partition];
      const to = shares[partition];
      if (!claim || claim.journal !== journal || claim.released !== undefined) return [];
      if (to === undefined || to === me || giving.has(partition)) return [];
      if (watchedMs < (this.keptUntil.get(partition) ?? 0)) return [];
      const wanted = wants.get(to)?.some((each) => each.partition === partition && each.epoch === claim.epoch);
      return wanted === true ? [{ partition, to }] : [];
    });
    return gifts.slice(0, Math.max(0, limits.movesAtOnce - giving.size));
  }
}

/** moves.M2: how many others come before this node. */
function turnOf(me: NodeId, should: NodeId | undefined, { sharing }: View, partition: number): number {
  if (should === me) return 0;
  const others = ranked(sharing, partition).filter((each) => each !== should);
  return 1 + Math.max(0, others.indexOf(me));
}
