/**
 * Nodes whose placement is the product's, and whose incarnations are fakes, on one broker and one Postgres, in virtual
 * time. A fake obeys the claims as a real incarnation does: it claims what is free or sealed, by compare-and-set.
 */
import { type JournalId, journalId, type NodeId, nodeId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import { type Claim, encodeSeal, encodeTurn, journalLog } from '../../../actors/node/record.js';
import type { Entry, Position } from '../../../actors/ports/log.js';
import type { Members } from '../../../actors/ports/members.js';
import type { PartitionHost, PartitionState } from '../../../bus/node/partition-host.js';
import { memoryMembers } from '../../../bus/placement/memory-members.js';
import { PlacementLoop } from '../../../bus/placement/placement-loop.js';
import { type Being, Chance, Timeline } from '../../simulation/clock.js';

export const PARTITIONS = 16;
const ALL = Array.from({ length: PARTITIONS }, (_, partition) => partition);
/** How long a call takes, and a load. */
const CALL_MS = [1, 20] as const;
const LOAD_MS = [50, 400] as const;
const DEADLINE_MS = 5_000;

export class FakeCluster {
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly nodes: FakeNode[] = [];
  readonly bucket = memoryMembers();
  readonly sealed = new Set<JournalId>();
  readonly ends = new Map<string, number>();
  map: (Claim | null)[] = ALL.map(() => null);
  /** Each claim that was stored, with its time. */
  readonly claims: { readonly atMs: number; readonly partition: number; readonly node: NodeId }[] = [];
  /** Journals that were sealed while their node ran. */
  readonly wronged: string[] = [];
  brokerIsAway = false;
  postgresIsAway = false;

  constructor(
    seed: number,
    readonly hasNats = true,
  ) {
    this.chance = new Chance(seed);
    this.timeline = new Timeline(this.chance, false);
  }

  start(name: string): FakeNode {
    const node = new FakeNode(name, this);
    this.nodes.push(node);
    return node;
  }

  async pass(ms: number): Promise<void> {
    const endMs = this.timeline.nowMs + ms;
    let isOver = false;
    this.timeline.after(ms, () => {
      isOver = true;
    });
    while (!isOver) await this.timeline.step();
    if (this.timeline.nowMs < endMs) throw new Error('time stood still');
  }

  /** @returns how long it took */
  async until(holds: () => boolean, withinMs: number): Promise<number> {
    const { nowMs } = this.timeline;
    while (!holds()) {
      if (this.timeline.nowMs - nowMs > withinMs) throw new Error(`not within ${withinMs} ms: ${this.picture()}`);
      await this.pass(10);
    }
    return this.timeline.nowMs - nowMs;
  }

  get living(): FakeNode[] {
    return this.nodes.filter(({ state }) => state === 'running');
  }

  /** Every partition runs on exactly one node that lives, the one that the claims name. */
  get isWhole(): boolean {
    return ALL.every((partition) => {
      const runs = this.living.filter(({ host }) => host.states().get(partition)?.state === 'running');
      return runs.length === 1 && this.map[partition]?.journal === runs[0]?.host.journal;
    });
  }

  get isEven(): boolean {
    const sizes = this.living.map(({ host }) => host.states().size);
    return this.isWhole && Math.max(...sizes) - Math.min(...sizes) <= 1;
  }

  picture(): string {
    const owners = this.map.map((claim) => `${claim?.node ?? '-'}${claim?.released === undefined ? '' : '*'}`).join('');
    return `${owners} ${this.nodes.map(({ name, state, host }) => `${name} ${state} ${host.states().size}`).join(', ')}`;
  }

  /** A call of a process over the network: it takes its time, and has no answer while the other side is away. */
  call<T>(being: Being, isAway: () => boolean, effect: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const answer = () => {
        // Who is away refuses at once, or lets the client's deadline pass.
        const refuse = () => reject(new Error('no answer'));
        if (isAway()) return this.chance.hits(0.5) ? refuse() : void this.timeline.after(DEADLINE_MS, refuse, being);
        try {
          resolve(effect());
        } catch (error) {
          reject(error);
        }
      };
      this.timeline.after(this.chance.between(...CALL_MS), answer, being);
    });
  }

  /** The last record alone: nobody looks at more. */
  recordsAfter(log: string, after: Position): readonly Entry[] {
    const end = this.ends.get(log) ?? 0;
    if (after >= end) return [];
    const journal = [...this.sealed].find((each) => journalLog(each) === log);
    const content = { id: 'r', journal: journal ?? journalId('J'), at: 0 };
    const record =
      journal === undefined
        ? encodeTurn({ ...content, n: end, parts: {}, letters: [] }, [])
        : encodeSeal({ ...content, by: content.journal });
    return [{ position: end, record }];
  }

  seal(journal: JournalId, by: string): void {
    if (this.sealed.has(journal)) return;
    this.sealed.add(journal);
    const log = journalLog(journal);
    this.ends.set(log, (this.ends.get(log) ?? 0) + 1);
    const of = this.nodes.find(({ host }) => host.journal === journal);
    if (of?.state === 'running')
      this.wronged.push(`${by} sealed ${journal}, whose node runs, at ${this.timeline.nowMs}`);
  }
}

