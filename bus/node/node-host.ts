/**
 * The partitions of one incarnation: which it claims, runs and releases.
 *
 *  H1. A partition that the map gives to this journal runs, whatever became of the call that claimed it: a claim can land
 *      late. The map is compared with what runs each second.
 *  H2. A release is sent once the partition has left the node, at an n that Postgres has (partition-life.Q3). It is sent
 *      again until the claims log shows it. Before it is sent the partition can go on here, after that it cannot.
 */
import type { JournalId, NodeId } from '../../actors/ids.js';
import { withRelease } from '../../actors/node/claims.js';
import { LostRecords } from '../../actors/node/lost-records.js';
import type { Node } from '../../actors/node/node.js';
import { UnreadableRecord } from '../../actors/node/record.js';
import { isSealed } from '../journal/seal.js';
import { pauseMs, within } from '../retry.js';
import type { Driver } from './driver.js';
import type { OwnershipMap } from './ownership-map.js';
import type { PartitionHost, PartitionMeter, PartitionState } from './partition-host.js';
import { type Ahead, claim, claimedBy, load, loadAhead, type TakeOverParts } from './take-over.js';

const EVERY_MS = 1_000;
/** Partitions that cannot be loaded are tried again with pauses up to this. */
const LONGEST_PAUSE_MS = 60_000;

interface HostParts extends TakeOverParts {
  readonly journal: JournalId;
  readonly ownership: OwnershipMap;
  readonly machine: Node;
  readonly driver: Driver;
  /** The most that fits into one record, in UTF-8. */
  readonly recordBytes: number;
  /** Called with partitions that run now. */
  readonly onJoined: () => void;
  /** Called when partitions have left the node. */
  readonly onLeft: (isGone: (partition: number) => boolean) => void;
  readonly partitionMeter?: PartitionMeter;
  /** The incarnation is over, or told to stop. */
  readonly stopped: () => boolean;
}

type Standing = { readonly epoch: number; readonly state: PartitionState };

export class NodeHost implements PartitionHost {
  readonly journal: JournalId;
  /** Claimed, and not joined yet; with the epoch. */
  private readonly joining = new Map<number, number>();
  /** Released, and the claims log does not show it yet; with the epoch. */
  private readonly leaving = new Map<number, number>();
  /** What was loaded before the claim. */
  private readonly ahead = new Map<number, Ahead>();
  private failures = 0;
  private opening: Promise<void> | undefined;

  constructor(private readonly parts: HostParts) {
    this.journal = parts.journal;
  }

  states(): ReadonlyMap<number, Standing> {
    const states = new Map<number, Standing>();
    for (const { partition, epoch, isFrozen } of this.parts.machine.world.owned.values()) {
      states.set(partition, { epoch, state: isFrozen ? 'frozen' : 'running' });
    }
    for (const [partition, epoch] of this.joining) states.set(partition, { epoch, state: 'joining' });
    for (const [partition, epoch] of this.leaving) states.set(partition, { epoch, state: 'leaving' });
    return states;
  }

  /** Makes the journal's row (take-over.S1). May be called again. */
  open(): Promise<void> {
    const { snapshots, node } = this.parts;
    this.opening ??= snapshots.openJournal(this.journal, node).catch((error) => {
      this.opening = undefined;
      throw error;
    });
    return this.opening;
  }

  async take(partitions: readonly number[], dead: readonly JournalId[]): Promise<void> {
    const known = this.states();
    const idle = partitions.filter((partition) => !known.has(partition));
    const own = { open: () => this.open(), mayClaim: async () => !(await this.isOver()) };
    const { clock, partitionMeter } = this.parts;
    const began = clock.monotonic();
    const joined = await this.run(await claim({ ...this.parts, ...own }, idle, dead));
    if (joined > 0) partitionMeter?.took(clock.monotonic() - began, joined, dead.length > 0);
  }

  async preload(partition: number): Promise<void> {
    const ahead = await loadAhead(this.parts, partition);
    // One that ends after its take would stay in memory until the partition leaves.
    if (ahead !== undefined && !this.states().has(partition)) this.ahead.set(partition, ahead);
  }

  unload(partition: number): void {
    this.ahead.delete(partition);
  }

  async giveAway(partition: number, to: NodeId, deadlineMs: number): Promise<boolean> {
    const { machine: node, driver, ownership, clock, partitionMeter } = this.parts;
    const { world, lives } = node;
    let isRead = false;
    const owned = world.owned.get(partition);
    if (owned === undefined || owned.isFrozen || this.parts.stopped()) return false;
    const began = clock.monotonic();
    const endsAt = began + deadlineMs;
    const rest = () => Math.max(0, endsAt - clock.monotonic());
    const late = 'the partition was not flushed in time';
    const isHere = () => world.owned.get(partition) === owned;
    try {
      // Most is flushed while the partition still runs, so that it stands still only for the rest.
      const { n } = node.appendedTo;
      driver.enter(() => node.flushAll());
      await driver.until('flush', () => node.flushedTo.n >= n, rest(), late);
      if (!isHere()) return false;
      driver.enter(() => {
        lives.freeze(partition);
        node.flushAll();
      });
      const read = ownership.refresh().then(
        () => true,
        () => false, // The release reads the claims again.
      );
      const isReady = () => !isHere() || node.releasable(partition) !== undefined;
      while (!isReady()) await driver.until('flush', isReady, rest(), late);
      isRead = await within(clock, rest(), read, late);
    } catch {
      if (isHere()) driver.enter(() => lives.thaw(partition));
      return false;
    }
    const n = isHere() ? node.releasable(partition) : undefined;
    if (n === undefined) return false;
    await this.release(new Map([[partition, owned.epoch]]), n, { to, isRead }, this.parts.stopped);
    partitionMeter?.gave(clock.monotonic() - began);
    return true;
  }

