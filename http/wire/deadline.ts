/**
 * Nobody waits for ever: an answer, or what is said instead of one that is late.
 */
import type { Clock } from '../../actors/ports/runtime.js';

/** @param late may be a promise that rejects. What `ask` answers after that is dropped. */
export function withDeadline<T>(
  clock: Pick<Clock, 'after'>,
  waitMs: number,
  ask: () => Promise<T>,
  late: () => T | Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(waitMs, () => resolve(late()));
    const settled = (settle: () => void) => {
      cancel();
      settle();
    };
    ask().then(
      (answer) => settled(() => resolve(answer)),
      (error) => settled(() => reject(error)),
    );
  });
}