class FakeNode implements Being {
  state: Being['state'] = 'running';
  readonly held: (() => void)[] = [];
  readonly id: NodeId;
  readonly placement: PlacementLoop;
  host: FakeHost;
  isBusy = false;
  waitsFor: NodeId | undefined;
  readonly warnings: string[] = [];
  private lives = 0;

  constructor(
    readonly name: string,
    readonly cluster: FakeCluster,
  ) {
    this.id = nodeId(name);
    this.host = this.incarnation();
    const { timeline, hasNats } = cluster;
    const broker = () => cluster.brokerIsAway;
    const view = { ownership: { map: cluster.map.slice() }, refresh: () => this.refresh(view) };
    const warn = (_: object, line: string) => void this.warnings.push(line);
    this.placement = new PlacementLoop({
      ...{ node: this.id, name, ownership: view, clock: timeline.clockOf(this, () => 0) },
      members: hasNats ? this.members() : undefined,
      log: {
        end: (log) => cluster.call(this, broker, () => cluster.ends.get(log) ?? 0),
        read: (log, after) => cluster.call(this, broker, () => cluster.recordsAfter(log, after)),
      },
      probe: () =>
        cluster.call(
          this,
          () => cluster.postgresIsAway,
          () => {},
        ),
      host: () => (cluster.sealed.has(this.host.journal) ? undefined : this.host),
      logger: { debug() {}, info() {}, warn, error: warn },
      onLooked() {},
      onFailed() {},
      onWaiting: (owner) => {
        this.waitsFor = owner;
      },
    });
    this.placement.start();
    this.work();
  }

  kill(): void {
    this.state = 'dead';
  }

  pause(): void {
    this.state = 'paused';
  }

  wake(): void {
    this.state = 'running';
    for (const run of this.held.splice(0)) run();
  }

  /** SIGTERM: one record releases everything. */
  async leave(): Promise<void> {
    await this.placement.leave();
    const { cluster, host } = this;
    await cluster.call(
      this,
      () => cluster.brokerIsAway,
      () => host.release([...host.states().keys()], undefined),
    );
    this.placement.stop();
    this.state = 'dead';
  }

  // -------------------------------------------------------------- machinery

  private incarnation(): FakeHost {
    return new FakeHost(journalId(`J${this.name}${++this.lives}`), this);
  }

  private refresh(view: { ownership: { map: readonly (Claim | null)[] } }): Promise<unknown> {
    const { cluster } = this;
    return cluster.call(
      this,
      () => cluster.brokerIsAway,
      () => {
        view.ownership = { map: cluster.map.slice() };
      },
    );
  }

