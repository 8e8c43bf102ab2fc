/**
 * Bounds every wait: the result is the answer, or a substitute if the answer is late.
 */
import type { Clock } from '../../actors/ports/runtime.js';

/** @param late may return a promise that rejects. A later answer is dropped. */
export function withDeadline<T>(
  clock: Pick<Clock, 'after'>,
  waitMs: number,
  answer: () => Promise<T>,
  late: () => T | Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(waitMs, () => resolve(late()));
    const settled = (settle: () => void) => {
      cancel();
      settle();
    };
    answer().then(
      (value) => settled(() => resolve(value)),
      (error) => settled(() => reject(error)),
    );
  });
}
