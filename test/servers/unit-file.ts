// What a systemd unit and its environment file say, as far as a test needs it: without systemd.

/** Key to values, in the order of the file; a key may come several times. */
type Unit = ReadonlyMap<string, readonly string[]>;

/** @returns the keys of all sections: no key is in two of them */
export function unitOf(text: string): Unit {
  const found = new Map<string, string[]>();
  for (const line of linesOf(text)) {
    if (line.startsWith('[')) continue;
    const [key, value] = pairOf(line);
    found.set(key, [...(found.get(key) ?? []), value]);
  }
  return found;
}

/** An environment file. @throws Error for a line that is no assignment */
export const environmentOf = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(linesOf(text).map(pairOf));

/** The last value of a key, which is the one that counts. @throws Error if there is none */
export function lastOf(unit: Unit, key: string): string {
  const value = unit.get(key)?.at(-1);
  if (value === undefined) throw new Error(`the unit has no ${key}`);
  return value;
}

/** Bytes of a size such as 640M. */
export function bytesOf(size: string): number {
  const [, digits, letter = ''] = /^(\d+)([KMG]?)$/.exec(size) ?? [];
  if (digits === undefined) throw new Error(`${size} is no size`);
  return Number(digits) * 1_024 ** ['', 'K', 'M', 'G'].indexOf(letter);
}

// ---------------------------------------------------------------- machinery

const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));

function pairOf(line: string): [string, string] {
  const at = line.indexOf('=');
  if (at < 1) throw new Error(`no assignment: ${line}`);
  return [line.slice(0, at), line.slice(at + 1)];
}
