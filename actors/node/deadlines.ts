/**
 * The commands that the runtime itself sends to an order when a time is reached: `timeOut` and `sendLate`.
 *
 *  E1. A pending order times out after `orderTimeoutMs`. Once every line is held, it has at most `holdTtlMs`,
 *      unless the hold is extended. An extension never makes the time shorter.
 *  E2. Deadlines count running time (timers.ts). A join sets them anew, so no order times out because of an outage.
 */
import { limits } from '../limits.js';
import { timerRuns } from '../order/order.js';
import type { OrderCommand } from '../protocol.js';
import { Timers } from './timers.js';
import type { OrderEntry, World } from './world.js';

export interface DeadlineSettings {
  readonly orderTimeoutMs: number;
  /** How long a complete hold waits for its payment, unless it is extended. */
  readonly holdTtlMs: number;
}

interface Due {
  readonly entry: OrderEntry;
  readonly command: OrderCommand;
}

export class Deadlines {
  private readonly timers = new Timers();

  constructor(
    private readonly settings: DeadlineSettings,
    private readonly world: World,
  ) {}

  /** @param isServing false while an append has no answer: that time does not count. */
  advance(monotonicMs: number, isServing: boolean): void {
    this.timers.advance(monotonicMs, isServing);
  }

  /** Sets the timers that the order's state needs. */
  follow(entry: OrderEntry): void {
    const { state } = entry;
    if (!timerRuns(state)) return;
    const { orderTimeoutMs, holdTtlMs } = this.settings;
    if (entry.deadlineMs === undefined) {
      const { extended } = state.life;
      this.expireIn(entry, extended ? Math.max(orderTimeoutMs, holdTtlMs) : orderTimeoutMs);
      entry.holdTimed = extended ?? false;
    }
    if (state.phase === 'charging' && !entry.holdTimed) {
      entry.holdTimed = true;
      if (this.timers.nowMs + holdTtlMs < (entry.deadlineMs ?? 0)) this.expireIn(entry, holdTtlMs);
    }
    if (state.lateMs > 0 && !entry.lateTimed) {
      entry.lateTimed = true;
      this.timers.set({ order: state.id, what: 'sendLate', dueMs: this.timers.nowMs + state.lateMs });
    }
  }

  /** deadlines.E1: the timer that is already set finds the later deadline when it is due. */
  extend(entry: OrderEntry): void {
    entry.deadlineMs = Math.max(entry.deadlineMs ?? 0, this.timers.nowMs + this.settings.holdTtlMs);
  }

  /** The commands that are due now, at most as many as one turn takes. */
  due(): Due[] {
    return this.timers.due(limits.turnCommands).flatMap(({ order, what }): Due[] => {
      const entry = this.world.orders.get(order);
      if (entry === undefined || !timerRuns(entry.state)) return [];
      const { deadlineMs } = entry;
      if (what === 'sendLate') return [{ entry, command: { type: 'sendLate' } }];
      if (deadlineMs === undefined || deadlineMs <= this.timers.nowMs) return [{ entry, command: { type: 'timeOut' } }];
      this.timers.set({ order, what, dueMs: deadlineMs });
      return [];
    });
  }

  /** The orders leave memory with their partition. */
  leave(gone: readonly OrderEntry[]): void {
    const ids = new Set(gone.filter(({ state }) => timerRuns(state)).map(({ state }) => state.id));
    if (ids.size > 0) this.timers.remove((order) => ids.has(order));
  }

  private expireIn(entry: OrderEntry, delayMs: number): void {
    entry.deadlineMs = this.timers.nowMs + delayMs;
    this.timers.set({ order: entry.state.id, what: 'timeOut', dueMs: entry.deadlineMs });
  }
}
