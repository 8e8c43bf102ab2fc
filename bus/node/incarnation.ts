/**
 * One life of a node: it takes over its partitions, runs, and ends by a seal, a failure or a release.
 *
 * In order: it takes over (take-over.ts), runs the node (driver.ts), and flushes every partition's row once. Then it
 * publishes the events that predecessors left, then its own (publisher.ts), and trims the journal (trimmer.ts).
 */
import { type JournalId, journalId, type OrderId } from '../../actors/ids.js';
import { LostRecords } from '../../actors/node/lost-records.js';
import { Node } from '../../actors/node/node.js';
import { UnreadableRecord } from '../../actors/node/record.js';
import type { OrderContext, OrderState } from '../../actors/order/order.js';
import type { Cache } from '../../actors/ports/cache.js';
import type { EventLog } from '../../actors/ports/events.js';
import type { Post } from '../../actors/ports/letters.js';
import type { Owners } from '../../actors/ports/owners.js';
import type { Payments } from '../../actors/ports/payments.js';
import type { Queries } from '../../actors/ports/queries.js';
import { PredecessorEvents } from '../events/predecessor-events.js';
import { eventPublisher, type Publisher } from '../events/publisher.js';
import { isSealed, sealJournal } from '../journal/seal.js';
import { Trimmer } from '../journal/trimmer.js';
import { type Keepers, keepersOf } from '../reads/product-reads.js';
import { ReadCache, type ReadKind } from '../reads/read-cache.js';
import { pause, untilAnswered, within } from '../retry.js';
import { Driver, type Ended, type Meter } from './driver.js';
import { readStoredOrderIds } from './stored-order-ids.js';
import { releaseAll, type TakenOver, type TakeOverParts, takeOver } from './take-over.js';

export interface IncarnationParts extends TakeOverParts {
  /** Undefined without a broker: then no events are published. */
  readonly events: EventLog | undefined;
  /** The broker acknowledges a message of EVENTS before it syncs the message to disk. */
  readonly eventsMayForget: boolean;
  readonly queries: Pick<Queries, 'order' | 'history'>;
  readonly cache: Cache;
  /** The facts that an order may use besides its state. */
  readonly context: OrderContext;
  readonly payments: Payments;
  readonly post: Post;
  readonly meter: Meter;
  /** The `source` attribute of public events. */
  readonly source: string;
  readonly orderTimeoutMs: number;
  readonly holdTtlMs: number;
  /** The most that fits into one message of the broker, in UTF-8. */
  readonly recordBytes: number;
  readonly byteLength: (text: string) => number;
  readonly deliverAtHome: boolean;
}

const RESEND_MS = 500;

/**
 * Tries until the node owns its partitions. A store that does not answer is asked again; lost records end the attempts.
 * @returns undefined when told to stop. @throws LostRecords, UnreadableRecord, and the errors of broken code
 */
export async function startIncarnation(parts: IncarnationParts): Promise<Incarnation | undefined> {
  const { log, clock, logger, partitions, isStopping, isTooLate } = parts;
  // All attempts use one journal, so that they leave one row. A sealed journal is replaced by a new one.
  let journal = journalId(clock.id());
  for (let attempt = 0; !isStopping(); attempt++) {
    try {
      const taken = await takeOver(parts, journal);
      if (taken !== undefined) return new Incarnation(parts, taken);
    } catch (error) {
      const superseded = () => isSealed(log, journal); // Hazard 9.
      if (await untilAnswered(clock, isStopping, superseded).catch(() => false)) {
        logger.warn({ journal }, 'another took over while this one was loading: it begins again');
        journal = journalId(clock.id());
        continue;
      }
      if (isFinal(error)) throw error;
      logger.warn({ attempt, cause: String(error) }, 'taking over has no answer yet: beginning again');
      await pause(clock, attempt);
    }
  }
  // This journal has no record: the next owner finds the same rows and the same predecessors.
  const releasing = { log, clock, partitions, journal, n: 0, stopped: isTooLate };
  await untilAnswered(clock, isTooLate, () => releaseAll(releasing)).catch((error) =>
    logger.warn({ cause: String(error) }, 'stopping without a release: the next start of this folder takes over'),
  );
  return undefined;
}

/** Lost records and broken code: a later attempt would fail too. */
const isFinal = (error: unknown): boolean =>
  error instanceof LostRecords ||
  error instanceof UnreadableRecord ||
  error instanceof TypeError ||
  error instanceof RangeError ||
  error instanceof ReferenceError;

/** A node that owns its partitions, from its first turn to its end. */
export class Incarnation {
  readonly journal: JournalId;
  readonly node: Node;
  readonly driver: Driver;
  readonly keepers: Keepers;
  private readonly trimmer: Trimmer;
  private readonly predecessorEvents: PredecessorEvents | undefined;
  private readonly publisher: Publisher | undefined;
  private stopping = false;

