/** A node is ready when the journal and Postgres both answer a real write in time. */
import { limits } from '../../actors/limits.js';
import type { Clock } from '../../actors/ports/runtime.js';

/** Rejects with a sentence that names the store without an answer. */
export function bothInTime(clock: Clock, appended: Promise<void>, stored: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const missing = new Set(['the journal', 'Postgres']);
    const tooLate = () =>
      reject(new Error(`${[...missing].join(' and ')} did not answer a write within ${limits.readyMs} ms`));
    const cancel = clock.after(limits.readyMs, tooLate);
    const both = [appended.then(() => missing.delete('the journal')), stored.then(() => missing.delete('Postgres'))];
    Promise.all(both)
      .then(() => resolve(), reject)
      .finally(cancel);
  });
}
