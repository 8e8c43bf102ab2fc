/**
 * A text without inner structure. A text made with `+` stays a tree of its pieces: it is walked each time it becomes part
 * of a larger text, and it keeps one object per piece alive.
 */
export const flat = (...pieces: readonly string[]): string => pieces.join('');

/**
 * Joins texts with commas between `before` and `after`. A text put around a joined text would copy all of it once more.
 * @param all the caller gives it away: it is changed.
 */
export function listed(before: string, all: (string | number | boolean)[], after: string): string {
  if (all.length === 0) return before + after;
  all[0] = before + all[0];
  all[all.length - 1] += after;
  return all.join(',');
}
