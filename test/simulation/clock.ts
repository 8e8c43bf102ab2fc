/**
 * Virtual time: everything in a simulation is an event on one timeline, and one seed decides all of it.
 *
 *  V1. Time moves only from one event to the next. The current event ends, with its promises, before the next begins.
 *      So the same seed gives the same run on any machine.
 *  V2. An event may belong to a process. It never runs once the process is dead, and waits while it is paused.
 *  V3. Every event changes a hash, so that two runs can be compared.
 */
import { crockford128 } from '../../actors/ids.js';
import type { Clock } from '../../actors/ports/runtime.js';

/** Random numbers from a seed, by sfc32 of Chris Doty-Humphrey with 32 bits per draw. */
export class Chance {
  private a: number;
  private b: number;
  private c = 0x9e3779b9;
  private counter = 1;

  constructor(seed: number) {
    this.a = seed | 0;
    this.b = Math.floor(seed / 2 ** 32) | 0;
    for (let i = 0; i < 12; i++) this.bits();
  }

  bits(): number {
    const sum = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + sum;
    return sum >>> 0;
  }

  /** In [0, 1). */
  next(): number {
    return this.bits() / 2 ** 32;
  }

  hits(probability: number): boolean {
    return this.next() < probability;
  }

  between(from: number, to: number): number {
    return from + this.next() * (to - from);
  }

  whole(from: number, to: number): number {
    return Math.floor(this.between(from, to + 1));
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.whole(0, items.length - 1)] ?? items[0];
  }

  any<T>(items: readonly T[]): T | undefined {
    return items[this.whole(0, items.length - 1)];
  }
}

/** A process that owns events: they wait while it is paused, and never run once it is dead (clock.V2). */
export interface Being {
  readonly name: string;
  state: 'running' | 'paused' | 'dead';
  readonly held: (() => void)[];
}

interface Due {
  readonly atMs: number;
  readonly order: number;
  readonly being: Being | undefined;
  readonly run: () => void;
  cancelled: boolean;
}

export class Timeline {
  nowMs = 0;
  steps = 0;
  readonly lines: string[] = [];
  private rollingHash = 0x811c9dc5;
  private order = 0;
  private readonly heap: Due[] = [];

  constructor(
    readonly chance: Chance,
    private readonly keepsLines: boolean,
  ) {}

  get hash(): string {
    return (this.rollingHash >>> 0).toString(16).padStart(8, '0');
  }

  /** clock.V3: adds the line to the hash. */
  note(line: string): void {
    const text = `${this.nowMs.toFixed(2)} ${line}`;
    let hash = this.rollingHash;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    this.rollingHash = hash;
    if (this.keepsLines) this.lines.push(text);
  }

  /** A line for --trace alone. */
  tell(line: () => string): void {
    if (this.keepsLines) this.lines.push(`${this.nowMs.toFixed(2)} ${line()}`);
  }

  after(delayMs: number, run: () => void, being?: Being): () => void {
    const due = { atMs: this.nowMs + Math.max(0, delayMs), order: this.order++, being, run, cancelled: false };
    this.push(due);
    return () => {
      due.cancelled = true;
    };
  }

  /** Runs the next event and its promises. @returns false when there is no event */
  async step(): Promise<boolean> {
    for (let due = this.pop(); due !== undefined; due = this.pop()) {
      this.nowMs = due.atMs;
      if (due.cancelled || due.being?.state === 'dead') continue;
      if (due.being?.state === 'paused') {
        const { being, run } = due;
        being.held.push(() => this.after(0, run, being));
        continue;
      }
      this.steps++;
      due.run();
      await new Promise<void>((resolve) => setImmediate(resolve)); // clock.V1
      return true;
    }
    return false;
  }

  /** @param skewMs how far the process' wall clock is off */
  clockOf(being: Being | undefined, skewMs: () => number): Clock {
    const bornMs = this.nowMs;
    return {
      now: () => Math.floor(1_700_000_000_000 + this.nowMs + skewMs()),
      monotonic: () => this.nowMs - bornMs,
      after: (delayMs, run) => this.after(delayMs, run, being),
      soon: (run) => void this.after(0, run, being),
      id: () => this.id(),
      random: () => this.chance.next(),
    };
  }

  id(): string {
    return crockford128(Array.from({ length: 16 }, () => this.chance.bits() & 255));
  }

  private push(due: Due): void {
    const heap = this.heap;
    let at = heap.push(due) - 1;
    while (at > 0) {
      const up = (at - 1) >>> 1;
      const parent = heap[up];
      if (parent === undefined || !before(due, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = due;
  }

  private pop(): Due | undefined {
    const heap = this.heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      if (left === undefined) break;
      const takesRight = right !== undefined && before(right, left);
      const child = takesRight ? right : left;
      if (!before(child, last)) break;
      heap[at] = child;
      at = 2 * at + (takesRight ? 2 : 1);
    }
    heap[at] = last;
    return first;
  }
}

const before = (a: Due, b: Due): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
