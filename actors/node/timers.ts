/**
 * Time as an input: it counts what this node has run, so that neither a clock's jump, nor a pause,
 * nor an outage of the journal expires an order.
 *
 * All timers have the same length, so the first set is the first due.
 */
import type { OrderId } from '../ids.js';
import { Inbox } from './inbox.js';

/** A step longer than this was a pause: only this much of it counts. */
const LONGEST_STEP_MS = 500;

export class Timers {
  private runningMs = 0;
  private last: number | undefined;
  private readonly queue = new Inbox<{ readonly order: OrderId; readonly dueMs: number }>();

  constructor(private readonly timeoutMs: number) {}

  /** @param isServing false while an append has no answer: that time does not count. */
  advance(monotonicMs: number, isServing: boolean): void {
    const step = this.last === undefined ? 0 : monotonicMs - this.last;
    this.last = monotonicMs;
    if (isServing) this.runningMs += Math.max(0, Math.min(step, LONGEST_STEP_MS));
  }

  set(order: OrderId): void {
    this.queue.put({ order, dueMs: this.runningMs + this.timeoutMs });
  }

  /** The orders whose time is up, at most `most`. */
  due(most: number): OrderId[] {
    const due: OrderId[] = [];
    for (
      let next = this.queue.peek();
      next !== undefined && next.dueMs <= this.runningMs && due.length < most;
      next = this.queue.peek()
    ) {
      due.push(next.order);
      this.queue.shift();
    }
    return due;
  }
}
