/**
 * Work on many things, some at a time.
 */

/**
 * Takes the next one only when there is room to begin on it, so that what is still arriving arrives no faster
 * than it is worked on. Begins no more once the work on one has answered false or thrown, or the next one could
 * not be had; what has begun is waited for.
 * @returns whether all of it was done.
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

/** Work on things of one name in the order in which it is given, on others meanwhile. */
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
