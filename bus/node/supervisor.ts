/**
 * Runs one incarnation of a node after the other, and passes the edge's requests to the current incarnation. It exists
 * from the start of the process. While no incarnation runs, it answers each request with the reason.
 *
 * An incarnation begins without partitions; the placement loop (bus/placement) says which it takes and gives. The edge
 * is let in when every partition has an owner for the first time.
 *
 * An incarnation whose journal is sealed has been taken over: it drops its memory, and the next one begins.
 * An incarnation fails on lost records or broken code: the process then ends with the error.
 */
import type { JournalId, NodeId, OrderId, ProductId } from '../../actors/ids.js';
import { isHeld } from '../../actors/node/claims.js';
import { LostRecords } from '../../actors/node/lost-records.js';
import { UnreadableRecord } from '../../actors/node/record.js';
import type { Log } from '../../actors/ports/log.js';
import type { Members } from '../../actors/ports/members.js';
import type {
  ActReply,
  ActRequest,
  NoAnswer,
  Owners,
  PlaceReply,
  PlaceRequest,
  StockReply,
  StockRequest,
} from '../../actors/ports/owners.js';
import type { PlacedNode } from '../../actors/ports/placement.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { Unavailable } from '../../actors/unavailable.js';
import { isSealed } from '../journal/seal.js';
import type { LocalPost } from '../letters/local-post.js';
import { type Placement, PlacementLoop, type PlacementParts } from '../placement/placement-loop.js';
import { pause, untilAnswered, within } from '../retry.js';
import { STOPPING } from './driver.js';
import { Incarnation, type IncarnationParts } from './incarnation.js';
import { OwnershipMap } from './ownership-map.js';

type Given = 'ownership' | 'isStopping' | 'members' | 'isGone' | 'clock' | 'logger';

export interface SupervisorParts extends Omit<IncarnationParts, Given> {
  readonly post: LocalPost;
  /** The claims log, where this process reads it too; without it the supervisor reads it. */
  readonly ownership?: OwnershipMap;
  /** What the nodes tell one another of themselves; undefined without NATS. Then only one node may own partitions. */
  readonly heartbeats?: Members | undefined;
  /** Says which partitions this node takes and gives; without it the placement loop. */
  readonly placement?: (parts: PlacementParts) => Placement;
}

/** Why no incarnation answers yet: the process has just begun. */
export const STARTING = 'This node is starting.';

export class Supervisor implements Owners {
  /** Resolves when the node was stopped; rejects with an error that a later incarnation would meet again. */
  readonly ended: Promise<void>;
  /** Resolves when the first incarnation runs. */
  readonly begun: Promise<void>;
  /** Resolves when the first incarnation runs, or when it waits for another node. */
  readonly up: Promise<void>;
  /** From its first moment on. */
  private life: Incarnation | undefined;
  /** The same, once the edge is let in. */
  private current: Incarnation | undefined;
  private map: OwnershipMap | undefined;
  private loop: Placement | undefined;
  private waitsFor: NodeId | undefined;
  /** The incarnation that is about to be the current one. */
  private letsIn: Incarnation | undefined;
  /** The incarnation whose failure is looked into. */
  private asksWhy: Incarnation | undefined;
  private stopping = false;
  /** The deadline of the stop, on the monotonic clock. */
  private stopBy = Number.POSITIVE_INFINITY;
  private abandoned: { readonly error: unknown } | undefined;
  private hasBegun!: () => void;
  private isUp!: () => void;
  private endWith!: (end: Promise<void>) => void;

