/**
 * Who parses the past now. One at a time does, for a few milliseconds; then other work of the process has its turn, such as
 * orders. So it does not matter to them how many are told the past.
 */
import { limits } from '../../actors/limits.js';
import type { Clock } from '../../actors/ports/runtime.js';

export class ParseTurns {
  private latest: Promise<void> = Promise.resolve();
  private holder: object | undefined;
  private untilMs = 0;

  constructor(private readonly clock: Pick<Clock, 'monotonic'>) {}

  /** Resolves when `who` may parse one more message. */
  async turn(who: object): Promise<void> {
    if (this.holder === who && this.clock.monotonic() < this.untilMs) return;
    this.latest = this.latest.then(() => new Promise((resolve) => void setImmediate(resolve)));
    await this.latest;
    this.holder = who;
    this.untilMs = this.clock.monotonic() + limits.liveParseMs;
  }
}
