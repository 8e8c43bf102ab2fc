/** A cache that may forget. Types alone; what a port promises is held by its contract suite. */

/**
 * Remembers texts for a while, or does not: whoever asks can do without, and checks what it gets, since
 * others may have written there. Never rejects; each call ends within limits.cacheCallMs.
 */
export interface Cache {
  get(key: string): Promise<string | undefined>;
  /** A text of more than limits.cacheEntryBytes is not kept. */
  set(key: string, text: string, ttlMs: number): Promise<void>;
}
