/**
 * One life of a node: it begins without partitions, takes and gives away some (node-host.ts), and ends by a seal, a
 * failure or a release.
 *
 * It runs the node (driver.ts), publishes its events after what EVENTS must have first (event-order.ts, publisher.ts),
 * trims its journal (trimmer.ts), and removes what others have left behind (janitor.ts).
 */
import { type JournalId, journalId, type OrderId, partitionOf } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { EventSource } from '../../actors/node/cloud-events.js';
import { Node } from '../../actors/node/node.js';
import type { Join } from '../../actors/node/record.js';
import type { OrderContext, OrderState } from '../../actors/order/order.js';
import type { Cache } from '../../actors/ports/cache.js';
import type { EventLog } from '../../actors/ports/events.js';
import type { Post } from '../../actors/ports/letters.js';
import type { Owners } from '../../actors/ports/owners.js';
import type { Payments } from '../../actors/ports/payments.js';
import type { Queries } from '../../actors/ports/queries.js';
import type { JournalRow } from '../../actors/ports/snapshot-rows.js';
import type { Tracing } from '../../actors/ports/tracing.js';
import { EventOrder } from '../events/event-order.js';
import { EventsLag } from '../events/events-lag.js';
import { eventPublisher, type Publisher } from '../events/publisher.js';
import { Janitor } from '../journal/janitor.js';
import type { LookBy } from '../journal/journal-look.js';
import { sealJournal } from '../journal/seal.js';
import { Trimmer } from '../journal/trimmer.js';
import type { Writer } from '../placement/placement-loop.js';
import { type Keepers, keepersOf } from '../reads/product-reads.js';
import { ReadCache, type ReadKind } from '../reads/read-cache.js';
import { within } from '../retry.js';
import { watchArchives } from './archive-watch.js';
import { Driver, type Ended } from './driver.js';
import type { Meter } from './meter.js';
import { NodeHost } from './node-host.js';
import type { OwnershipMap } from './ownership-map.js';
import type { PartitionHost, PartitionMeter } from './partition-host.js';
import { readStoredOrderIds } from './stored-order-ids.js';
import type { TakeOverParts } from './take-over.js';

export interface IncarnationParts extends TakeOverParts {
  readonly ownership: OwnershipMap;
  /** How this node makes sure that it was not taken over; without it by the journal's end. */
  readonly lookBy?: LookBy | undefined;
  /** The process is told to stop: no partition is taken any more. */
  readonly isStopping: () => boolean;
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
  /** Undefined: nothing is traced. */
  readonly tracing?: Tracing | undefined;
  readonly partitionMeter?: PartitionMeter;
  /** Called when partitions begin to run. */
  readonly onJoined?: () => void;
  /** The `source` attribute of public events. */
  readonly source: EventSource;
  readonly orderTimeoutMs: number;
  readonly holdTtlMs: number;
  /** The most that fits into one message of the broker, in UTF-8. */
  readonly recordBytes: number;
  readonly byteLength: (text: string) => number;
  readonly deliverAtHome: boolean;
  /** The nodes that share the stores, this one included; without it there is one. */
  readonly members?: () => number;
  /** How long a record stays after nobody needs it; without it limits.readSpareMs. */
  readonly readSpareMs?: number;
  /** How long the writes of a check of readiness count; without it each check writes. */
  readonly readyWriteMs?: number;
  /** Whether the writer of another node's journal has ended. */
  readonly isGone?: (of: Writer) => boolean;
}

const RESEND_MS = 500;
const LOOK_BY: LookBy = 'end';

export class Incarnation {
  readonly journal: JournalId;
  /** Its partitions: none at first. */
  readonly host: PartitionHost;
  readonly node: Node;
  readonly driver: Driver;
  readonly keepers: Keepers;
  private readonly trimmer: Trimmer;
  private readonly janitor: Janitor;
  private readonly eventOrder: EventOrder | undefined;
  private readonly publisher: Publisher | undefined;
  private readonly eventsLag: EventsLag;
  private readonly ownHost: NodeHost;
  /** The present reading of stored ids, and whether partitions have joined since it began. */
  private readingIds: Promise<void> | undefined;
  private mustReadIds = false;
  /** It takes no more partitions. */
  private leaving = false;
  private stopping = false;

