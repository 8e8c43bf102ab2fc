/** The cache in Redis: plain texts that expire. Whatever keeps it from an answer is a miss. */
import { limits } from '../../actors/limits.js';
import type { Cache } from '../../actors/ports/cache.js';
import type { Redis } from './redis.js';

export function redisCache(redis: Redis): Cache {
  return {
    async get(key) {
      try {
        // Never more of what others may have put there than an entry can have.
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
