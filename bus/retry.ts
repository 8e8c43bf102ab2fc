/** Retries with pauses that grow. Jitter keeps many callers that wait for one server from retrying at once. */
import type { Clock } from '../actors/ports/runtime.js';

const FIRST_MS = 20;
const LONGEST_MS = 1_000;

/**
 * The pause grows with each failed attempt: 10-20 ms after the first, at last half to all of `longestMs`.
 * @param attempt from 0
 */
export const pauseMs = (clock: Clock, attempt: number, longestMs = LONGEST_MS): number =>
  Math.min(longestMs, FIRST_MS * 2 ** Math.min(attempt, 10)) * (0.5 + clock.random() / 2);

/**
 * Waits pauseMs.
 * @param wakeable receives a function that ends the pause early
 */
export function pause(clock: Clock, attempt: number, wakeable?: (wake: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(pauseMs(clock, attempt), resolve);
    wakeable?.(() => {
      cancel();
      resolve();
    });
  });
}

/** Waits so long, but not beyond the signal; one that is aborted already ends it at once. */
export function rest(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || ms < 1) return resolve();
    const end = () => {
      cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    signal.addEventListener('abort', end);
  });
}

/** Rejects with the sentence when the answer takes longer than the deadline. */
export function within<T>(clock: Clock, deadlineMs: number, answer: Promise<T>, sentence: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(deadlineMs, () => reject(new Error(sentence)));
    answer.then(resolve, reject).finally(cancel);
  });
}

/** Repeats a call until it has an answer. Rejects with the last error once told to stop. */
export async function untilAnswered<T>(clock: Clock, stopped: () => boolean, ask: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      if (stopped()) throw error;
    }
    await pause(clock, attempt);
  }
}
