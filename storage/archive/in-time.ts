import { setTimeout } from 'node:timers/promises';

/** A mounted folder may not answer at all, and its calls do not listen to signals. @throws after `ms` without an answer */
export async function inTime<T>(answer: Promise<T>, ms: number): Promise<T> {
  const over = new AbortController();
  const late = setTimeout(ms, undefined, { signal: over.signal }).then(() => {
    throw new Error(`it did not answer within ${ms / 1_000} s`);
  });
  late.catch(() => {}); // Nobody waits for it once the answer is there.
  try {
    return await Promise.race([answer, late]);
  } finally {
    over.abort();
  }
}
