/** Questions that are asked again and again: only while the page is looked at, one at a time, and more rarely while nobody answers. */
import { useEffect, useState } from 'preact/hooks';
import { Refusal } from './api.js';

const LONGEST_MS = 10_000;

export interface Polled<T> {
  /** The last answer; it stays while there is no newer one. */
  readonly value: T | undefined;
  /** Why the last question has no answer. */
  readonly refusal: Refusal | undefined;
}

/** Calls `step` after each pause that it returns, as long as somebody looks. @returns what ends it */
function whileSeen(step: () => Promise<number>): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let [isOver, isUnderWay] = [false, false];
  const run = async () => {
    clearTimeout(timer);
    if (isOver || isUnderWay || document.hidden) return;
    isUnderWay = true;
    const pauseMs = await step().catch(() => LONGEST_MS);
    isUnderWay = false;
    if (!isOver) timer = setTimeout(run, pauseMs * (0.9 + Math.random() * 0.2));
  };
  document.addEventListener('visibilitychange', run);
  void run();
  return () => {
    isOver = true;
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', run);
  };
}

/** @param ask changes its identity when another question is meant; undefined: nothing is asked */
export function usePolled<T>(
  ask: (() => Promise<T>) | undefined,
  everyMs: number,
  needs: readonly unknown[],
): Polled<T> {
  const [polled, setPolled] = useState<Polled<T>>({ value: undefined, refusal: undefined });
  useEffect(() => {
    if (ask === undefined) return undefined;
    let failures = 0;
    return whileSeen(async () => {
      try {
        const value = await ask();
        failures = 0;
        setPolled({ value, refusal: undefined });
      } catch (error) {
        failures++;
        const refusal = error instanceof Refusal ? error : new Refusal(0, String(error));
        setPolled(({ value }) => ({ value, refusal }));
      }
      return failures === 0 ? everyMs : Math.min(LONGEST_MS, Math.max(everyMs, 500 * 2 ** failures));
    });
  }, needs);
  return polled;
}
