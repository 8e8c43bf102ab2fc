/**
 * What may go from the volume.
 *
 * Law: the newest dump and the newest archive stay, whatever their age. So does the newest dump of a day that has no archive yet,
 * and an archive that is not off-site: it goes only once a newer one is there.
 */
import { daysBetween } from './offsite.js';

/** An archive that waits for the off-site longer than this beyond its time goes. */
const WAITING_DAYS = 90;

interface Kept {
  readonly name: string;
  readonly day: string;
  /** What it holds is of this time. */
  readonly takenAt: number;
}

interface Bounds {
  readonly now: number;
  readonly keepDumps: number;
  readonly keepDays: number;
}

const newestFirst = <T extends Kept>(all: readonly T[]): T[] => [...all].sort((a, b) => b.takenAt - a.takenAt);

/** @param archived whether the day has its archive */
export function surplusDumps<T extends Kept>(
  dumps: readonly T[],
  archived: (day: string) => boolean,
  { now, keepDumps, keepDays }: Bounds,
): T[] {
  const needed = new Set<string>();
  return newestFirst(dumps).filter(({ day, takenAt }, place) => {
    const isNewestOfDay = !needed.has(day);
    needed.add(day);
    if (place === 0 || (isNewestOfDay && !archived(day))) return false;
    return place >= keepDumps || daysBetween(takenAt, now) > keepDays;
  });
}

/**
 * @param waits whether it is still to go off-site
 * @param offsiteUpTo the newest day that is off-site; undefined: none
 */
export function surplusArchives<T extends Kept>(
  archives: readonly T[],
  waits: (archive: T) => boolean,
  offsiteUpTo: string | undefined,
  { now, keepDays }: Omit<Bounds, 'keepDumps'>,
): T[] {
  return newestFirst(archives).filter((archive, place) => {
    if (place === 0) return false;
    const age = daysBetween(archive.takenAt, now);
    if (!waits(archive)) return age > keepDays;
    return offsiteUpTo !== undefined && archive.day < offsiteUpTo && age > keepDays + WAITING_DAYS;
  });
}