  constructor(private readonly parts: IncarnationParts) {
    const journal = journalId(parts.clock.id());
    this.journal = journal;
    const orderCache = this.cacheOf<OrderState | undefined>('order');
    this.node = this.nodeOf(orderCache);
    const { events, partitions } = parts;
    const isGone = (row: JournalRow) => this.isGone(row);
    const stopped = () => this.stopping;
    this.eventOrder = events && new EventOrder({ ...parts, events, journal, isGone, stopped });
    this.publisher = events && this.eventOrder && this.publisherOf(events, this.eventOrder);
    this.eventsLag = new EventsLag(parts.clock);
    this.trimmer = this.trimmerOf();
    const tail = async (row: JournalRow) => this.eventOrder?.tail(row);
    this.janitor = new Janitor({ ...parts, journal, isGone, tail, readSpareMs: this.readSpareMs });
    this.driver = new Driver(this.node, {
      ...parts,
      journal,
      orderCache,
      lookBy: parts.lookBy ?? LOOK_BY,
      publishedN: () => this.publishedN,
      onAppended: (place, batch, bytes, joins) => {
        this.trimmer.appended(place, bytes);
        this.eventsLag.appended(place.n, this.publishedN);
        this.publisher?.offer(place.n, place.position, batch, joins);
      },
    });
    this.keepers = keepersOf(this.node.sights, this.cacheOf('product'), this.driver.look);
    this.ownHost = new NodeHost({
      ...{ ...parts, journal, machine: this.node, driver: this.driver },
      stopped: () => this.leaving || this.stopping || parts.isStopping(),
      onJoined: () => {
        parts.onJoined?.();
        this.readIds();
      },
      onLeft: (isGone) => orderCache.forgetAll((id) => isGone(partitionOf('order', id, partitions))),
    });
    this.host = this.ownHost;
    this.run(() => orderCache.forgetAll(() => true));
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

  /** Since the oldest turn was appended that is not yet on EVENTS, to a second or a part of it. */
  unpublishedMs(): number {
    return this.eventsLag.ms(this.publishedN);
  }

  /** Called after the broker was away: EVENTS may have lost acknowledged messages. */
  recheckEvents(isNewStream = false): void {
    this.eventOrder?.recheck();
    this.publisher?.recheck(isNewStream);
  }

  /** Makes the journal's row, without which no flush passes. */
  open(): Promise<void> {
    return this.ownHost.open();
  }

  /** Begins to run what the claims log says is of this incarnation (node-host.H1). */
  keep(): void {
    this.ownHost.start();
  }

  /** Flushes, publishes and releases everything. Past the deadline it only ends: the next start seals the journal. */
  async stop(deadlineMs: number): Promise<void> {
    const { clock, logger } = this.parts;
    // One deadline for all steps: the platform that stops a process kills it after ten seconds.
    const endsAt = clock.monotonic() + deadlineMs;
    const rest = () => Math.max(0, endsAt - clock.monotonic());
    this.leaving = true;
    const { node } = this;
    const hasBegun = node.appendedTo.n > 0 || node.isAppending || node.inboxSize > 0;
    try {
      if (hasBegun) {
        await this.driver.quiesce(rest());
        const sealed = this.publisher?.seal() ?? Promise.resolve();
        await within(clock, rest(), sealed, 'EVENTS did not take the last events in time');
      }
      const released = this.letGo(() => rest() === 0);
      await within(clock, rest(), released, 'the claims log did not take the release in time');
    } catch (error) {
      logger.warn({ cause: String(error) }, 'stopping without a release: the next start of this folder takes over');
    }
    this.driver.finish({ kind: 'stopped' });
  }

  // -------------------------------------------------------------- machinery

  private readonly members = (): number => this.parts.members?.() ?? 1;

  private get readSpareMs(): number {
    return this.parts.readSpareMs ?? limits.readSpareMs;
  }

  private get publishedN(): number {
    return this.publisher?.publishedN ?? this.node.appendedTo.n;
  }

  private cacheOf<T>(kind: ReadKind): ReadCache<T> {
    const { cache, clock, meter } = this.parts;
    return new ReadCache<T>(kind, this.journal, cache, clock, meter);
  }

  private nodeOf(orderCache: ReadCache<OrderState | undefined>): Node {
    const { clock, source, recordBytes, byteLength, deliverAtHome, context, orderTimeoutMs, holdTtlMs } = this.parts;
    const { journal } = this;
    const settings = {
      ...{ journal, source, recordBytes, byteLength, deliverAtHome, context, orderTimeoutMs, holdTtlMs },
      resendMs: RESEND_MS,
      appendsAnswers: true,
      newId: () => clock.id(),
      members: this.members,
      onLeft: (order: OrderId) => orderCache.forget(order),
    };
    return new Node(settings, this.parts.partitions);
  }

  private publisherOf(events: EventLog, order: EventOrder): Publisher {
    const { log, source, clock, logger } = this.parts;
    const { journal } = this;
    const before = (joins: readonly Join[]) => order.before(journal, joins);
    const startAfter = { n: 0, position: 0 };
    return eventPublisher({ journal, events, log, source, clock, logger, before, startAfter });
  }

  private trimmerOf(): Trimmer {
    const { log, clock, logger, events, eventsMayForget } = this.parts;
    return new Trimmer({
      ...{ journal: this.journal, log, clock, logger, members: this.members, readSpareMs: this.readSpareMs },
      flushedN: () => this.node.flushedTo.n,
      publishedN: () => this.publishedN,
      eventsMayForget: events !== undefined && eventsMayForget,
    });
  }

  /** Earlier journals of this DATA_DIR have no writer, because this node holds the folder's lock. */
  private isGone(row: JournalRow): boolean {
    const { node, isGone } = this.parts;
    return row.journal !== this.journal && (row.node === node || isGone?.(row) === true);
  }

  private run(onArchived: () => void): void {
    const { node, journal } = this;
    const stopWatching = watchArchives({ ...this.parts, node, journal, onArchived });
    this.driver.start();
    this.trimmer.start();
    this.janitor.start();
    void this.ended.then(() => {
      this.stopping = true;
      stopWatching();
      this.trimmer.stop();
      this.janitor.stop();
      return this.publisher?.stop();
    });
  }

  /** From the join on only this incarnation writes the partitions' rows (stored-orders.B1). */
  private readIds(): void {
    this.mustReadIds = true;
    const { node, parts } = this;
    const { snapshots, clock, logger } = parts;
    this.readingIds ??= (async () => {
      while (this.mustReadIds && !this.stopping) {
        this.mustReadIds = false;
        await readStoredOrderIds({ node, snapshots, clock, logger, stopped: () => this.stopping });
      }
      this.readingIds = undefined;
    })();
  }

  private async letGo(stopped: () => boolean): Promise<void> {
    const { log, clock, snapshots } = this.parts;
    const { journal } = this;
    const { appendedTo: last } = this.node;
    if (last.n > 0) await snapshots.published(journal, this.publishedN);
    // A journal without a record needs no seal. The next owner finds the same rows and the same predecessors.
    if (!(await this.ownHost.letGo(stopped)) || last.n === 0) return;
    const isSealed = await sealJournal({ log, clock, journal, by: journal, from: last, stopped });
    // So that any node may forget it. Without an answer it counts as left behind (janitor.N3).
    if (isSealed) await snapshots.closeJournals([journal]).catch(() => {});
  }
}
