/**
 * Work on many things, some at a time.
 */

/**
 * Begins no more once the work on one has answered false or thrown; what has begun is waited for.
 * @returns whether all of it was done.
 */
export async function inTurns<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<boolean>,
): Promise<boolean> {
  const rest = items.values();
  let goesOn = true;
  const one = async () => {
    for (const item of rest) {
      if (!goesOn) return;
      let done = false;
      try {
        done = await work(item);
      } finally {
        goesOn &&= done;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, one));
  return goesOn;
}
