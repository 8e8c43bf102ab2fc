/** The cache in Redis: texts that expire. Any failure is a cache miss. */
import { limits } from '../../actors/limits.js';
import type { Cache } from '../../actors/ports/cache.js';
import type { Redis } from './redis.js';

export function redisCache(redis: Redis): Cache {
  return {
    async get(key) {
      try {
        // Others may write to the same Redis: reads at most the size of one entry.
        const text = await redis.call((connection) => connection.getrange(key, 0, limits.cacheEntryBytes - 1));
        return text === '' ? undefined : text;
      } catch {
        return undefined;
      }
    },

    async set(key, text, ttlMs) {
      if (Buffer.byteLength(text) > limits.cacheEntryBytes) return;
      await redis.call((connection) => connection.set(key, text, 'PX', ttlMs)).catch(() => {});
    },
  };
}