  constructor(
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {
    this.begun = new Promise((resolve) => {
      this.hasBegun = resolve;
    });
    this.up = new Promise((resolve) => {
      this.isUp = resolve;
    });
    this.ended = new Promise((resolve) => {
      this.endWith = resolve;
    });
  }

  /** Begins the first incarnation, once the journal and the stores are open. */
  start(parts: SupervisorParts): void {
    const { partitions, log } = parts;
    const { clock, logger } = this;
    const map = parts.ownership ?? new OwnershipMap({ partitions, log, clock, logger });
    const loop = this.loopOf(parts, map);
    this.map = map;
    this.loop = loop;
    map.watch(() => loop.ownersChanged());
    map.start();
    loop.start();
    const ended = this.live(parts, map, loop).finally(() => {
      loop.stop();
      map.stop();
    });
    this.endWith(ended);
  }

  /** Who owns what; undefined before the start. */
  get ownership(): OwnershipMap | undefined {
    return this.map;
  }

  /** How many nodes own partitions or may, as far as this one knows; 0 before the start. */
  get memberCount(): number {
    return this.loop?.memberCount ?? 0;
  }

  /** The journal's node did not answer: it is looked at earlier. */
  suspect(journal: JournalId): void {
    const claim = this.map?.ownership.map.find((each) => each?.journal === journal);
    if (claim != null) this.loop?.hint(claim.node);
  }

  /** The other nodes, as far as this one knows. */
  get others(): readonly PlacedNode[] {
    return this.loop?.others ?? [];
  }

  /** The present incarnation, also before the edge is let in. */
  get incarnation(): Incarnation | undefined {
    return this.life;
  }

  /** Releases all partitions, also those that a take-over under way has claimed. Past the deadline it only returns. */
  async stop(deadlineMs: number): Promise<void> {
    const { clock, logger } = this;
    this.stopping = true;
    if (this.map === undefined) return;
    this.stopBy = Math.min(this.stopBy, clock.monotonic() + deadlineMs);
    const left = this.loop?.leave() ?? Promise.resolve();
    const late = 'a take-over under way did not end in time';
    await within(clock, this.rest() / 2, left, late).catch((error) =>
      logger.warn({ cause: String(error) }, 'stopping'),
    );
    await this.life?.stop(this.rest());
    const ended = this.ended.catch(() => {}); // The code that awaits `ended` handles the error.
    await within(clock, this.rest(), ended, 'the take-over under way did not end in time').catch((error) => {
      logger.warn({ cause: String(error) }, 'stopping without a release: the next start of this folder takes over');
    });
  }

  /** Ends at once, without a last append or flush: the memory may be wrong, the appended records are right. */
  abandon(error: unknown): void {
    this.stopping = true;
    this.stopBy = Number.NEGATIVE_INFINITY;
    this.abandoned = { error };
    this.life?.driver.finish({ kind: 'failed', error });
  }

  /** Why no incarnation answers, as a sentence for clients; undefined while one runs. */
  get absence(): string | undefined {
    if (this.current !== undefined) return undefined;
    if (this.stopping) return STOPPING;
    if (this.map === undefined) return STARTING;
    if (this.waitsFor !== undefined) {
      const name = this.map.ownership.names[this.waitsFor] ?? this.waitsFor;
      return `This node waits for node ${name}, which serves now; it takes over when that one stops. Several nodes at once need NATS_URL.`;
    }
    return 'This node is taking over what its last run left.';
  }

  // -------------------------------------------------------------- Owners

  place(ask: PlaceRequest, waitMs: number): Promise<PlaceReply> {
    return this.current?.owners.place(ask, waitMs) ?? this.nobody();
  }

  act(ask: ActRequest, waitMs: number): Promise<ActReply> {
    return this.current?.owners.act(ask, waitMs) ?? this.nobody();
  }

  stock(ask: StockRequest, waitMs: number): Promise<StockReply> {
    return this.current?.owners.stock(ask, waitMs) ?? this.nobody();
  }

  order = async (id: OrderId) => this.owners().order(id);
  product = async (id: ProductId) => this.owners().product(id);
  flushed = async (id: OrderId) => this.owners().flushed(id);

  async notReady(): Promise<string | undefined> {
    return this.absence ?? this.owners().notReady();
  }

  // -------------------------------------------------------------- machinery

  private rest(): number {
    return Math.max(0, this.stopBy - this.clock.monotonic());
  }

  private nobody(): Promise<NoAnswer> {
    return Promise.resolve({ kind: 'unavailable', why: this.absence ?? '', absent: true });
  }

  private owners(): Owners {
    if (this.current === undefined) throw new Unavailable(this.absence, true);
    return this.current.owners;
  }

  private async live(parts: SupervisorParts, ownership: OwnershipMap, loop: Placement): Promise<void> {
    const { logger, clock } = this;
    const { post } = parts;
    for (let attempt = 0; !this.stopping; attempt++) {
      const life = new Incarnation({
        ...parts,
        ...{ ownership, clock, logger },
        isStopping: () => this.stopping,
        members: () => loop.memberCount,
        isGone: (of) => loop.isGone(of),
      });
      this.life = life;
      life.keep();
      post.deliverTo(life.driver);
      loop.hint();
      const ended = await life.ended;
      this.life = undefined;
      this.current = undefined;
      post.deliverTo(undefined);
      if (this.abandoned) throw this.abandoned.error;
      if (ended.kind === 'failed') throw ended.error;
      if (ended.kind === 'stopped') return;
      logger.warn({ journal: life.journal }, 'the journal was sealed by another: this node begins again');
      await pause(clock, attempt);
    }
    if (this.abandoned) throw this.abandoned.error;
  }

  private loopOf(parts: SupervisorParts, ownership: OwnershipMap): Placement {
    const { clock, logger } = this;
    const { node, nodeName: name, log, snapshots, heartbeats: members } = parts;
    const begin = parts.placement ?? ((given) => new PlacementLoop(given));
    return begin({
      ...{ node, name, members, ownership, log, clock, logger },
      probe: () => snapshots.probe(),
      host: () => this.life?.host,
      onWaiting: (owner) => this.waitFor(owner, ownership),
      onLooked: () => void this.letIn(parts, ownership),
      onFailed: (error) => void this.failed(error, log),
    });
  }

  /**
   * The edge is let in once every partition has an owner that is not known to be dead, and this node's own run. Then a readiness check
   * writes to the journal, which therefore has its row, also on a node without partitions.
   */
  private async letIn({ node }: SupervisorParts, map: OwnershipMap): Promise<void> {
    const { life } = this;
    if (life === undefined || this.current !== undefined || this.letsIn === life || !this.isOwned(node, map)) return;
    this.letsIn = life;
    const isOpen = await life.open().then(
      () => true,
      () => false, // The next step tries again.
    );
    this.letsIn = undefined;
    if (!isOpen || this.life !== life || this.stopping) return;
    this.current = life;
    this.hasBegun();
    this.isUp();
    this.logger.info({ journal: life.journal, partitions: life.host.states().size }, 'this node runs');
  }

  private isOwned(me: NodeId, { ownership }: OwnershipMap): boolean {
    const { life, loop, waitsFor } = this;
    if (waitsFor !== undefined) return false;
    const states = life?.host.states();
    return ownership.map.every((claim, partition) => {
      if (!isHeld(claim)) return false;
      if (claim.node !== me) return loop?.isGone(claim) === false;
      return claim.journal === life?.journal && states?.get(partition)?.state === 'running';
    });
  }

  /**
   * A take-over, or a read of the claims, has failed; it is tried again. What would fail for ever ends this node, unless
   * it runs partitions, or another node serves.
   */
  private async failed(error: unknown, log: Log): Promise<void> {
    const { life, logger, clock } = this;
    if (life === undefined || this.asksWhy === life) return;
    this.asksWhy = life;
    // Hazard 9: what looks like lost records may be what a successor has trimmed.
    const superseded = () => isSealed(log, life.journal);
    const isSuperseded = await untilAnswered(clock, () => this.life !== life, superseded).catch(() => undefined);
    this.asksWhy = undefined;
    if (isSuperseded === undefined || this.stopping) return;
    if (isSuperseded) {
      logger.warn({ journal: life.journal }, 'another took over while this one was loading: it begins again');
      life.driver.finish({ kind: 'sealed' });
      return;
    }
    const serves = [...life.host.states().values()].some(({ state }) => state === 'running');
    if (isFinal(error) && !serves && this.loop?.memberCount === 1) life.driver.finish({ kind: 'failed', error });
  }

  private waitFor(owner: NodeId | undefined, { ownership }: OwnershipMap): void {
    if (owner !== undefined && owner !== this.waitsFor) {
      const name = ownership.names[owner] ?? owner;
      this.logger.info({ owner, name }, `node ${name} owns partitions: waiting for its end`);
    }
    this.waitsFor = owner;
    if (owner !== undefined) this.isUp();
  }
}

/** Lost records and broken code: a later attempt would fail too. */
const isFinal = (error: unknown): boolean =>
  error instanceof LostRecords ||
  error instanceof UnreadableRecord ||
  error instanceof TypeError ||
  error instanceof RangeError ||
  error instanceof ReferenceError;
