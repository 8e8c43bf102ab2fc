/**
 * Does work under a signal that is aborted when any of these is, and when the work has ended.
 *
 * AbortSignal.any is no substitute in a long wait: Node.js 20 may collect a joined signal, or one of its sources, as garbage, and then
 * no abort is heard.
 */
export async function underAny<T>(
  signals: readonly AbortSignal[],
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const joined = new AbortController();
  const leave = signals.map((signal) => {
    const end = () => joined.abort(signal.reason);
    if (signal.aborted) end();
    signal.addEventListener('abort', end);
    return () => signal.removeEventListener('abort', end);
  });
  try {
    return await work(joined.signal);
  } finally {
    for (const each of leave) each();
    joined.abort();
  }
}
