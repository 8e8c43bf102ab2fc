/**
 * Texts that stand by themselves. What is added up with `+` stays a tree of its pieces, which is walked again each time it
 * becomes part of something larger, and survives as so many objects.
 */
export const flat = (...pieces: readonly string[]): string => pieces.join('');

/**
 * With commas between. What is put around a text that is joined already has all of it copied once more.
 * @param all taken over: it is changed.
 */
export function listed(before: string, all: (string | number | boolean)[], after: string): string {
  if (all.length === 0) return before + after;
  all[0] = before + all[0];
  all[all.length - 1] += after;
  return all.join(',');
}
