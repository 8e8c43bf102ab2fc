/**
 * Lets a few reads be under way at once. A mounted folder may hang, and each of its reads then keeps a thread of libuv's pool,
 * which has four of them, for files, names of hosts and zlib alike.
 *
 * Law: a read keeps its turn until it has really ended, also when nobody waits for it any more. One whose signal is aborted before
 * its turn comes is never begun.
 */
type InTurn = <T>(read: () => Promise<T>, signal: AbortSignal) => Promise<T>;

export function readTurns(most: number): InTurn {
  const waiting = new Set<() => void>();
  let running = 0;
  return async (read, signal) => {
    if (running < most) running++;
    else await turnOf(waiting, signal);
    try {
      signal.throwIfAborted();
      return await read();
    } finally {
      const [next] = waiting;
      if (next === undefined) running--;
      else next();
    }
  };
}

/** @throws the signal's reason, and then keeps no place in the queue */
function turnOf(waiting: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const begin = () => {
      waiting.delete(begin);
      signal.removeEventListener('abort', leave);
      resolve();
    };
    const leave = () => {
      waiting.delete(begin);
      reject(signal.reason);
    };
    waiting.add(begin);
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
  });
}
