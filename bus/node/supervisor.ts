/**
 * Runs one incarnation of a node after the other, and passes the edge's requests to the current incarnation. It exists
 * from the start of the process. While no incarnation runs, it answers each request with the reason.
 *
 * An incarnation whose journal is sealed has been taken over: it drops its memory, and the next one begins.
 * An incarnation fails on lost records or broken code: the process then ends with the error.
 */
import type { OrderId, ProductId } from '../../actors/ids.js';
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
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { Unavailable } from '../../actors/unavailable.js';
import type { LocalPost } from '../letters/local-post.js';
import { pause, within } from '../retry.js';
import { STOPPING } from './driver.js';
import { type Incarnation, type IncarnationParts, startIncarnation } from './incarnation.js';
import type { Owner } from './take-over.js';

interface SupervisorParts
  extends Omit<IncarnationParts, 'onWaiting' | 'isStopping' | 'isTooLate' | 'clock' | 'logger'> {
  readonly post: LocalPost;
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
  private current: Incarnation | undefined;
  private isStarted = false;
  private waitsFor: Owner | undefined;
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
    this.isStarted = true;
    this.endWith(this.live(parts));
  }

  get incarnation(): Incarnation | undefined {
    return this.current;
  }

  /** Releases all partitions, also those that a take-over under way has claimed. Past the deadline it only returns. */
  async stop(deadlineMs: number): Promise<void> {
    const { clock, logger } = this;
    this.stopping = true;
    if (!this.isStarted) return;
    this.stopBy = Math.min(this.stopBy, clock.monotonic() + deadlineMs);
    await this.current?.stop(this.rest());
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
    this.current?.driver.finish({ kind: 'failed', error });
  }

  /** Why no incarnation answers, as a sentence for clients; undefined while one runs. */
  get absence(): string | undefined {
    if (this.current !== undefined) return undefined;
    if (this.stopping) return STOPPING;
    if (!this.isStarted) return STARTING;
    if (this.waitsFor === undefined) return 'This node is taking over what its last run left.';
    return `This node waits for node ${this.waitsFor.name}, which serves now; it takes over when that one stops.`;
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

  private async live(parts: SupervisorParts): Promise<void> {
    const { logger, clock } = this;
    const { post } = parts;
    for (let attempt = 0; !this.stopping; attempt++) {
      const incarnation = await this.begin(parts);
      if (this.abandoned) {
        incarnation?.driver.finish({ kind: 'failed', error: this.abandoned.error });
        throw this.abandoned.error;
      }
      if (incarnation === undefined) return;
      if (this.stopping) return incarnation.stop(this.rest());
      this.current = incarnation;
      post.deliverTo(incarnation.driver);
      this.hasBegun();
      this.isUp();
      logger.info({ journal: incarnation.journal }, 'this node owns its partitions and runs');
      const ended = await incarnation.ended;
      this.current = undefined;
      post.deliverTo(undefined);
      if (ended.kind === 'failed') throw ended.error;
      if (ended.kind === 'stopped') return;
      logger.warn({ journal: incarnation.journal }, 'the journal was sealed by another: this node begins again');
      await pause(clock, attempt);
    }
  }

  private begin(parts: SupervisorParts): Promise<Incarnation | undefined> {
    const { logger, clock } = this;
    return startIncarnation({
      ...parts,
      clock,
      logger,
      isStopping: () => this.stopping,
      isTooLate: () => clock.monotonic() >= this.stopBy,
      onWaiting: (owner) => {
        if (owner !== undefined && owner.node !== this.waitsFor?.node) {
          const { node, name } = owner;
          logger.info(
            { owner: node, name },
            `node ${name} owns the ${parts.partitions} partitions: waiting for its end`,
          );
        }
        this.waitsFor = owner;
        if (owner !== undefined) this.isUp();
      },
    });
  }
}
