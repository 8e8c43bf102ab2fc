/** Time and chance as the machine has them. */
import { randomFillSync } from 'node:crypto';
import { crockford128 } from '../actors/ids.js';
import type { Clock } from '../actors/ports.js';

const RANDOM_BYTES = 10;

export function systemClock(): Clock {
  // Random bytes are drawn many at a time: one call to the kernel for 400 ids.
  const pool = Buffer.alloc(RANDOM_BYTES * 400);
  let drawn = pool.length;
  const id = Buffer.alloc(16);

  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    after(delayMs, run) {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
    soon: (run) => void setImmediate(run),
    /** Sorts by time, as a ULID does: 48 bits of milliseconds, then 80 random ones. */
    id() {
      if (drawn === pool.length) {
        randomFillSync(pool);
        drawn = 0;
      }
      id.writeUIntBE(Date.now(), 0, 6);
      pool.copy(id, 6, drawn, drawn + RANDOM_BYTES);
      drawn += RANDOM_BYTES;
      return crockford128(id);
    },
    random: () => Math.random(),
  };
}