  private members(): Members {
    const { cluster } = this;
    const isAway = () => cluster.brokerIsAway;
    return {
      // The memory's promises are settled: only the way there takes time.
      put: (heartbeat) => cluster.call(this, isAway, () => void cluster.bucket.put(heartbeat)),
      all: () => cluster.call(this, isAway, () => cluster.bucket.all()).then((all) => all),
    };
  }

  /** Appends while it is busy, and begins again once its journal is sealed. */
  private work(): void {
    const { cluster, host } = this;
    if (cluster.sealed.has(host.journal)) this.host = this.incarnation();
    else if (this.isBusy && !cluster.brokerIsAway) {
      const log = `journal.${host.journal}`;
      cluster.ends.set(log, (cluster.ends.get(log) ?? 0) + 1);
    }
    cluster.timeline.after(100, () => this.work(), this);
  }
}

class FakeHost implements PartitionHost {
  private readonly mine = new Map<number, { epoch: number; state: PartitionState }>();

  constructor(
    readonly journal: JournalId,
    private readonly of: FakeNode,
  ) {}

  states(): ReadonlyMap<number, { readonly epoch: number; readonly state: PartitionState }> {
    return this.mine;
  }

  unload(): void {}

  async take(partitions: readonly number[], dead: readonly JournalId[]): Promise<void> {
    const { cluster, name, id } = this.of;
    const broker = () => cluster.brokerIsAway;
    for (const journal of dead) await cluster.call(this.of, broker, () => cluster.seal(journal, name));
    await cluster.call(this.of, broker, () => {
      if (cluster.sealed.has(this.journal)) throw new Error('sealed');
      for (const partition of partitions) {
        const claim = cluster.map[partition] ?? null;
        const isMine = claim?.journal === this.journal && claim.released === undefined;
        const isFree = claim === null || claim.released !== undefined || cluster.sealed.has(claim.journal);
        if (!isMine && !isFree) continue;
        const epoch = isMine ? claim.epoch : (claim?.epoch ?? 0) + 1;
        cluster.map[partition] = { epoch, node: id, journal: this.journal };
        if (!isMine) cluster.claims.push({ atMs: cluster.timeline.nowMs, partition, node: id });
        this.mine.set(partition, { epoch, state: 'joining' });
      }
    });
    const joining = [...this.mine].filter(([, { state }]) => state === 'joining');
    try {
      await this.load();
      for (const [, mine] of joining) mine.state = 'running';
    } catch (error) {
      for (const [partition] of joining) this.mine.delete(partition);
      throw error;
    }
  }

  preload(): Promise<void> {
    return this.load();
  }

  async giveAway(partition: number, to: NodeId): Promise<boolean> {
    const { cluster } = this.of;
    await this.load();
    if (cluster.chance.hits(0.1) || !this.mine.has(partition)) return false;
    await cluster.call(
      this.of,
      () => cluster.brokerIsAway,
      () => this.release([partition], to),
    );
    return true;
  }

  release(partitions: readonly number[], to: NodeId | undefined): void {
    const { map } = this.of.cluster;
    for (const partition of partitions) {
      const claim = map[partition];
      this.mine.delete(partition);
      if (claim?.journal !== this.journal || claim.released !== undefined) continue;
      map[partition] = { ...claim, released: 1, ...(to !== undefined && { to }) };
    }
  }

  private load(): Promise<void> {
    const { cluster } = this.of;
    return new Promise((resolve, reject) => {
      const loaded = () => (cluster.postgresIsAway ? reject(new Error('no answer')) : resolve());
      cluster.timeline.after(cluster.chance.between(...LOAD_MS), loaded, this.of);
    });
  }
}

/** Time in which a death is noticed, and its partitions are taken over. */
export const HEALED_MS = limits.silentMs + limits.heartbeatMs + 4 * limits.placementStepMs + 1_000;
