/**
 * Timers over the node's running time. A jump of the clock, a pause of the process or an outage of the journal does not
 * count, so none of them makes an order time out.
 */
import type { OrderId } from '../ids.js';

/** A longer step was a pause of the process: only this much of it counts. */
const LONGEST_STEP_MS = 500;

export interface Timer {
  readonly order: OrderId;
  readonly what: 'timeOut' | 'sendLate';
  readonly dueMs: number;
}

export class Timers {
  /** Running time, milliseconds. */
  nowMs = 0;
  private last: number | undefined;
  /** A binary heap: the timer at place i is not due before its parent at (i - 1) / 2. */
  private readonly heap: Timer[] = [];

  /** @param isServing false while an append has no answer: that time does not count. */
  advance(monotonicMs: number, isServing: boolean): void {
    const step = this.last === undefined ? 0 : monotonicMs - this.last;
    this.last = monotonicMs;
    if (isServing) this.nowMs += Math.max(0, Math.min(step, LONGEST_STEP_MS));
  }

  set(timer: Timer): void {
    const { heap } = this;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.dueAt(parent) <= timer.dueMs) break;
      this.swap(at, parent);
      at = parent;
    }
  }

  /** Takes the timers that are due, earliest first, at most `most`. */
  due(most: number): Timer[] {
    const due: Timer[] = [];
    while (due.length < most && this.dueAt(0) <= this.nowMs) due.push(this.take());
    return due;
  }

  /** Removes the timers of the orders for which it is true. */
  remove(isIt: (order: OrderId) => boolean): void {
    for (const timer of this.heap.splice(0)) if (!isIt(timer.order)) this.set(timer);
  }

  // -------------------------------------------------------------- machinery

  private take(): Timer {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) throw new Error('no timer is set');
    if (heap.length === 0) return first;
    heap[0] = last;
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      const child = this.dueAt(left + 1) < this.dueAt(left) ? left + 1 : left;
      if (this.dueAt(child) >= last.dueMs) return first;
      this.swap(at, child);
      at = child;
    }
  }

  private dueAt(place: number): number {
    return this.heap[place]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  private swap(a: number, b: number): void {
    const [x, y] = [this.heap[a], this.heap[b]];
    if (x === undefined || y === undefined) return;
    this.heap[a] = y;
    this.heap[b] = x;
  }
}
