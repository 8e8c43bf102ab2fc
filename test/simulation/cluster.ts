/**
 * The processes and their faults: kill -9 and restart, a pause with a successor on the same folder, SIGTERM while
 * other nodes wait, services that do not answer, wall clocks that jump. Each node has a folder of its own.
 */
import { type JournalId, type OrderId, partitionOf } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { Being, Chance } from './clock.js';
import { Machine, type Surroundings } from './machine.js';
import { Network } from './network.js';

export const FOLDERS = ['A', 'B', 'C'] as const;
type Folder = (typeof FOLDERS)[number];
/** What one broker serves. */
const BROKER = ['log', 'events', 'bus'] as const;
const SERVICES = ['log', 'storage', 'events', 'payments', 'bus', 'broker'] as const;
const STRIKES = ['kill', 'kill', 'pause', 'pause', 'stop', 'stop', 'second', 'away', 'jump', 'forget'] as const;
/** More strikes where nodes are judged. */
const OUTAGES = ['away', 'away', 'away', 'away'] as const;
const folderOf = (name: string): Folder => FOLDERS.find((folder) => name.startsWith(folder)) ?? 'A';

export class Cluster {
  machines: Machine[] = [];
  readonly around: Surroundings;
  private born = 0;

  constructor(around: Omit<Surroundings, 'deliver' | 'isGone' | 'network'>) {
    this.around = {
      ...around,
      network: new Network(around.faults, around.setting.messageBytes),
      deliver: (to) => {
        for (const { state, receiver } of this.machines)
          if (state === 'running' && receiver !== undefined) to(receiver);
      },
      isGone: (journal) => this.isGone(journal),
    };
    this.ownership.lives = (journal) => this.lives(journal);
  }

  get serving(): Machine[] {
    return this.machines.filter((machine) => machine.isServing);
  }

  /** The serving machine whose incarnation owns the partition by the claims. */
  ownerOf(partition: number): Machine | undefined {
    const owner = this.ownership.ownerOf(partition);
    return this.serving.find(({ life }) => life.incarnation?.journal === owner);
  }

  /** Sometimes wrong: no promise may rest on who is believed dead. */
  private isGone(journal: JournalId): boolean {
    const { chance, isCalm } = this.around.faults;
    const isWrong = this.around.setting.placement === 'random' && !isCalm && chance.hits(0.02);
    const isGone = isWrong || !this.lives(journal);
    if (isGone) this.ownership.judged.add(journal);
    return isGone;
  }

  /** Whether a process that is not dead writes the journal. */
  lives(journal: JournalId): boolean {
    return this.machines.some(({ state, life }) => state !== 'dead' && life.incarnation?.journal === journal);
  }

  /** Any process that answers clients, even one that has just woken from a pause. */
  anyEdge(): Machine | undefined {
    return this.around.faults.chance.any(this.machines.filter((machine) => machine.isEdge));
  }

  /** Whom a client asks for an order's state. A node that serves alone may be a sleeper, so there it asks the owner. */
  readerOf(id: OrderId): Machine | undefined {
    return this.around.setting.placement === 'alone' ? this.ownerOfOrder(id) : this.anyEdge();
  }

  ownerOfOrder = (id: OrderId): Machine | undefined => this.ownerOf(partitionOf('order', id, this.partitions));

  /** By partition. */
  get owners(): (Machine | undefined)[] {
    return this.ownership.map.map((_, partition) => this.ownerOf(partition));
  }

  start(folder: Folder = 'A'): void {
    const { faults } = this.around;
    // The lock of the DATA_DIR: a second process runs on a folder only while the first is paused.
    if (this.on(folder).some(({ state }) => state === 'running')) return;
    const name = `${folder}${++this.born}`;
    faults.timeline.note(`${name} starts`);
    this.machines.push(new Machine(name, folder, this.around));
  }

  readonly kill = (being: Being, why: string): void => {
    if (being.state === 'dead') return;
    const { counters, timeline, chance, isCalm } = this.around.faults;
    counters.add(`kill -9 ${why}`);
    timeline.note(`${being.name} is killed ${why}`);
    being.state = 'dead';
    this.forgetDead();
    if (!isCalm)
      timeline.after(chance.between(5, this.longerThanJudges(1_500)), () => this.start(folderOf(being.name)));
  };

  /** Causes one fault after the other until the faults end. */
  trouble(everyMs: number): void {
    const { faults } = this.around;
    faults.timeline.after(faults.chance.between(0.2, 1.8) * everyMs, () => {
      if (faults.isCalm) return;
      this.strike(faults.chance);
      this.trouble(everyMs);
    });
  }

  /** Ends all faults: paused processes wake, each folder keeps one process, and every owner of a claim runs. */
  heal(): void {
    this.around.faults.heal();
    for (const machine of this.machines) this.wake(machine);
    for (const folder of FOLDERS) {
      const [, ...surplus] = this.on(folder).reverse();
      for (const machine of surplus) this.kill(machine, 'at the end');
    }
    this.tend();
  }

  /** Starts processes so that one runs, and so that every node that holds a claim is among them. */
  tend(): void {
    this.forgetDead();
    // A readiness check writes to the journal: so an idle node learns that it was superseded.
    if (this.around.faults.isCalm || this.owners.includes(undefined))
      for (const { life } of this.serving) void life.notReady();
    if (this.around.setting.placement !== 'alone') return this.machines.length === 0 ? this.start() : undefined;
    const holders = new Set(
      this.ownership.map.flatMap((claim) => (claim === null || claim.released !== undefined ? [] : [claim.node])),
    );
    if (this.machines.length === 0) this.start([...holders].map(folderOf)[0]);
    for (const holder of holders) if (this.on(holder).length === 0) this.start(folderOf(holder));
  }

