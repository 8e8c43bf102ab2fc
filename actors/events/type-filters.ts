/** The words by which filters name types of events. A word that names none is refused: it would match nothing for ever. */
import { namedRows } from './event-schemas.js';

const names = namedRows.map(({ type }) => type);
const parts = names.flatMap((name) => name.split('.').map((_, i, words) => words.slice(0, i + 1).join('.')));

/** A type or a beginning of some: `order`, `order.placed`, `order.placed.v1`. */
export const typeBeginnings: ReadonlySet<string> = new Set(parts);

/** A type, the beginning of some with `.*` behind it, or `*`. */
export const typePatterns: ReadonlySet<string> = new Set([
  ...names,
  ...parts.filter((part) => !names.includes(part)).map((part) => `${part}.*`),
  '*',
]);

/** Of a longer word its beginning is told and compared. */
const WORD_CHARS = 60;

/** @returns why the word is refused, as the rest of a sentence that begins with the filter's name; undefined if it is known */
export function unknownType(word: string, known: ReadonlySet<string>): string | undefined {
  if (known.has(word)) return undefined;
  const given = word.length > WORD_CHARS ? `${word.slice(0, WORD_CHARS)}…` : word;
  return `must name an event type: ${JSON.stringify(given)} is none, the nearest is ${nearest(given, known)}, and /schemas/events.json lists all`;
}

// ---------------------------------------------------------------- machinery

function nearest(word: string, known: ReadonlySet<string>): string {
  let [best, least] = ['', Number.POSITIVE_INFINITY];
  for (const name of known) {
    // What only lacks its version is not misspelt.
    const distance = name.startsWith(`${word}.v`) ? 0 : edits(word.toLowerCase(), name);
    if (distance < least) [best, least] = [name, distance];
  }
  return best;
}

/** How many characters must be put in, left out or replaced (Levenshtein). */
function edits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