  constructor(
    private readonly parts: IncarnationParts,
    private readonly taken: TakenOver,
  ) {
    const { journal, predecessors } = taken;
    this.journal = journal;
    const orderCache = this.cacheOf<OrderState | undefined>('order');
    this.node = this.nodeOf(orderCache);
    this.keepers = keepersOf(this.node, this.cacheOf('product'));
    this.predecessorEvents =
      parts.events && new PredecessorEvents(parts, parts.events, predecessors, () => this.stopping);
    this.predecessorEvents?.done.catch(ignoreEnd); // PredecessorEvents has logged the failure.
    this.publisher = this.predecessorEvents && this.publisherAfter(this.predecessorEvents);
    this.trimmer = this.trimmerOf();
    this.driver = new Driver(this.node, {
      ...parts,
      journal,
      orderCache,
      publishedN: () => this.publishedN,
      onAppended: (place, batch, bytes) => {
        this.trimmer.appended(place, bytes);
        this.publisher?.offer(place.n, place.position, batch);
      },
    });
    this.run();
  }

  get owners(): Owners {
    return this.driver;
  }

  get ended(): Promise<Ended> {
    return this.driver.ended;
  }

  /** How many turns are appended and not yet on EVENTS. */
  unpublishedTurns(): number {
    return this.node.appendedTo.n - this.publishedN;
  }

  /** Called after the broker was away: EVENTS may have lost acknowledged messages. */
  recheckEvents(): void {
    this.predecessorEvents?.again();
    this.predecessorEvents?.done.catch(ignoreEnd);
    this.publisher?.recheck();
  }

  /** Flushes, publishes and releases everything. Past the deadline it only ends: the next start seals the journal. */
  async stop(deadlineMs: number): Promise<void> {
    const { clock, logger } = this.parts;
    // One deadline for all steps: the platform that stops a process kills it after ten seconds.
    const endsAt = clock.monotonic() + deadlineMs;
    const rest = () => Math.max(0, endsAt - clock.monotonic());
    try {
      await this.driver.quiesce(rest());
      const sealed = this.publisher?.seal() ?? Promise.resolve();
      await within(clock, rest(), sealed, 'EVENTS did not take the last events in time');
      const released = this.letGo(() => rest() === 0);
      await within(clock, rest(), released, 'the claims log did not take the release in time');
    } catch (error) {
      logger.warn({ cause: String(error) }, 'stopping without a release: the next start of this folder takes over');
    }
    this.driver.finish({ kind: 'stopped' });
  }

  // -------------------------------------------------------------- machinery

  private get publishedN(): number {
    return this.publisher?.publishedN ?? this.node.appendedTo.n;
  }

  private cacheOf<T>(kind: ReadKind): ReadCache<T> {
    const { cache, clock, meter } = this.parts;
    return new ReadCache<T>(kind, this.taken.journal, cache, clock, meter);
  }

  private nodeOf(orderCache: ReadCache<OrderState | undefined>): Node {
    const { clock, source, recordBytes, byteLength, deliverAtHome, context, orderTimeoutMs, holdTtlMs } = this.parts;
    const { journal, epochs, world } = this.taken;
    const settings = {
      ...{ journal, source, recordBytes, byteLength, deliverAtHome, context, orderTimeoutMs, holdTtlMs },
      resendMs: RESEND_MS,
      epochOf: (partition: number) => epochs.get(partition),
      newId: () => clock.id(),
      onLeft: (order: OrderId) => orderCache.forget(order),
    };
    return new Node(settings, world);
  }

  /** The node's own events wait until the predecessors' events are published. */
  private publisherAfter({ before }: PredecessorEvents): Publisher {
    const { log, source, clock, logger } = this.parts;
    const startAfter = { n: 0, position: 0 };
    return eventPublisher({ journal: this.journal, events: before, log, source, clock, logger, startAfter });
  }

  private trimmerOf(): Trimmer {
    const { log, snapshots, clock, logger, events, eventsMayForget } = this.parts;
    return new Trimmer({
      ...{ journal: this.journal, log, snapshots, clock, logger },
      flushedN: () => this.node.flushedTo.n,
      publishedN: () => this.publishedN,
      eventsMayForget: events !== undefined && eventsMayForget,
    });
  }

  private run(): void {
    this.node.flushAll();
    this.driver.start();
    this.trimmer.start();
    // Not earlier: now the predecessors' rows are closed, and their records are replayed into memory.
    const { snapshots, clock, logger } = this.parts;
    void readStoredOrderIds({ node: this.node, snapshots, clock, logger, stopped: () => this.stopping });
    void this.forgetPredecessors().catch(ignoreEnd);
    void this.ended.then(() => {
      this.stopping = true;
      this.trimmer.stop();
      return this.publisher?.stop();
    });
  }

  private async forgetPredecessors(): Promise<void> {
    const { predecessors, claim } = this.taken;
    await this.driver.firstFlush;
    await this.predecessorEvents?.done;
    this.trimmer.claimsDone(claim); // Not earlier: the claims give the order in which the tails are published.
    for (const each of predecessors) this.trimmer.predecessorDone(each, each === predecessors.at(-1));
  }

  private async letGo(stopped: () => boolean): Promise<void> {
    const { log, clock, snapshots, partitions } = this.parts;
    const { journal } = this;
    const { appendedTo: last } = this.node;
    await snapshots.published(journal, this.publishedN);
    await releaseAll({ log, clock, partitions, journal, n: last.n, stopped });
    await sealJournal({ log, clock, journal, by: journal, from: last, stopped });
  }
}

const ignoreEnd = () => {};
