/** The machine's clock, timers and random numbers. */
import { randomFillSync } from 'node:crypto';
import { CROCKFORD, crockford128 } from '../actors/ids.js';
import type { Clock } from '../actors/ports/runtime.js';

const TIME_CHARS = 10;
const RANDOM_CHARS = 16;

export function systemClock(): Clock {
  // One call to the kernel draws random characters for 400 ids: each id takes a slice of one text.
  const pool = Buffer.alloc(RANDOM_CHARS * 400);
  let random = '';
  let drawn = 0;
  const bytes = Buffer.alloc(16);
  let timeMs = Number.NaN;
  let time = '';

  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    after(delayMs, run) {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
    soon: (run) => void setImmediate(run),
    /** Ids sort by time, as a ULID does: 48 bits of milliseconds, then 80 random bits. */
    id() {
      if (drawn === random.length) {
        random = crockford(randomFillSync(pool)).toString('latin1');
        drawn = 0;
      }
      const now = Date.now();
      if (now !== timeMs) {
        timeMs = now;
        bytes.writeUIntBE(now, 0, 6);
        time = crockford128(bytes).slice(0, TIME_CHARS);
      }
      drawn += RANDOM_CHARS;
      return time + random.slice(drawn - RANDOM_CHARS, drawn);
    },
    random: () => Math.random(),
  };
}

/** Replaces each byte by the character of its low five bits. */
function crockford(bytes: Buffer): Buffer {
  for (let i = 0; i < bytes.length; i++) bytes[i] = CROCKFORD[(bytes[i] ?? 0) & 31] ?? 0;
  return bytes;
}
