/**
 * A range of days as whole months and some days, so that numbers of any range come from few rows.
 *
 * Law: the added spans less those that are taken off are exactly the range. At most 31 days are read beside the months.
 */
export interface Span {
  readonly of: 'day' | 'month';
  /** Such as 2026-11-21. Undefined: from the first one on. */
  readonly from: string | undefined;
  /** Exclusive. Undefined: to the last one. */
  readonly to: string | undefined;
  readonly isAdded: boolean;
}

const DAY_MS = 86_400_000;
const MOST_DAYS = 31;
const HALF = 15;

/** @param to exclusive, and not before `from` */
export function spansOf(from: string | undefined, to: string | undefined): Span[] {
  if (from !== undefined && to !== undefined && Date.parse(to) - Date.parse(from) <= MOST_DAYS * DAY_MS)
    return [{ of: 'day', from, to, isAdded: true }];
  const [first, last] = [from && nearestMonth(from), to && nearestMonth(to)];
  const spans: Span[] = [{ of: 'month', from: first, to: last, isAdded: true }];
  return [...spans, ...between(from, first, true), ...between(to, last, false)];
}

// ---------------------------------------------------------------- machinery

/** The days between the range's end and the month with which the months begin or end. */
function between(day: string | undefined, month: string | undefined, isStart: boolean): Span[] {
  if (day === undefined || month === undefined || day === month) return [];
  const isEarlier = Date.parse(day) < Date.parse(month);
  const [from, to] = isEarlier ? [day, month] : [month, day];
  return [{ of: 'day', from, to, isAdded: isEarlier === isStart }];
}

/** The first day of this month, or of the next one. A year has four digits, so nothing is rounded up beyond the last. */
function nearestMonth(day: string): string {
  const month = `${day.slice(0, 7)}-01`;
  if (Number(day.slice(8)) - 1 <= HALF || day >= '9999-12') return month;
  const next = new Date(Date.parse(month) + MOST_DAYS * DAY_MS);
  return `${next.toISOString().slice(0, 7)}-01`;
}
