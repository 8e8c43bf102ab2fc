/** When a delivery is attempted again: some eleven attempts over a day. */
import { limits } from '../../actors/limits.js';

const [S, MIN, H] = [1_000, 60_000, 3_600_000];
/** The pause after each attempt; their sum is almost a day. */
export const PAUSES_MS: readonly number[] = [
  ...[5 * S, 30 * S, 2 * MIN, 10 * MIN, 30 * MIN, H, 2 * H, 4 * H, 8 * H, 8 * H],
];
/** A pause is longer or shorter by up to this share, so that receivers which were away are not met by all at once. */
const JITTER = 0.2;

/**
 * @param attempt that failed, from 1. @param askedMs what the receiver asked for: the pause is not shorter than that.
 * @returns undefined when there is no further one
 */
export function pauseAfter(
  attempt: number,
  askedMs: number | undefined,
  random: () => number,
  pauses = PAUSES_MS,
): number | undefined {
  const pause = pauses[attempt - 1];
  if (pause === undefined) return undefined;
  const jittered = pause * (1 - JITTER + 2 * JITTER * random());
  return Math.max(jittered, Math.min(askedMs ?? 0, limits.webhookRetryAfterMs));
}
