/** A cache that answers in turn with the right entry, an older one, another key's entry, nothing and garbage. */
import type { Cache } from '../../actors/ports/cache.js';

const GARBAGE = ['order/2 x\n{}', '', 'null', '\u0000'];

export function hostileCache(): Cache {
  const texts = new Map<string, string[]>();
  let asked = 0;
  let last: string | undefined;
  return {
    async get(key) {
      const own = texts.get(key) ?? [];
      return [own.at(-1), own.at(-1), own[0], last, undefined, GARBAGE[asked % GARBAGE.length]][++asked % 6];
    },
    async set(key, text) {
      texts.set(key, [...(texts.get(key) ?? []), text]);
      last = text;
    },
  };
}
