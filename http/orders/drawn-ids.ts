/**
 * Draws the id of a new order into a partition: that of its first product. So order and product have one owner, and the
 * order needs one append, on any number of nodes.
 *
 *  G1. The id is `ORD-` and 26 characters: ten of the time, then sixteen random ones, of which the last four are found.
 *  G2. FNV-1a hashes from left to right. So the text before the last four characters is hashed once. Their first three are
 *      counted up from a random start until a fourth one brings the hash into the partition. The id then costs 1.5 to 3
 *      times what it cost without; only an odd P near the limit takes microseconds. With three characters some partitions
 *      could not be reached where P is 403 or 806.
 *  G3. This costs the 80 random bits log2(P) bits and at most one more. With 16 partitions 75 are left, with 1,024 69:
 *      of a million ids of one millisecond and one partition, two are equal with a chance of one in a thousand million.
 */
import { CROCKFORD, fnvStep, hashOf, type OrderId, orderId } from '../../actors/ids.js';

const FOUND = 4;
const BITS = 5;
const LAST = CROCKFORD.length - 1;
const STARTS = CROCKFORD.length ** 3;
const PREFIX = 'ORD-';
const HASH_OF_PREFIX = hashOf('order', PREFIX);

/** By character code: the value of a character. */
const VALUES = new Uint8Array(128);
for (const [value, code] of CROCKFORD.entries()) VALUES[code] = value;

/** Undoes the multiplication of a step, for the low 16 bits. */
let inverse = 1;
while ((fnvStep(0, inverse) & 0xffff) !== 1) inverse += 2;

/** @param drawn 128 random bits as 26 characters (Clock.id). */
type Drawing = (partition: number, drawn: string) => OrderId;

export function drawingFor(partitions: number): Drawing {
  // The low bits of a hash are those of its remainder, as many as P has factors of two. They also follow from the low
  // bits before. So they name the few characters that may come last: for a power of two, those that surely fit.
  const low = (partitions & -partitions) - 1;
  const lastBy = charactersBy(low);
  return (partition, drawn) => {
    const end = drawn.length - FOUND;
    let hash = HASH_OF_PREFIX;
    for (let i = 0; i < end; i++) hash = fnvStep(hash, drawn.charCodeAt(i));
    const start = (((valueAt(drawn, end) << BITS) | valueAt(drawn, end + 1)) << BITS) | valueAt(drawn, end + 2);
    const turn = valueAt(drawn, end + 3);
    const wanted = Math.imul(partition, inverse);
    for (let i = 0; i < STARTS; i++) {
      const counted = (start + i) & (STARTS - 1);
      const first = CROCKFORD[counted >> (2 * BITS)] as number;
      const second = CROCKFORD[(counted >> BITS) & LAST] as number;
      const third = CROCKFORD[counted & LAST] as number;
      const before = fnvStep(fnvStep(fnvStep(hash, first), second), third);
      const fitting = lastBy[(before ^ wanted) & low];
      if (fitting === undefined) continue;
      for (let left = fitting.length, at = turn % left; left > 0; left--, at++) {
        if (at === fitting.length) at = 0;
        const fourth = fitting[at] as number;
        const whole = fnvStep(before, fourth) >>> 0;
        // The remainder. The engine takes ten times as long for `%` of numbers beyond 2^31.
        if (whole - partitions * Math.floor(whole / partitions) === partition) {
          return orderId(PREFIX + drawn.slice(0, end) + String.fromCharCode(first, second, third, fourth));
        }
      }
    }
    return orderId(PREFIX + drawn); // In another partition the order is as right; it may need two appends.
  };
}

/** The characters by their low bits. */
function charactersBy(low: number): (number[] | undefined)[] {
  const by: (number[] | undefined)[] = Array.from({ length: low + 1 });
  for (const code of CROCKFORD) {
    const same = by[code & low] ?? [];
    by[code & low] = same;
    same.push(code);
  }
  return by;
}

const valueAt = (text: string, at: number): number => VALUES[text.charCodeAt(at)] ?? 0;
