/** The orders of this day (UTC), by what they have become. */
import type { StatsRow } from './answers.js';

interface Today {
  readonly confirmed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly pending: number;
}

export const todayPath = (now = new Date()): string => `/api/stats?by=total&from=${now.toISOString().slice(0, 10)}`;

/** @param rows one for each currency */
export function todayOf(rows: readonly StatsRow[]): Today {
  const sumOf = (...statuses: readonly string[]) =>
    rows.reduce((sum, row) => sum + statuses.reduce((all, status) => all + (row.statuses[status] ?? 0), 0), 0);
  return {
    confirmed: sumOf('confirmed', 'shipped', 'delivered'),
    failed: sumOf('failed'),
    cancelled: sumOf('cancelled'),
    pending: sumOf('pending'),
  };
}
