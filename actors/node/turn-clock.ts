/**
 * The time of turns: the machine's clock, but never earlier than any time that this node has loaded or written.
 *
 * A turn is never earlier than the turn before it, nor than any actor's last event: an actor's time never goes back.
 *
 * After the clock was set back, the next turn is one millisecond later than the last one. From then on the time of
 * turns runs at half the speed of running time. So later turns show later times, and the clock certainly catches up:
 * at the latest after twice the time by which it was set back.
 */

/** The node reports a clock that is at least this far behind. Smaller steps are the work of a time service. */
const WORTH_SAYING_MS = 1_000;

export class TurnClock {
  private lastMs = 0;
  /** Set while the clock is behind: the time to count from, and the running time when that began. */
  private slow: { readonly fromMs: number; readonly sinceMs: number } | undefined;
  private isReported = false;

  /**
   * The time of a turn that begins now.
   * @param wallMs the machine's clock
   * @param monotonicMs running time
   * @param knownMs the latest time of any actor in memory
   */
  next(wallMs: number, monotonicMs: number, knownMs: number): number {
    if (knownMs > this.lastMs) {
      this.lastMs = knownMs;
      this.slow = undefined;
    }
    if (wallMs >= this.lastMs) {
      this.slow = undefined;
      this.lastMs = wallMs;
    } else {
      this.slow ??= { fromMs: this.lastMs + 1, sinceMs: monotonicMs };
      const { fromMs, sinceMs } = this.slow;
      this.lastMs = Math.max(this.lastMs, fromMs + Math.floor((monotonicMs - sinceMs) / 2));
    }
    return this.lastMs;
  }

  /** By how much the clock is behind: once when it falls behind. 0 once when it has caught up. Else undefined. */
  news(wallMs: number): number | undefined {
    const behindMs = this.lastMs - wallMs;
    if (this.isReported ? behindMs > 0 : behindMs < WORTH_SAYING_MS) return undefined;
    this.isReported = !this.isReported;
    return behindMs;
  }
}
