/**
 * Lets a few reads be under way at once. A mounted folder may hang, and each of its reads then keeps a thread of libuv's pool,
 * which has four of them, for files, names of hosts and zlib alike.
 *
 * Law: a read keeps its turn until it has really ended, also when nobody waits for it any more. One whose signal is aborted before
 * its turn comes is never begun.
 */
type InTurn = <T>(read: () => Promise<T>, signal: AbortSignal) => Promise<T>;

export function readTurns(most: number): InTurn {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (read, signal) => {
    if (running < most) running++;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      signal.throwIfAborted();
      return await read();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}
