/**
 * What this node still knows of stored orders from before they were archived.
 *
 *  A1. An order is archived from when Postgres names its archive. A look-up after that finds it archived, and no act
 *      changes it any more. An order that was looked up earlier may be changed once more.
 *  A2. Whoever archives then names a barrier, and removes no row before each open journal's node has seen it. A node has
 *      seen it when no look-up of before is under way, and each settled order that was in memory has left it, or has
 *      changed in Postgres.
 *  So what was decided from older knowledge is in the journals by then, and whoever archives finds it there.
 */
import { isSettled } from '../order/order.js';
import type { LookUps } from './lookups.js';
import type { OrderEntry, World } from './world.js';

export class ArchiveBarrier {
  private barrier = 0;
  private passed = 0;
  /** The query that was under way when the barrier came. */
  private query: number | undefined;
  /** The settled orders that were in memory after that query, with their versions; undefined before they are known. */
  private old: Map<OrderEntry, number> | undefined;

  constructor(
    private readonly world: World,
    private readonly lookUps: Pick<LookUps, 'asking'>,
  ) {}

  see(barrier: number): void {
    if (barrier <= this.barrier) return;
    this.barrier = barrier;
    this.query = this.lookUps.asking;
    this.old = undefined;
  }

  /** The highest barrier with nothing left from before. */
  get seen(): number {
    if (this.passed === this.barrier) return this.passed;
    const { orders } = this.world;
    if (this.old === undefined) {
      if (this.query !== undefined && this.query === this.lookUps.asking) return this.passed;
      const settled = [...orders.values()].filter(({ state }) => isSettled(state));
      this.old = new Map(settled.map((entry) => [entry, entry.version]));
    }
    for (const [entry, version] of this.old) {
      if (orders.get(entry.state.id) !== entry || entry.flushedVersion > version) this.old.delete(entry);
    }
    if (this.old.size === 0) this.passed = this.barrier;
    return this.passed;
  }
}
