/**
 * How far EVENTS is behind the journal: the time since the first turn that is appended and not published. It remembers
 * the moments of some turns only, at least a second apart, and further apart the longer EVENTS is away. So it may say too
 * little by that much.
 */
import type { Clock } from '../../actors/ports/runtime.js';

interface Moment {
  readonly n: number;
  readonly atMs: number;
}

const APART_MS = 1_000;
/** The part of the lag by which two moments are apart once it is long. */
const PART = 1 / 64;

export class EventsLag {
  /** Of unpublished turns, oldest first. */
  private moments: Moment[] = [];
  private last: Moment = { n: 0, atMs: 0 };

  constructor(private readonly clock: Pick<Clock, 'monotonic'>) {}

  appended(n: number, publishedN: number): void {
    this.forget(publishedN);
    const atMs = this.clock.monotonic();
    this.last = { n, atMs };
    const [first] = this.moments;
    const before = this.moments.at(-1);
    const isFirst = first === undefined || before === undefined;
    if (isFirst || atMs - before.atMs >= Math.max(APART_MS, (atMs - first.atMs) * PART)) this.moments.push(this.last);
  }

  ms(publishedN: number): number {
    if (publishedN >= this.last.n) return 0;
    this.forget(publishedN);
    return this.clock.monotonic() - (this.moments[0] ?? this.last).atMs;
  }

  private forget(publishedN: number): void {
    let gone = 0;
    while ((this.moments[gone]?.n ?? Number.POSITIVE_INFINITY) <= publishedN) gone++;
    if (gone > 0) this.moments.splice(0, gone);
  }
}
