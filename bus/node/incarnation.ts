/**
 * One life of a node: it takes over, runs, and ends by a seal, by a failure, or by letting go.
 *
 * In order: take over (take-over.ts), run the node (driver.ts), flush once with every partition's row,
 * publish what predecessors still owe, then its own events (publisher.ts), and trim behind itself.
 */
import { type JournalId, journalId } from '../../actors/ids.js';
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
import { eventPublisher } from '../events/publisher.js';
import { Trimmer } from '../journal/trimmer.js';
import { type Keepers, keepersOf } from '../reads/product-reads.js';
import { ReadCache, type ReadKind } from '../reads/read-cache.js';
import { pause, untilAnswered, within } from '../retry.js';
import { Driver, type Ended, type Meter } from './driver.js';
import { isSealed, release, seal, type TakenOver, type TakeOverParts, takeOver } from './take-over.js';

export interface IncarnationParts extends TakeOverParts {
  /** Undefined where there is no broker: then nothing is published. */
  readonly events: EventLog | undefined;
  /** EVENTS does not sync what it acknowledges. */
  readonly eventsMayForget: boolean;
  readonly queries: Pick<Queries, 'order'>;
  readonly cache: Cache;
  /** What orders may know besides their state. */
  readonly context: OrderContext;
  readonly payments: Payments;
  readonly post: Post;
  readonly meter: Meter;
  /** The `source` attribute of public events. */
  readonly source: string;
  readonly orderTimeoutMs: number;
  readonly holdTtlMs: number;
  /** What fits into one message of the broker, UTF-8. */
  readonly recordBytes: number;
  readonly byteLength: (text: string) => number;
  readonly deliverAtHome: boolean;
}

export interface Incarnation {
  readonly journal: JournalId;
  readonly owners: Owners;
  readonly keepers: Keepers;
  readonly driver: Driver;
  readonly node: Node;
  readonly ended: Promise<Ended>;
  /** Appended, not yet on EVENTS. */
  unpublishedTurns(): number;
  /** The broker was away: what EVENTS acknowledged may be gone. */
  recheckEvents(): void;
  /** Flushes, publishes and releases everything; past the deadline it just ends, and the next start seals. */
  stop(deadlineMs: number): Promise<void>;
}

const RESEND_MS = 500;

/**
 * Tries until it owns; what is only away comes back, what is lost does not.
 * @returns undefined when told to stop. @throws LostRecords, UnreadableRecord, and what broken code throws
 */
export async function startIncarnation(parts: IncarnationParts): Promise<Incarnation | undefined> {
  const { log, clock, logger, partitions, isStopping, isTooLate } = parts;
  // One for all tries, so that they leave one row; another only once this one is sealed.
  let journal = journalId(clock.id());
  for (let attempt = 0; !isStopping(); attempt++) {
    try {
      const taken = await takeOver(parts, journal);
      if (taken !== undefined) return run(parts, taken);
    } catch (error) {
      const superseded = () => isSealed(log, journal); // Edge 9.
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
  // Nothing is appended to it: whoever comes next finds in the rows and the predecessors what we found.
  await untilAnswered(clock, isTooLate, () => release(log, journal, 0, partitions, clock, isTooLate)).catch((error) =>
    logger.warn({ cause: String(error) }, 'stopping without a release: the next start of this folder takes over'),
  );
  return undefined;
}

/** Lost records and broken code: no later try heals them. */
const isFinal = (error: unknown): boolean =>
  error instanceof LostRecords ||
  error instanceof UnreadableRecord ||
  error instanceof TypeError ||
  error instanceof RangeError ||
  error instanceof ReferenceError;

function run(parts: IncarnationParts, { journal, epochs, world, predecessors, claim }: TakenOver): Incarnation {
  const { log, snapshots, clock, logger, source, recordBytes, byteLength, deliverAtHome } = parts;
  const cacheOf = <T>(kind: ReadKind) => new ReadCache<T>(kind, journal, parts.cache, clock, parts.meter);
  const orderCache = cacheOf<OrderState | undefined>('order');
  const node = new Node(
    {
      journal,
      source,
      recordBytes,
      byteLength,
      deliverAtHome,
      context: parts.context,
      orderTimeoutMs: parts.orderTimeoutMs,
      holdTtlMs: parts.holdTtlMs,
      resendMs: RESEND_MS,
      epochOf: (partition) => epochs.get(partition),
      newId: () => clock.id(),
      onLeft: (order) => orderCache.forget(order),
    },
    world,
  );
  let stopping = false;
  const tails = parts.events && new PredecessorEvents(parts, parts.events, predecessors, () => stopping);
  tails?.done.catch(ignoreEnd); // It has said so itself.
  const startAfter = { n: 0, position: 0 };
  const publisher = tails && eventPublisher({ journal, events: tails.before, log, source, clock, logger, startAfter });
  const publishedN = () => publisher?.publishedN ?? node.appendedTo.n;
  const trimmer = new Trimmer({
    journal,
    log,
    snapshots,
    clock,
    logger,
    flushedN: () => node.flushedTo.n,
    publishedN,
    eventsMayForget: parts.events !== undefined && parts.eventsMayForget,
  });
  const driver = new Driver(node, {
    ...parts,
    journal,
    orderCache,
    publishedN,
    onAppended(place, batch, bytes) {
      trimmer.appended(place, bytes);
      publisher?.offer(place.n, place.position, batch);
    },
  });
  node.flushAll();
  driver.start();
  trimmer.start();
  void driver.firstFlush
    .then(async () => {
      await tails?.done;
      trimmer.claimsDone(claim); // Not before: they say in which order the tails are published.
      for (const predecessor of predecessors) trimmer.predecessorDone(predecessor, predecessor === predecessors.at(-1));
    })
    .catch(ignoreEnd);
  void driver.ended.then(() => {
    stopping = true;
    trimmer.stop();
    return publisher?.stop();
  });

  return {
    journal,
    owners: driver,
    keepers: keepersOf(node, cacheOf('product')),
    driver,
    node,
    ended: driver.ended,
    unpublishedTurns: () => node.appendedTo.n - publishedN(),
    recheckEvents() {
      tails?.again();
      tails?.done.catch(ignoreEnd);
      publisher?.recheck();
    },
    async stop(deadlineMs) {
      // One deadline for all of it: who stops us kills after ten seconds.
      const endsAt = clock.monotonic() + deadlineMs;
      const rest = () => Math.max(0, endsAt - clock.monotonic());
      try {
        await driver.quiesce(rest());
        if (publisher) await within(clock, rest(), publisher.seal(), 'EVENTS did not take the last events in time');
        await within(
          clock,
          rest(),
          letGo(() => rest() === 0),
          'the claims log did not take the release in time',
        );
      } catch (error) {
        logger.warn({ cause: String(error) }, 'stopping without a release: the next start of this folder takes over');
      }
      driver.finish({ kind: 'stopped' });
    },
  };

  async function letGo(stopped: () => boolean): Promise<void> {
    await snapshots.published(journal, publishedN());
    await release(log, journal, node.appendedTo.n, parts.partitions, clock, stopped);
    await seal(log, journal, journal, clock, stopped, node.appendedTo.position);
  }
}

const ignoreEnd = () => {};
