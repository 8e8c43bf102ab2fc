/** The cache when there is no Redis: in this process' memory, bounded by bytes. The least recently used entry goes first. */
import { limits } from '../../actors/limits.js';
import type { Cache } from '../../actors/ports/cache.js';
import type { Clock } from '../../actors/ports/runtime.js';
import { Recent } from '../../actors/recent-map.js';

interface Entry {
  readonly text: string;
  readonly bytes: number;
  readonly endsAt: number;
}

/** The rough size of an entry's objects and its places in two maps. */
const OVERHEAD_BYTES = 200;
/** The most that a character takes in memory. */
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
