/**
 * When the runtime has something to ask of an order by itself: to time out, or to send the holds that are late.
 *
 *  E1. A pending order has `orderTimeoutMs`, and from when all is held at most `holdTtlMs`, unless that is
 *      extended; an extension never makes it shorter.
 *  E2. All of it counts running time (timers.ts). A start begins anew: nothing is given up for an outage.
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

  /** Sets what the order's state asks for. */
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

  /** deadlines.E1: the timer that is set finds the later deadline when it is due. */
  extend(entry: OrderEntry): void {
    entry.deadlineMs = Math.max(entry.deadlineMs ?? 0, this.timers.nowMs + this.settings.holdTtlMs);
  }

  /** What to ask of whom now, at most as much as a turn takes. */
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

  private expireIn(entry: OrderEntry, delayMs: number): void {
    entry.deadlineMs = this.timers.nowMs + delayMs;
    this.timers.set({ order: entry.state.id, what: 'timeOut', dueMs: entry.deadlineMs });
  }
}
