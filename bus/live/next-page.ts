/** How a listener waits for the next page of the past. */
import type { Clock } from '../../actors/ports/runtime.js';

/** Without a page a listener is asked so often whether it can go on with what comes. */
const JOIN_AGAIN_MS = 250;

/** The next page; undefined when there is none for a while. */
export function soon<T>(clock: Pick<Clock, 'after'>, next: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(JOIN_AGAIN_MS, () => resolve(undefined));
    next.then(resolve, reject).finally(cancel);
  });
}

/** Nobody may wait for it any more when it fails: the listener left, or has gone on elsewhere. */
export function handled<T>(next: Promise<T>): Promise<T> {
  next.catch(() => {});
  return next;
}
