/**
 * The processes and their faults: kill -9 and restart, a pause with a successor on the same folder, SIGTERM with a
 * second node that waits, services that do not answer, wall clocks that jump.
 */
import type { Being, Chance } from './clock.js';
import { Machine, type Surroundings } from './machine.js';

const FOLDERS = ['A', 'B'] as const;
type Folder = (typeof FOLDERS)[number];

export class Cluster {
  machines: Machine[] = [];
  readonly around: Surroundings;
  private born = 0;

  constructor(around: Omit<Surroundings, 'deliver'>) {
    this.around = {
      ...around,
      deliver: (to) => {
        for (const { state, receiver } of this.machines)
          if (state === 'running' && receiver !== undefined) to(receiver);
      },
    };
  }

  get serving(): Machine[] {
    return this.machines.filter((machine) => machine.isServing);
  }

  /** The serving machine whose incarnation the claims name. */
  get owner(): Machine | undefined {
    const { ownersJournal } = this.around.stores.truth;
    return this.serving.find(({ life }) => life.incarnation?.journal === ownersJournal);
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
    const folder = being.name.startsWith('A') ? 'A' : 'B';
    if (!isCalm) timeline.after(chance.between(5, 1_500), () => this.start(folder));
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

  /** Ends all faults: paused processes wake, each folder keeps one process, and the owner of the claims runs. */
  heal(): void {
    this.around.faults.heal();
    for (const machine of this.machines) this.wake(machine);
    for (const folder of FOLDERS) {
      const [, ...surplus] = this.on(folder).reverse();
      for (const machine of surplus) this.kill(machine, 'at the end');
    }
    this.tend();
  }

  /** Starts processes so that one runs, and so that the node that holds the claims is among them. */
  tend(): void {
    this.forgetDead();
    const holder = this.around.stores.truth.holder;
    // A readiness check writes to the journal: so an idle node learns that it was superseded.
    if (this.owner === undefined) for (const { life } of this.serving) void life.notReady();
    if (this.machines.length === 0) this.start(holder === 'B' ? 'B' : 'A');
    else if (holder !== undefined && this.on(holder).length === 0) this.start(holder === 'B' ? 'B' : 'A');
  }

  // -------------------------------------------------------------- machinery

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
    const kind = chance.pick(['kill', 'kill', 'pause', 'pause', 'stop', 'stop', 'second', 'away', 'jump', 'forget']);
    if (kind === 'kill') this.kill(machine, 'at any moment');
    if (kind === 'pause' && machine.state === 'running') this.pause(machine, chance);
    if (kind === 'stop' && machine.isServing) this.stop(machine, chance);
    if (kind === 'second') this.start(chance.pick(FOLDERS));
    if (kind === 'away') this.away(chance);
    if (kind === 'jump' && this.around.setting.jumpsClock) this.jump(machine, chance);
    if (kind === 'forget') this.forget(chance);
  }

  private pause(machine: Machine, chance: Chance): void {
    const { timeline, counters } = this.around.faults;
    machine.state = 'paused';
    counters.add('process: paused');
    timeline.note(`${machine.name} is paused`);
    if (chance.hits(0.7)) timeline.after(chance.between(0, 300), () => this.start(machine.folder === 'A' ? 'A' : 'B'));
    timeline.after(chance.between(50, 4_000), () => {
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
      if (this.around.stores.truth.holder === undefined) counters.add('process: released everything');
      timeline.after(chance.between(0, 500), () => this.start(next));
    });
  }

  private away(chance: Chance): void {
    const { faults } = this.around;
    const service = chance.pick(['log', 'storage', 'events', 'payments'] as const);
    faults.counters.add(`${service} is away`);
    faults.away(service, chance.between(20, 2_500));
  }

  private jump(machine: Machine, chance: Chance): void {
    machine.skewMs += chance.between(-3_600_000, 3_600_000);
    this.around.faults.counters.add('a wall clock jumped');
  }

  /** The broker loses the tail of EVENTS, and then reconnects. */
  private forget(chance: Chance): void {
    const { setting, stores, faults } = this.around;
    const incarnation = this.owner?.life.incarnation;
    if (!setting.eventsMayForget || incarnation === undefined) return;
    const lost = stores.forgetEvents(incarnation.journal, chance.whole(1, 4));
    if (lost === 0) return;
    faults.counters.add('EVENTS lost its tail');
    faults.timeline.note(`EVENTS loses ${lost} messages`);
    incarnation.recheckEvents();
  }
}