  /** Releases everything that runs, and every claim that does not run yet. Call it when all is flushed. */
  async letGo(stopped: () => boolean): Promise<boolean> {
    const { ownership, partitions, machine: node } = this.parts;
    const all = Array.from({ length: partitions }, (_, partition) => partition);
    await ownership.refresh();
    const epochs = claimedBy(this.journal, ownership, all);
    for (const [partition, { epoch }] of node.world.owned) epochs.set(partition, epoch);
    return this.release(epochs, node.flushedTo.n, { to: undefined, isRead: true }, stopped);
  }

  /** Begins to compare the map with what runs (node-host.H1). */
  start(): void {
    const { clock, stopped } = this.parts;
    const delayMs = this.failures === 0 ? EVERY_MS : EVERY_MS + pauseMs(clock, this.failures + 5, LONGEST_PAUSE_MS);
    clock.after(delayMs, () => {
      if (!stopped()) void this.adopt().finally(() => this.start());
    });
  }

  // -------------------------------------------------------------- machinery

  /** Looks for a seal of the own journal, which ends this incarnation. */
  private async isOver(): Promise<boolean> {
    const { log, machine, driver } = this.parts;
    const isOver = await isSealed(log, this.journal, machine.appendedTo);
    if (isOver) driver.finish({ kind: 'sealed' });
    return isOver;
  }

  /** node-host.H1 */
  private async adopt(): Promise<void> {
    const { ownership, partitions, logger } = this.parts;
    const all = Array.from({ length: partitions }, (_, partition) => partition);
    try {
      await this.run(claimedBy(this.journal, ownership, all));
      this.failures = 0;
    } catch (error) {
      if (this.parts.stopped()) return;
      if (await this.isOver().catch(() => false)) return; // Hazard 9.
      const isLost = error instanceof LostRecords || error instanceof UnreadableRecord;
      const tell = isLost ? logger.error : logger.warn;
      tell.call(logger, { failures: this.failures++, cause: String(error) }, 'claimed partitions cannot be loaded yet');
    }
  }

  /** @returns how many partitions have joined */
  private async run(claimed: ReadonlyMap<number, number>): Promise<number> {
    const known = this.states();
    const epochs = new Map([...claimed].filter(([partition]) => !known.has(partition)));
    if (epochs.size === 0) return 0;
    for (const [partition, epoch] of epochs) this.joining.set(partition, epoch);
    try {
      await this.join([...epochs]);
      const { world } = this.parts.machine;
      return [...epochs].filter(([partition, epoch]) => world.epochOf(partition) === epoch).length;
    } finally {
      for (const partition of epochs.keys()) {
        this.joining.delete(partition);
        this.ahead.delete(partition);
      }
    }
  }

  /** Joins them in one record, or in several when their joins are too long for one. */
  private async join(epochs: readonly (readonly [number, number])[]): Promise<void> {
    const { driver, machine, onJoined, recordBytes } = this.parts;
    const taken = await load(this.parts, new Map(epochs), this.ahead);
    if (taken === undefined) return;
    const { world, joins } = taken;
    if (epochs.length > 1 && JSON.stringify(joins).length > recordBytes / 2) {
      const middle = Math.ceil(epochs.length / 2);
      await this.join(epochs.slice(0, middle));
      return this.join(epochs.slice(middle));
    }
    driver.enter(() => machine.join(world, joins));
    const isJoined = () => joins.every(({ partition, epoch }) => machine.world.epochOf(partition) === epoch);
    await driver.until('append', isJoined, Number.POSITIVE_INFINITY, '');
    onJoined();
  }

  /** node-host.H2. @returns false when stopped before the claims log shows it */
  private async release(
    epochs: ReadonlyMap<number, number>,
    n: number,
    { to, isRead }: { readonly to: NodeId | undefined; readonly isRead: boolean },
    stopped: () => boolean,
  ): Promise<boolean> {
    const { driver, machine: node, ownership, onLeft } = this.parts;
    const { journal } = this;
    const gone = new Set([...epochs.keys()].filter((partition) => node.world.owned.has(partition)));
    for (const [partition, epoch] of epochs) this.leaving.set(partition, epoch);
    driver.enter(() => node.leave(gone));
    onLeft((partition) => gone.has(partition));
    const make = ({ map }: { readonly map: Parameters<typeof withRelease>[0] }) => {
      const next = withRelease(map, epochs, { journal, n, to });
      return next.every((each, i) => each === map[i]) ? undefined : next;
    };
    const isShown = await ownership.change({ by: journal, make, stopped, isRead });
    if (isShown) for (const partition of epochs.keys()) this.leaving.delete(partition);
    return isShown;
  }
}
