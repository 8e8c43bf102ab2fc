/** The cache where there is no Redis: this process' own memory, bounded by bytes; what was not used lately goes first. */
import { limits } from '../../actors/limits.js';
import type { Cache } from '../../actors/ports/cache.js';
import type { Clock } from '../../actors/ports/runtime.js';
import { Recent } from '../../actors/recent-map.js';

interface Entry {
  readonly text: string;
  readonly bytes: number;
  readonly endsAt: number;
}

/** Two maps' places and the objects, about. */
const OVERHEAD_BYTES = 200;
/** What a character may take in memory. */
const CHARACTER_BYTES = 2;

export function memoryCache(clock: Pick<Clock, 'monotonic'>, most: number = limits.cacheBytes): Cache {
  const entries = new Recent<string, Entry>(most, ({ bytes }) => bytes);
  return {
    async get(key) {
      const entry = entries.get(key);
      if (entry === undefined || entry.endsAt > clock.monotonic()) return entry?.text;
      entries.delete(key);
      return undefined;
    },

    async set(key, text, ttlMs) {
      entries.delete(key);
      if (Buffer.byteLength(text) > limits.cacheEntryBytes) return;
      const bytes = CHARACTER_BYTES * (key.length + text.length) + OVERHEAD_BYTES;
      entries.set(key, { text, bytes, endsAt: clock.monotonic() + ttlMs });
    },
  };
}