  // -------------------------------------------------------------- machinery

  private get ownership() {
    return this.around.stores.truth.ownership;
  }

  private get partitions(): number {
    return this.around.setting.partitions;
  }

  private on(folder: string): Machine[] {
    return this.machines.filter((machine) => machine.folder === folder && machine.state !== 'dead');
  }

  private forgetDead(): void {
    this.machines = this.machines.filter(({ state }) => state !== 'dead');
  }

  private strike(chance: Chance): void {
    this.forgetDead();
    const machine = chance.any(this.machines);
    if (machine === undefined) return this.tend();
    const kind = chance.pick(this.around.setting.placement === 'planned' ? [...STRIKES, ...OUTAGES] : STRIKES);
    if (kind === 'kill') this.kill(machine, 'at any moment');
    if (kind === 'pause' && machine.state === 'running') this.pause(machine, chance);
    if (kind === 'stop' && machine.isServing) this.stop(machine, chance);
    if (kind === 'second') this.start(chance.pick(FOLDERS));
    if (kind === 'away') this.away(chance);
    if (kind === 'jump' && this.around.setting.jumpsClock) this.jump(machine, chance);
    if (kind === 'forget') void this.forget(chance);
  }

  private pause(machine: Machine, chance: Chance): void {
    const { timeline, counters } = this.around.faults;
    machine.state = 'paused';
    machine.sleeps++;
    counters.add('process: paused');
    timeline.note(`${machine.name} is paused`);
    if (chance.hits(0.7)) timeline.after(chance.between(0, 300), () => this.start(folderOf(machine.folder)));
    timeline.after(chance.between(50, this.longerThanJudges(4_000)), () => {
      if (machine.state !== 'paused') return;
      this.wake(machine);
      const twin = this.on(machine.folder).find((other) => other !== machine);
      if (twin === undefined) return;
      counters.add('process: woke beside its successor');
      // Two running processes on one folder seal each other in turn. The lock forbids that, so one is killed soon.
      const loser = chance.hits(0.7) ? machine : twin;
      timeline.after(chance.between(1, 1_500), () => {
        if (!this.around.faults.isCalm) this.kill(loser, 'of two on a folder');
      });
    });
  }

  private wake(machine: Machine): void {
    if (machine.state !== 'paused') return;
    machine.state = 'running';
    this.around.faults.timeline.note(`${machine.name} wakes`);
    const journal = machine.life.incarnation?.journal;
    if (journal !== undefined && this.ownership.isSealed(journal))
      this.around.faults.counters.add('process: woke and was taken over');
    for (const run of machine.held.splice(0)) run();
  }

  private stop(machine: Machine, chance: Chance): void {
    const { timeline, counters } = this.around.faults;
    machine.isStopping = true;
    counters.add('process: told to stop');
    timeline.note(`${machine.name} is told to stop`);
    const next = chance.pick(FOLDERS);
    if (next !== machine.folder && chance.hits(0.5)) this.start(next);
    void machine.life.stop(3_000).then(() => {
      machine.state = 'dead';
      if (this.ownership.map.every((claim) => claim?.released !== undefined))
        counters.add('process: released everything');
      timeline.after(chance.between(0, 500), () => this.start(next));
    });
  }

  /** The longest duration of a fault, so long that nodes are taken for dead meanwhile where somebody judges. */
  private longerThanJudges(ms: number): number {
    return this.around.setting.placement === 'planned' ? 4 * limits.silentMs : ms;
  }

  private away(chance: Chance): void {
    const { faults } = this.around;
    const isJudged = this.around.setting.placement === 'planned';
    // By chance alone, hardly any node dies in an outage of Postgres that lasts for a judgement (judge.J4).
    const isFatal = isJudged && chance.hits(0.5);
    const service = isFatal && chance.hits(0.7) ? 'storage' : chance.pick(SERVICES);
    faults.counters.add(`${service} is away`);
    const forMs = chance.between(isFatal ? 2 * limits.silentMs : 20, this.longerThanJudges(2_500));
    const machine = chance.any(this.machines);
    if (isFatal && machine !== undefined) this.kill(machine, 'in an outage');
    const gone = service === 'broker' ? BROKER : [service];
    for (const each of gone) faults.away(each, forMs);
    // The heartbeats are in the broker's memory.
    if (gone.includes('bus') && chance.hits(0.5))
      faults.timeline.after(forMs, () => this.around.stores.loseHeartbeats());
  }

  private jump(machine: Machine, chance: Chance): void {
    machine.skewMs += chance.between(-3_600_000, 3_600_000);
    this.around.faults.counters.add('a wall clock jumped');
  }

  /** The broker loses the tail of EVENTS. Then every node finds it again, a paused one as soon as it wakes. */
  private async forget(chance: Chance): Promise<void> {
    const { setting, stores, faults } = this.around;
    if (!setting.eventsMayForget) return;
    const lost = await stores.forgetEvents(chance.whole(1, 6), !setting.jumpsClock);
    if (lost === 0) return;
    faults.counters.add('EVENTS lost its tail');
    faults.timeline.note(`EVENTS loses ${lost} messages`);
    for (const machine of this.machines) {
      const recheck = () => machine.life.incarnation?.recheckEvents();
      if (machine.state === 'running') recheck();
      if (machine.state === 'paused') machine.held.unshift(recheck);
    }
  }
}
