/**
 * Who is dead, as one node judges it. A judgement decides only when to try a take-over: no promise rests on it.
 *
 *  J1. Dead is a node whose heartbeat and whose journals' ends all stood still for silentMs of the judge's running time.
 *  J2. Running time is what passes between sights that come in time. A judge that was late has watched nobody: its time
 *      stood still, and it judges nobody for silentMs.
 *  J3. While the heartbeats cannot be put and read, or the journals' store does not answer, nobody is judged, nor for
 *      silentMs after. A broker that was away comes back without a heartbeat, and nobody could append meanwhile.
 *  J4. While Postgres does not answer, nobody is judged: nobody could take over.
 *  J5. A full store is no death: the owner of a full journal still puts its heartbeat, and a full bucket takes no
 *      heartbeat of the judge either (judge.J3, hazard 10).
 */
import type { JournalId, NodeId } from '../ids.js';
import { limits } from '../limits.js';
import type { Position } from '../ports/log.js';

/** Who is watched, and what shows that they live. */
interface Watched {
  /** Absent while there is no heartbeat. */
  readonly revision?: number | undefined;
  /** Its journals as far as the claims and its heartbeat name them. */
  readonly journals: readonly JournalId[];
}

export interface Sight {
  /** The judge's monotonic time, read before the stores are asked. */
  readonly atMs: number;
  /** The heartbeats were put and read, and every end that was asked for was told (judge.J3). */
  readonly isClear: boolean;
  readonly postgresAnswers: boolean;
  readonly watched: ReadonlyMap<NodeId, Watched>;
  /** The ends of the journals of `suspects`. */
  readonly ends: ReadonlyMap<JournalId, Position>;
}

/** When each sign of a node last moved, in running time. A sign that was never seen begins with the first look. */
interface Signs {
  revision: number | undefined;
  revisionAtMs: number;
  isSuspected: boolean;
  readonly ends: Map<JournalId, { end: Position; atMs: number }>;
}

export class Judge {
  private runningMs = 0;
  private lastAtMs: number | undefined;
  /** In running time. Infinite until the first clear sight. */
  private clearSinceMs = Number.POSITIVE_INFINITY;
  private readonly signs = new Map<NodeId, Signs>();
  private readonly silent = new Set<NodeId>();
  /** Since when a node that somebody asked for shows no sign at all, in running time. */
  private readonly absent = new Map<NodeId, number>();
  private canTakeOver = false;

  /** Time that this judge has watched, in milliseconds. */
  get watchedMs(): number {
    return this.runningMs;
  }

  /** Nodes that stood still for silentMs, until they move again. They are no members. */
  get gone(): ReadonlySet<NodeId> {
    return this.silent;
  }

  /** Nodes whose journals may be sealed now. */
  get dead(): ReadonlySet<NodeId> {
    return this.mayJudge && this.canTakeOver ? this.silent : NOBODY;
  }

  /** Whether the node is dead, or had neither a heartbeat nor a partition for silentMs. */
  isGone(node: NodeId): boolean {
    if (this.signs.has(node)) return this.dead.has(node);
    const absentSinceMs = this.absent.get(node) ?? this.runningMs;
    this.absent.set(node, absentSinceMs);
    return this.mayJudge && this.canTakeOver && this.runningMs - absentSinceMs >= limits.silentMs;
  }

  /** Nodes without a heartbeat for some time: the ends of their journals are wanted with the next sight. */
  suspects(): NodeId[] {
    const isSuspect = ([, { revisionAtMs, isSuspected }]: [NodeId, Signs]) =>
      isSuspected || this.runningMs - revisionAtMs >= limits.heartbeatMs;
    return [...this.signs].filter(isSuspect).map(([node]) => node);
  }

  /**
   * Makes a node a suspect until its next heartbeat. That is no evidence: it only makes the judge look earlier.
   * @returns whether there is something new to look at
   */
  suspect(node: NodeId): boolean {
    const signs = this.signs.get(node);
    if (signs === undefined || signs.isSuspected) return false;
    signs.isSuspected = true;
    return true;
  }

  see({ atMs, isClear, postgresAnswers, watched, ends }: Sight): void {
    const passedMs = atMs - (this.lastAtMs ?? atMs);
    const isLate = passedMs > limits.judgeLateMs;
    this.lastAtMs = atMs;
    if (!isLate) this.runningMs += passedMs;
    this.canTakeOver = postgresAnswers;
    if (!isClear) this.clearSinceMs = Number.POSITIVE_INFINITY;
    else if (isLate || this.clearSinceMs === Number.POSITIVE_INFINITY) this.clearSinceMs = this.runningMs;
    for (const node of this.signs.keys()) if (!watched.has(node)) this.forget(node);
    for (const [node, { revision, journals }] of watched) this.watch(node, revision, journals, ends);
  }

  // -------------------------------------------------------------- machinery

  private get mayJudge(): boolean {
    return this.runningMs - this.clearSinceMs >= limits.silentMs;
  }

  private watch(
    node: NodeId,
    revision: number | undefined,
    journals: readonly JournalId[],
    ends: ReadonlyMap<JournalId, Position>,
  ): void {
    this.absent.delete(node);
    const signs = this.signs.get(node) ?? this.unseen(revision);
    this.signs.set(node, signs);
    if (revision !== undefined && revision !== signs.revision) {
      signs.revision = revision;
      signs.revisionAtMs = this.runningMs;
      signs.isSuspected = false;
      this.silent.delete(node);
    }
    for (const journal of signs.ends.keys()) if (!journals.includes(journal)) signs.ends.delete(journal);
    for (const journal of journals) {
      const end = ends.get(journal);
      const known = signs.ends.get(journal);
      if (end === undefined || end === known?.end) continue;
      signs.ends.set(journal, { end, atMs: this.runningMs });
      if (known !== undefined) this.silent.delete(node);
    }
    if (this.mayJudge && this.isStill(signs, journals)) this.silent.add(node);
  }

  /** judge.J1 */
  private isStill({ revisionAtMs, ends }: Signs, journals: readonly JournalId[]): boolean {
    const since = (atMs: number | undefined) => atMs !== undefined && this.runningMs - atMs >= limits.silentMs;
    return since(revisionAtMs) && journals.every((journal) => since(ends.get(journal)?.atMs));
  }

  private unseen(revision: number | undefined): Signs {
    return { revision, revisionAtMs: this.runningMs, isSuspected: false, ends: new Map() };
  }

  private forget(node: NodeId): void {
    this.signs.delete(node);
    this.silent.delete(node);
  }
}

const NOBODY: ReadonlySet<NodeId> = new Set();
