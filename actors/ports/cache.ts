/** A cache that may forget. Types only; a contract suite tests each promise. */

/**
 * Keeps texts for a while, or loses them. A caller must manage without the cache, and must check each text, since others
 * may have written it. Never rejects; each call ends within limits.cacheCallMs.
 */
export interface Cache {
  get(key: string): Promise<string | undefined>;
  /** A text of more than limits.cacheEntryBytes is not kept. */
  set(key: string, text: string, ttlMs: number): Promise<void>;
}
