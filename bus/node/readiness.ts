/** Readiness is a real write to the journal and to Postgres, both answered in time. */
import { limits } from '../../actors/limits.js';
import type { Clock } from '../../actors/ports/runtime.js';

/** Rejects with a sentence that names what did not answer. */
export function bothInTime(clock: Clock, appended: Promise<void>, remembered: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const missing = new Set(['the journal', 'Postgres']);
    const tooLate = () =>
      reject(new Error(`${[...missing].join(' and ')} did not answer a write within ${limits.readyMs} ms`));
    const cancel = clock.after(limits.readyMs, tooLate);
    const both = [
      appended.then(() => missing.delete('the journal')),
      remembered.then(() => missing.delete('Postgres')),
    ];
    Promise.all(both)
      .then(() => resolve(), reject)
      .finally(cancel);
  });
}
