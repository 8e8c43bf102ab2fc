/**
 * What a placement has asked of one incarnation, and what has no end yet.
 *
 *  U1. A partition that is taken or given is in no second call.
 *  U2. One take-over at a time. One that has taken takeMs is logged, and another may begin beside it. What was released
 *      for this node waits for none: it serves nobody meanwhile, and moves.M5 limits how much that is.
 *  U3. A take-over that failed is tried again after a pause that grows, and one that joined nothing after a step's time.
 *      A preload that failed is tried again with the next step that wants it, and brings none about.
 */
import type { JournalId, NodeId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { Want } from '../../actors/ports/members.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { PartitionHost } from '../node/partition-host.js';
import { pauseMs } from '../retry.js';

interface UndertakingParts {
  readonly host: PartitionHost;
  /** Called when something has ended: there may be more to do. */
  readonly onEnded: () => void;
  /** Called with the error of a take-over. */
  readonly onFailed: (error: unknown) => void;
  /** Called with a partition that could not be given away. */
  readonly onKept: (partition: number) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Undertakings {
  readonly taking = new Set<number>();
  readonly giving = new Set<number>();
  /** By partition: the epoch at which it is preloaded, or being preloaded. */
  readonly preloaded = new Map<number, number>();
  private readonly loading = new Set<number>();
  /** Resolves when no take-over is under way that began before. */
  taken: Promise<void> = Promise.resolve();
  private takeOver: { readonly sinceMs: number; isLate: boolean } | undefined;
  private failures = 0;
  private takeAgainMs = 0;

  constructor(private readonly parts: UndertakingParts) {}

  get host(): PartitionHost {
    return this.parts.host;
  }

  /** What is preloaded: this node would take it now. */
  get wants(): readonly Want[] {
    const ready = [...this.preloaded].filter(([partition]) => !this.loading.has(partition));
    return ready.map(([partition, epoch]) => ({ partition, epoch }));
  }

  take(partitions: readonly number[], seal: readonly JournalId[]): void {
    if (!this.mayTake(partitions) || this.isTaking(partitions)) return;
    this.takeOver = { sinceMs: this.parts.clock.monotonic(), isLate: false };
    this.begin(partitions, seal, this.takeOver);
  }

  /** Takes what was released for this node, beside a take-over that is under way. */
  receive(partitions: readonly number[]): void {
    if (this.mayTake(partitions)) this.begin(partitions, [], undefined);
  }

  preload({ partition, epoch }: Want): void {
    const { host, logger, onEnded } = this.parts;
    if (this.loading.has(partition)) return;
    this.preloaded.set(partition, epoch);
    this.loading.add(partition);
    host.preload(partition).then(
      () => {
        this.loading.delete(partition);
        onEnded();
      },
      (error) => {
        this.loading.delete(partition);
        this.preloaded.delete(partition);
        logger.warn({ partition, cause: String(error) }, 'a partition is not preloaded yet');
      },
    );
  }

  drop(partition: number): void {
    if (this.loading.has(partition)) return;
    this.preloaded.delete(partition);
    this.parts.host.unload(partition);
  }

  give(partition: number, to: NodeId): void {
    const { host, logger, onKept } = this.parts;
    this.giving.add(partition);
    const given = host.giveAway(partition, to, limits.giveAwayMs).then(
      (isGiven) => {
        if (isGiven) logger.info({ partition, to }, 'a partition is released for its next owner');
        else onKept(partition);
      },
      (error) => {
        onKept(partition);
        logger.warn({ partition, to, cause: String(error) }, 'a partition is not given away yet');
      },
    );
    void this.after(given, () => this.giving.delete(partition));
  }

  // -------------------------------------------------------------- machinery

  private mayTake(partitions: readonly number[]): boolean {
    return partitions.length > 0 && this.parts.clock.monotonic() >= this.takeAgainMs;
  }

  private begin(partitions: readonly number[], seal: readonly JournalId[], takeOver: typeof this.takeOver): void {
    const { host, clock, logger, onFailed } = this.parts;
    for (const partition of partitions) this.taking.add(partition);
    logger.info({ partitions, ...(seal.length > 0 && { dead: seal }) }, 'taking over partitions');
    const taken = host.take(partitions, seal).then(
      () => {
        this.failures = 0;
        const states = host.states();
        if (partitions.some((each) => states.has(each))) return;
        // A release may name a node that is gone, and the claim leaves it to that for a while.
        this.takeAgainMs = clock.monotonic() + limits.placementStepMs;
      },
      (error) => {
        this.takeAgainMs = clock.monotonic() + pauseMs(clock, this.failures++);
        logger.warn({ partitions, cause: String(error) }, 'partitions are not taken over yet');
        onFailed(error);
      },
    );
    const ended = this.after(taken, () => {
      for (const partition of partitions) this.taking.delete(partition);
      if (takeOver !== undefined && this.takeOver === takeOver) this.takeOver = undefined;
    });
    this.taken = Promise.all([this.taken, ended]).then(() => {});
  }

  /** undertakings.U2 */
  private isTaking(partitions: readonly number[]): boolean {
    const { clock, logger } = this.parts;
    if (this.takeOver === undefined) return false;
    const forMs = clock.monotonic() - this.takeOver.sinceMs;
    if (forMs < limits.takeMs) return true;
    const under = [...this.taking];
    if (!this.takeOver.isLate) logger.warn({ under, forMs }, 'a take-over takes long: going on with other partitions');
    this.takeOver.isLate = true;
    return partitions.some((partition) => this.taking.has(partition));
  }

  /** undertakings.U1 */
  private async after(ended: Promise<void>, forget: () => void): Promise<void> {
    await ended;
    forget();
    this.parts.onEnded();
  }
}
