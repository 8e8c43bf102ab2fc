/**
 * How old the lists may be: the time since the first append whose rows Postgres may not have yet. It never says too little
 * about what this node writes, and knows nothing of other nodes.
 */
import type { Clock } from '../../actors/ports/runtime.js';

export class ListAge {
  /** Everything that was appended before is in Postgres; undefined: everything is. */
  private missingSinceMs: number | undefined;
  private lastAppendMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly clock: Pick<Clock, 'monotonic'>) {}

  get ms(): number {
    return this.missingSinceMs === undefined ? 0 : this.clock.monotonic() - this.missingSinceMs;
  }

  appended(): void {
    this.lastAppendMs = this.clock.monotonic();
    this.missingSinceMs ??= this.lastAppendMs;
  }

  /** @param durationMs since the rows were collected: they contain what was appended before that. */
  flushed(durationMs: number): void {
    const collectedMs = this.clock.monotonic() - durationMs;
    this.missingSinceMs = this.lastAppendMs < collectedMs ? undefined : collectedMs;
  }
}
