/**
 * Clients that come at the worst moment: they repeat old orders when a node begins to serve. Then the node has none of
 * these orders in memory, and does not know yet which ids are stored. And they read at a process that has just woken,
 * whose partitions others may have by now.
 */
import type { Incarnation } from '../../bus/node/incarnation.js';
import type { Clients } from './clients.js';
import type { Cluster } from './cluster.js';
import type { Machine } from './machine.js';

const REPEATS = 3;

export class EarlyRepeats {
  private readonly met = new WeakSet<Incarnation>();
  /** The pauses of each process that are over. */
  private readonly woken = new WeakMap<Machine, number>();

  constructor(
    private readonly cluster: Cluster,
    private readonly clients: Clients,
  ) {}

  /** Called after each event of the timeline. */
  look(): void {
    const { counters, isCalm } = this.cluster.around.faults;
    if (this.cluster.around.setting.placement !== 'alone' && !isCalm) this.lookAtWoken();
    for (const { life } of this.cluster.serving) {
      const { incarnation } = life;
      if (incarnation === undefined || this.met.has(incarnation)) continue;
      this.met.add(incarnation);
      if (isCalm) continue;
      for (let i = 0; i < REPEATS; i++)
        if (this.clients.repeatOld()) counters.add('client: a repeat right after a start');
    }
  }

  private lookAtWoken(): void {
    for (const machine of this.cluster.machines) {
      if (machine.state !== 'running' || (this.woken.get(machine) ?? 0) === machine.sleeps) continue;
      this.woken.set(machine, machine.sleeps);
      if (machine.isEdge) this.clients.readAt(machine);
    }
  }
}
