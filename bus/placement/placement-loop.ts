/**
 * Keeps a node's partitions as they should be: looks every placementStepMs at who is there and who owns what, and asks
 * the running incarnation to take, preload or give partitions.
 *
 *  P1. One step at a time, and every call of a step has a deadline. A hint only makes the next step come earlier.
 *  P2. A step begins by reading the time. What it learns counts as seen then: a process that slept meanwhile was late.
 *  P3. Nothing is taken, preloaded or given on a map that is not as new as the step.
 *  P4. Without NATS a node cannot tell who lives. It takes nothing while another node owns anything.
 *  P5. Without an incarnation a node is no member: it puts no heartbeat.
 *  P6. A seal is no sign of life: several nodes take over a dead one's partitions, and one of them has sealed its journal.
 */
import type { JournalId, NodeId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { type Claim, journalLog } from '../../actors/node/record.js';
import { Judge } from '../../actors/placement/judge.js';
import { Moves } from '../../actors/placement/moves.js';
import { type View, Views } from '../../actors/placement/view.js';
import type { Log, Position } from '../../actors/ports/log.js';
import type { Members } from '../../actors/ports/members.js';
import type { PlacedNode } from '../../actors/ports/placement.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { NOWHERE } from '../../actors/ports/snapshot-rows.js';
import { isSealed } from '../journal/seal.js';
import type { PartitionHost } from '../node/partition-host.js';
import { within } from '../retry.js';
import { Neighbours } from './neighbours.js';
import { Undertakings } from './undertakings.js';

/** Who keeps a node's partitions as they should be. */
export type Placement = Pick<
  PlacementLoop,
  'start' | 'stop' | 'leave' | 'hint' | 'ownersChanged' | 'memberCount' | 'others' | 'isGone'
>;

export interface PlacementParts {
  readonly node: NodeId;
  /** This node's name for people. */
  readonly name: string;
  /** Undefined without NATS. */
  readonly members: Members | undefined;
  readonly ownership: OwnershipView;
  readonly log: Pick<Log, 'end' | 'read'>;
  /** Rejects while Postgres does not answer. */
  readonly probe: () => Promise<void>;
  /** The running incarnation. */
  readonly host: () => PartitionHost | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called with the owner that this node waits for; undefined when it waits for none (placement-loop.P4). */
  readonly onWaiting: (owner: NodeId | undefined) => void;
  /** Called after each step. */
  readonly onLooked: () => void;
  /** Called with the error of a take-over, or of a read of the claims. It is tried again. */
  readonly onFailed: (error: unknown) => void;
}

/** Who writes a journal. */
export interface Writer {
  readonly node: NodeId;
  readonly journal: JournalId;
}

/** The claims as this node last read them. */
interface OwnershipView {
  readonly ownership: { readonly map: readonly (Claim | null)[] };
  refresh(): Promise<unknown>;
}

export class PlacementLoop {
  private readonly judge = new Judge();
  private readonly views = new Views();
  private readonly moves = new Moves();
  private readonly neighbours: Neighbours;
  private undertakings: Undertakings | undefined;
  private view: View = { digest: '', sharing: [], leaving: new Set(), isSettled: false };
  private putAtMs = Number.NEGATIVE_INFINITY;
  private told: ReadonlySet<NodeId> = new Set();
  private hurried = false;
  private wake: (() => void) | undefined;
  /** Of the journals that were looked at in the last step. */
  private ends: ReadonlyMap<JournalId, Position> = new Map();
  private isLeaving = false;
  private isOver = false;

  constructor(private readonly parts: PlacementParts) {
    this.neighbours = new Neighbours(parts.node);
  }

  start(): void {
    void this.live();
  }

  /** How many nodes share the stores, as far as this one knows; itself included. */
  get memberCount(): number {
    return Math.max(1, this.view.sharing.length);
  }

  /** The other nodes that have a heartbeat; of one that ended it stays for a minute. */
  get others(): readonly PlacedNode[] {
    const { gone } = this.judge;
    return this.neighbours.heartbeats
      .filter(({ node }) => node !== this.parts.node)
      .map(({ node, name }) => ({ node, name, alive: !gone.has(node) }));
  }

  /** Whether another node than this one is dead, or has neither a heartbeat nor a partition. Without NATS nobody can tell. */
  isGone({ node }: Writer): boolean {
    return this.parts.members !== undefined && this.judge.isGone(node);
  }

  /**
   * Something may have changed: a claim, or no answer from a peer. The next step comes at once.
   * @param suspect a node that did not answer: its journal is looked at earlier, once until its next heartbeat. That is no
   *   evidence of death.
   */
  hint(suspect?: NodeId): void {
    if (suspect !== undefined && !this.judge.suspect(suspect)) return;
    this.hurried = true;
    this.wake?.();
  }

  /** The claims were read. What they release for this node serves nobody until it is taken: that waits for no step. */
  ownersChanged(): void {
    const { node: me, members, ownership, host: running } = this.parts;
    const { undertakings } = this;
    const isOut = this.isLeaving || this.isOver || members === undefined;
    if (!isOut && undertakings !== undefined && running() === undertakings.host) {
      const { host, taking, giving } = undertakings;
      const { map } = ownership.ownership;
      undertakings.receive(this.moves.handedOver({ map, me, mine: new Set(host.states().keys()), taking, giving }));
    }
    this.hint();
  }

  /**
   * From now on this node takes nothing more, and the others hear that it leaves. Resolves when no take-over is under way:
   * a claim that lands after the release of everything would be nobody's.
   */
  async leave(): Promise<void> {
    this.isLeaving = true;
    this.hint();
    // The others see the release anyway.
    await Promise.all([this.undertakings?.taken, this.putHeartbeat().catch(() => {})]);
  }

  stop(): void {
    this.isOver = true;
    this.wake?.();
  }

  // -------------------------------------------------------------- machinery

  /** placement-loop.P1 */
  private async live(): Promise<void> {
    const { clock, logger } = this.parts;
    while (!this.isOver) {
      const sinceMs = clock.monotonic();
      this.hurried = false;
      await this.step(sinceMs).catch((error) => logger.error({ err: error }, 'placement cannot look'));
      this.parts.onLooked();
      if (!this.isOver && !this.hurried) await this.rest(sinceMs + limits.placementStepMs - clock.monotonic());
    }
  }

  private rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.parts.clock.after(Math.max(0, ms), () => this.wake?.());
      this.wake = () => {
        cancel();
        this.wake = undefined;
        resolve();
      };
    });
  }

  private async step(atMs: number): Promise<void> {
    const { members, ownership, host: running } = this.parts;
    const host = running();
    if (host !== this.undertakings?.host) this.undertakings = host && this.undertakingsOf(host);
    const asked = [
      this.call(this.claims(), 'the claims log'),
      ...(members === undefined ? [] : [this.putWhenDue(atMs), this.look(members)]),
    ];
    const [refreshed, ...others] = (await Promise.allSettled(asked)).map(({ status }) => status === 'fulfilled');
    const suspects = this.judge.suspects();
    const isSomebodySilent = suspects.length > 0 || this.judge.gone.size > 0;
    const [{ ends, isClear }, postgresAnswers] = await Promise.all([
      this.endsOf(suspects),
      !isSomebodySilent || this.answers(),
    ]);
    const { map } = ownership.ownership;
    this.judge.see({
      atMs,
      isClear: isClear && refreshed === true && others.every(Boolean),
      postgresAnswers,
      watched: members === undefined ? new Map() : this.neighbours.watched(map),
      ends,
    });
    this.tell();
    const isOut = this.isLeaving || this.undertakings === undefined;
    const { gone, watchedMs } = this.judge;
    this.view = this.views.see(this.parts.node, isOut, this.neighbours.heartbeats, gone, watchedMs);
    if (refreshed === true && this.mayAct(map) && this.undertakings !== undefined) this.act(this.undertakings, map);
  }

  /** placement-loop.P3 */
  private act(undertakings: Undertakings, map: readonly (Claim | null)[]): void {
    const { node: me, host: running } = this.parts;
    const { host, taking, giving, preloaded } = undertakings;
    if (running() !== host || this.isOver) return;
    const states = [...host.states()];
    const plan = this.moves.plan({
      watchedMs: this.judge.watchedMs,
      ...{ me, journal: host.journal, map, view: this.view, dead: this.judge.dead, isLeaving: this.isLeaving },
      mine: new Set(states.map(([partition]) => partition)),
      running: new Set(states.filter(([, { state }]) => state === 'running').map(([partition]) => partition)),
      wants: new Map(this.neighbours.heartbeats.map(({ node, wants }) => [node, wants])),
      ...{ taking, giving, preloaded },
    });
    undertakings.take(plan.take, plan.seal);
    for (const partition of plan.drop) undertakings.drop(partition);
    for (const want of plan.preload) undertakings.preload(want);
    for (const { partition, to } of plan.give) undertakings.give(partition, to);
  }

  /** placement-loop.P4 */
  private mayAct(map: readonly (Claim | null)[]): boolean {
    const { members, node, onWaiting } = this.parts;
    if (members !== undefined) return true;
    const other = map.find((claim) => claim !== null && claim.released === undefined && claim.node !== node);
    onWaiting(other?.node);
    return other === undefined;
  }

  private undertakingsOf(host: PartitionHost): Undertakings {
    const { clock, logger } = this.parts;
    return new Undertakings({
      ...{ host, clock, logger },
      onEnded: () => this.hint(),
      onFailed: this.parts.onFailed,
      onKept: (partition) => this.moves.notGiven(partition, this.judge.watchedMs),
    });
  }

  // -------------------------------------------------------------- what a step asks

  private claims(): Promise<unknown> {
    const { ownership, onFailed } = this.parts;
    return ownership.refresh().catch((error) => {
      onFailed(error);
      throw error;
    });
  }

  private async putWhenDue(atMs: number): Promise<void> {
    // Half a step early: a step comes a little late rather than never too early.
    if (atMs - this.putAtMs < limits.heartbeatMs - limits.placementStepMs / 2) return;
    await this.putHeartbeat();
    this.putAtMs = atMs;
  }

  private async putHeartbeat(): Promise<void> {
    const { members, node, name } = this.parts;
    if (members === undefined || this.undertakings === undefined) return; // placement-loop.P5
    const { host, wants } = this.undertakings;
    const heartbeat = { node, name, journal: host.journal, digest: this.view.digest, wants, leaving: this.isLeaving };
    await this.call(members.put(heartbeat), 'the bucket of heartbeats');
  }

  private async look(members: Members): Promise<void> {
    this.neighbours.saw(await this.call(members.all(), 'the bucket of heartbeats'));
  }

  private async endsOf(suspects: readonly NodeId[]): Promise<{ ends: Map<JournalId, Position>; isClear: boolean }> {
    const watched = this.neighbours.watched(this.parts.ownership.ownership.map);
    const journals = suspects.flatMap((node) => watched.get(node)?.journals ?? []);
    const ends = new Map<JournalId, Position>();
    const looks = journals.map(async (journal) => {
      ends.set(journal, await this.call(this.endOf(journal), 'the journal'));
    });
    const looked = await Promise.allSettled(looks);
    this.ends = ends;
    return { ends, isClear: looked.every(({ status }) => status === 'fulfilled') };
  }

  /** placement-loop.P6 */
  private async endOf(journal: JournalId): Promise<Position> {
    const { log } = this.parts;
    const before = this.ends.get(journal);
    const end = await log.end(journalLog(journal));
    if (before === undefined || end <= before) return end;
    return (await isSealed(log, journal, { ...NOWHERE, position: before })) ? before : end;
  }

  private answers(): Promise<boolean> {
    return this.call(this.parts.probe(), 'Postgres').then(
      () => true,
      () => false,
    );
  }

  private call<T>(asked: Promise<T>, whom: string): Promise<T> {
    const { clock } = this.parts;
    return within(clock, limits.placementCallMs, asked, `${whom} did not answer placement in time`);
  }

  private tell(): void {
    const { gone } = this.judge;
    const { logger } = this.parts;
    const nameOf = (node: NodeId) => this.neighbours.heartbeatOf(node)?.name ?? node;
    for (const node of gone) {
      if (this.told.has(node)) continue;
      logger.warn({ node }, `node ${nameOf(node)} is gone: its heartbeat and its journals stand still`);
    }
    for (const node of this.told) {
      if (!gone.has(node) && this.neighbours.heartbeatOf(node)) logger.info({ node }, `node ${nameOf(node)} is back`);
    }
    this.told = new Set(gone);
  }
}
