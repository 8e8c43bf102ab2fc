/**
 * Limits the requests of each caller in a window that begins with its first request. With Redis, all edges count
 * together. Without Redis, or while it does not answer, this process counts alone. It forgets the least recent callers
 * past a limit, so it fails open.
 */
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { limits } from '../../actors/limits.js';
import type { Allowance, RateLimits } from '../../actors/ports/rate-limits.js';
import type { Clock } from '../../actors/ports/runtime.js';
import { Recent } from '../../actors/recent-map.js';
import type { Redis } from './redis.js';

interface RateRules {
  readonly requests: number;
  readonly seconds: number;
  /** Edges with the same name count together. */
  readonly name: string;
}

export function rateLimits(rules: RateRules, clock: Pick<Clock, 'monotonic'>, redis?: Redis): RateLimits {
  const here = countedHere(rules, clock);
  if (redis === undefined) return { take: async (caller) => here(caller) };
  const together = countedTogether(rules, redis);
  return { take: (caller) => together(caller).catch(() => here(caller)) };
}

// ---------------------------------------------------------------- machinery

function countedHere({ requests, seconds }: RateRules, clock: Pick<Clock, 'monotonic'>) {
  const windows = new Recent<string, { taken: number; readonly endsAt: number }>(limits.countedCallers);
  return (caller: string): Allowance => {
    const now = clock.monotonic();
    let window = windows.get(caller);
    if (window === undefined || window.endsAt <= now) {
      window = { taken: 0, endsAt: now + seconds * 1_000 };
      windows.set(caller, window);
    }
    window.taken++;
    return allowance(requests, window.taken, window.endsAt - now);
  };
}

function countedTogether({ requests, seconds, name }: RateRules, redis: Redis) {
  const limiter = new RateLimiterRedis({
    storeClient: redis.connection,
    keyPrefix: `holdfast:rate:${name}`,
    points: requests,
    duration: seconds,
  });
  return async (caller: string): Promise<Allowance> => {
    const { consumedPoints, msBeforeNext } = await redis.call(() =>
      limiter.consume(caller).catch((refused: unknown) => {
        if (refused instanceof RateLimiterRes) return refused;
        throw refused;
      }),
    );
    return allowance(requests, consumedPoints, msBeforeNext);
  };
}

const allowance = (limit: number, taken: number, resetMs: number): Allowance => ({
  isAllowed: taken <= limit,
  limit,
  remaining: Math.max(0, limit - taken),
  resetMs: Math.max(0, resetMs),
});
