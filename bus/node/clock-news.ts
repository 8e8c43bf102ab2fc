/** Explains to the operator why stored times are ahead of the machine's clock (turn-clock.ts). */
import type { Logger } from '../../actors/ports/runtime.js';

export function tellClock(logger: Logger, behindMs: number): void {
  if (behindMs <= 0) return logger.info({}, "this machine's clock has caught up with the times of this node");
  const behindS = Math.ceil(behindMs / 1_000);
  logger.warn(
    { behindS },
    `this machine's clock is ${behindS} s behind the last time that is stored: no time goes back, so times go on from there at half speed until the clock has caught up`,
  );
}
