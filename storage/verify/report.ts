/** A verdict as text for people: what was checked, how long it took, and `clean` or the violations. */
import type { Verdict } from './verdict.js';

const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString('en-US')} ${count === 1 ? one : many}`;

export function reportOf({ violations, total, checked, tookMs, looks }: Verdict): string[] {
  const rows = [
    counted(checked.orders, 'order'),
    counted(checked.items, 'item'),
    counted(checked.history, 'event of their history', 'events of their history'),
    counted(checked.products, 'product'),
    counted(checked.operations, 'operation'),
    ...(checked.archived > 0 ? [counted(checked.archived, 'archived order')] : []),
  ].join(', ');
  const journals = `${counted(checked.records, 'record')} with ${counted(checked.events, 'event')} in ${counted(checked.journals, 'journal')}`;
  const published = checked.published > 0 ? `, and ${counted(checked.published, 'public event')}` : '';
  const took = `${(tookMs / 1000).toFixed(1)} s${looks > 1 ? `, in ${looks} looks` : ''}`;
  const lines = [`checked ${rows}`, `against ${journals}${published}, in ${took}`];
  if (total === 0) return [...lines, 'clean'];
  const rest = total - violations.length;
  return [
    ...lines,
    `${counted(total, 'violation')}:`,
    ...violations.map(({ sentence }) => `  ${sentence}`),
    ...(rest > 0 ? [`  and ${rest.toLocaleString('en-US')} more`] : []),
  ];
}
