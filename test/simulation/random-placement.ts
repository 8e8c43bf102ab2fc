/**
 * A placement without a plan. It finds more than Holdfast's own one, which avoids most of these cases.
 *
 *  - At random moments any node takes partitions that are free, that a dead node held, or that a living node holds. It
 *    gives its own to any node, itself included, and gives up after any time. Many moves run at once.
 *  - Some partitions visit another node and come back at once, so that they meet the memory that they left behind.
 *    Clients ask for one of its orders at each stop.
 *  - No promise may rest on placement, so it keeps no order and asks nobody.
 *  - After the storm it gives every partition that nobody serves to some node, and moves nothing else.
 */
import { nodeId } from '../../actors/ids.js';
import type { PartitionHost } from '../../bus/node/partition-host.js';
import type { Clients } from './clients.js';
import type { Chance } from './clock.js';
import { type Cluster, FOLDERS } from './cluster.js';
import type { Machine } from './machine.js';

/** Where every partition is served. */
const KINDS = ['free', 'living', 'give', 'visit', 'visit', 'visit', 'preload'] as const;

export class RandomPlacement {
  /** Under way. */
  private gives = 0;

  constructor(
    private readonly cluster: Cluster,
    private readonly clients: Clients,
  ) {}

  /** Acts again and again, also when all is healed. */
  act(everyMs: number): void {
    const { timeline, chance, isCalm } = this.cluster.around.faults;
    const soonMs = this.isServed ? everyMs : Math.min(everyMs, 60);
    timeline.after(isCalm ? 500 : chance.between(0.2, 1.8) * soonMs, () => {
      if (this.cluster.around.faults.isCalm) this.serveAll();
      else this.move(chance);
      this.act(everyMs);
    });
  }

  // -------------------------------------------------------------- machinery

  private get ownership() {
    return this.cluster.around.stores.truth.ownership;
  }

  private get isServed(): boolean {
    return this.ownership.map.every((_, partition) => this.cluster.ownerOf(partition) !== undefined);
  }

  private move(chance: Chance): void {
    const machine = chance.any(this.cluster.serving);
    const host = machine?.host;
    if (machine === undefined || host === undefined) return;
    const isFree = this.partitionsOf('free', host, chance).length > 0;
    const kind = chance.hits(this.isServed ? 0 : 0.5) ? (isFree ? 'free' : 'dead') : chance.pick(KINDS);
    if (kind === 'give') return this.giveSome(machine, host, chance);
    if (kind === 'visit') return void this.visit(machine, host, chance);
    if (kind === 'preload') {
      const partition = chance.whole(0, this.ownership.map.length - 1);
      if (this.isOthers(host, partition)) void this.watch(machine, 'preload', host.preload(partition));
      return;
    }
    const share = chance.pick([0.2, 0.4, 0.4, 1]);
    const all = this.partitionsOf(kind, host, chance);
    const some = all.filter(() => chance.hits(share));
    const partitions = some.length > 0 ? some : all.slice(0, 1);
    if (partitions.length > 0) this.take(machine, host, partitions, kind);
  }

  private partitionsOf(kind: 'free' | 'dead' | 'living', host: PartitionHost, chance: Chance): number[] {
    const all = [...this.ownership.map.keys()].filter((partition) => this.isOthers(host, partition));
    if (kind === 'free') return all.filter((partition) => this.ownership.ownerOf(partition) === undefined);
    const owners = new Set(all.flatMap((partition) => this.ownership.ownerOf(partition) ?? []));
    const wanted = chance.any([...owners].filter((journal) => this.cluster.lives(journal) === (kind === 'living')));
    return wanted === undefined ? [] : all.filter((partition) => this.ownership.ownerOf(partition) === wanted);
  }

  private take(machine: Machine, host: PartitionHost, partitions: readonly number[], why: string): void {
    const dead = partitions.flatMap((partition) => this.ownership.ownerOf(partition) ?? []);
    for (const journal of dead) this.ownership.judged.add(journal);
    this.cluster.around.faults.counters.add(`placement: takes what is ${why}`);
    void this.watch(machine, `take ${partitions}`, host.take(partitions, [...new Set(dead)]));
  }

  private giveSome(machine: Machine, host: PartitionHost, chance: Chance): void {
    const all = [...host.states().keys()]; // Also what just comes or goes: that is refused.
    for (let i = chance.pick([1, 1, 2]); i > 0; i--) {
      const partition = chance.any(all);
      if (partition === undefined) return;
      void this.give(machine, host, partition, chance.pick(FOLDERS), chance.pick([30, 300, 3_000]));
    }
  }

  private async give(machine: Machine, host: PartitionHost, partition: number, to: string, ms: number) {
    const { counters } = this.cluster.around.faults;
    counters.add('placement: gives');
    if (host.states().get(partition)?.state !== 'running') counters.add('placement: a give was refused');
    if (this.gives > 0) counters.add('placement: two gives at once');
    this.gives++;
    const isGiven = await this.watch(machine, `give ${partition}`, host.giveAway(partition, nodeId(to), ms));
    this.gives--;
    if (isGiven !== undefined) counters.add(isGiven ? 'placement: gave' : 'placement: could not give in time');
    return isGiven === true;
  }

  /** There and back. */
  private async visit(machine: Machine, host: PartitionHost, chance: Chance): Promise<void> {
    const partition = chance.any(runningOn(host));
    const other = chance.any(this.cluster.serving.filter((each) => each !== machine));
    if (partition === undefined || other === undefined) return;
    const order = this.clients.someOrderOf(partition, chance);
    const meet = () => order !== undefined && this.clients.meet(order, chance);
    meet();
    if (!(await this.handOver(partition, machine, other))) return;
    meet();
    if (await this.handOver(partition, other, machine)) meet();
  }

  /** @returns whether the partition runs there now */
  private async handOver(partition: number, from: Machine, to: Machine): Promise<boolean> {
    if (from.host === undefined) return false;
    const isGiven = await this.give(from, from.host, partition, to.folder, 3_000);
    if (!isGiven || to.host === undefined) return false;
    await this.watch(to, `take ${partition}`, to.host.take([partition], []));
    if (to.host?.states().get(partition)?.state !== 'running') return false;
    this.cluster.around.faults.counters.add('placement: handed over at once');
    return true;
  }

  private serveAll(): void {
    const { chance } = this.cluster.around.faults;
    const machine = chance.any(this.cluster.serving);
    if (machine?.host === undefined) return;
    const { host } = machine;
    const unserved = [...this.ownership.map.keys()].filter(
      (partition) => this.isOthers(host, partition) && this.cluster.ownerOf(partition) === undefined,
    );
    if (unserved.length > 0) this.take(machine, host, unserved, 'left');
  }

  private isOthers(host: PartitionHost, partition: number): boolean {
    return !host.states().has(partition);
  }

  /** @returns undefined when it failed */
  private watch<T>(machine: Machine, what: string, work: Promise<T>): Promise<T | undefined> {
    const { timeline, counters } = this.cluster.around.faults;
    timeline.note(`${machine.name} shall ${what}`);
    return work.catch((error: unknown) => {
      counters.add('placement: a move failed');
      timeline.note(`${machine.name} could not ${what}: ${error}`);
      return undefined;
    });
  }
}

const runningOn = (host: PartitionHost): number[] =>
  [...host.states()].filter(([, { state }]) => state === 'running').map(([partition]) => partition);
