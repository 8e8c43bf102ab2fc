/** Ages as people write them: 2y, 18mo, 90d, 12h, 30m, 45s. Years and months are those of the calendar, in UTC. */

export interface Age {
  readonly text: string;
  readonly count: number;
  readonly unit: Unit;
}

type Unit = 'y' | 'mo' | 'd' | 'h' | 'm' | 's';

const MS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 } as const;
/** No age is longer than a century. */
const MOST: Readonly<Record<Unit, number>> = {
  y: 100,
  mo: 1_200,
  d: 36_500,
  h: 876_000,
  m: 52_560_000,
  s: 3_153_600_000,
};

export const AGES = 'an age such as 2y, 18mo, 90d or 12h';

/** @returns undefined when the text is none */
export function ageOf(text: string): Age | undefined {
  const [, digits = '', unit] = /^([1-9]\d{0,9})(y|mo|d|h|m|s)$/.exec(text) ?? [];
  if (unit === undefined) return undefined;
  const age = { text, count: Number(digits), unit: unit as Unit };
  return age.count <= MOST[age.unit] ? age : undefined;
}

/** The time that is so long before another, in milliseconds. A day that a month does not have becomes its last one. */
export function timeBefore({ count, unit }: Age, now: number): number {
  if (unit !== 'y' && unit !== 'mo') return now - count * MS[unit];
  const time = new Date(now);
  const day = time.getUTCDate();
  time.setUTCDate(1);
  time.setUTCMonth(time.getUTCMonth() - (unit === 'y' ? 12 * count : count));
  const days = new Date(Date.UTC(time.getUTCFullYear(), time.getUTCMonth() + 1, 0)).getUTCDate();
  time.setUTCDate(Math.min(day, days));
  return time.getTime();
}
