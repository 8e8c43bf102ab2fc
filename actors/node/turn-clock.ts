/**
 * The time of turns: the machine's clock, but never behind what this node has loaded or written.
 *
 * No turn is earlier than the one before it, nor than any actor's last event: an actor's time never goes back.
 *
 * After the clock was set back, the next turn is a millisecond past the last one. From there times go on at half the
 * speed of running time. So what happens later shows as later, and the clock catches up for certain: at the latest
 * after twice the time that it was set back by.
 */

/** A node says that its clock is behind from so much on: smaller steps are a time service at work. */
const WORTH_SAYING_MS = 1_000;

export class TurnClock {
  private lastMs = 0;
  /** Set while the clock is behind: where times went on from, and since when in running time. */
  private slow: { readonly fromMs: number; readonly sinceMs: number } | undefined;
  private isSaid = false;

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

  /** By how much the clock is behind, once when it falls behind; 0 once when it has caught up; else undefined. */
  news(wallMs: number): number | undefined {
    const behindMs = this.lastMs - wallMs;
    if (this.isSaid ? behindMs > 0 : behindMs < WORTH_SAYING_MS) return undefined;
    this.isSaid = !this.isSaid;
    return behindMs;
  }
}
