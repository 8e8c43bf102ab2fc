/** Leases in memory, with the promises of postgres-leases.ts within one process. */
import type { Leases } from '../../actors/ports/leases.js';

interface MemoryLeases extends Leases {
  /** What the end of a session does: whoever holds the name has lost it. */
  lose(name: string): void;
}

export function memoryLeases(): MemoryLeases {
  const holders = new Map<string, AbortController>();
  const freed = new Map<string, Set<() => void>>();

  async function untilFree(name: string, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const waiting = freed.get(name) ?? new Set();
      freed.set(name, waiting.add(resolve));
      signal.addEventListener('abort', () => resolve());
    });
  }

  function free(name: string, holder: AbortController): void {
    if (holders.get(name) === holder) holders.delete(name);
    const waiting = freed.get(name) ?? [];
    freed.delete(name);
    for (const wake of waiting) wake();
  }

  return {
    async holding(name, signal, run, waits) {
      let hasWaited = false;
      while (!signal.aborted) {
        if (!holders.has(name)) {
          const lost = new AbortController();
          const give = () => lost.abort(signal.reason);
          holders.set(name, lost);
          signal.addEventListener('abort', give);
          try {
            return await run(lost.signal);
          } finally {
            signal.removeEventListener('abort', give);
            lost.abort();
            free(name, lost);
          }
        }
        if (!hasWaited) waits?.();
        hasWaited = true;
        await untilFree(name, signal);
      }
      return undefined;
    },
    lose(name) {
      const holder = holders.get(name);
      if (holder === undefined) return;
      holder.abort(new Error(`the lease ${name} is lost`));
      free(name, holder);
    },
  };
}
