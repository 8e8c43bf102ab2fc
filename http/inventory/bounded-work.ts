/**
 * Runs work on many items with bounded concurrency.
 */

/**
 * Takes the next item only when its work can start, so a slow consumer slows the source down. Starts no further work
 * once one work has returned false or thrown, or the source has failed. Work that has started is awaited.
 * @returns whether all work was done.
 */
export async function boundedWork<T>(
  items: Iterable<T> | AsyncIterable<T>,
  atOnce: number,
  work: (item: T) => Promise<boolean>,
): Promise<boolean> {
  let goesOn = true;
  let underWay = 0;
  let thrown: { readonly error: unknown } | undefined;
  let ended = () => {};
  const oneEnds = () => new Promise<void>((resolve) => (ended = resolve));
  const begin = async (item: T) => {
    underWay++;
    let done = false;
    try {
      done = await work(item);
    } catch (error) {
      thrown ??= { error };
    }
    goesOn &&= done;
    underWay--;
    ended();
  };
  try {
    for await (const item of items) {
      if (!goesOn) break;
      void begin(item);
      while (underWay >= atOnce) await oneEnds();
      if (!goesOn) break;
    }
  } finally {
    while (underWay > 0) await oneEnds();
  }
  if (thrown !== undefined) throw thrown.error;
  return goesOn;
}

/** Runs work of one name in the given order, and work of different names concurrently. */
export class InOrder {
  private readonly last = new Map<string, Promise<unknown>>();

  async after<T>(name: string, work: () => Promise<T>): Promise<T> {
    const mine = this.last.get(name)?.then(work, work) ?? work();
    this.last.set(name, mine);
    try {
      return await mine;
    } finally {
      if (this.last.get(name) === mine) this.last.delete(name);
    }
  }
}
