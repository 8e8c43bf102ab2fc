/** Numbers and states as people read them. */
import type { Line } from './answers.js';

export const clockTime = (iso: string): string => new Date(iso).toLocaleTimeString('en-GB');

export const money = (amount: number, currency = ''): string =>
  `${amount.toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })} ${currency}`.trim();

export const count = (amount: number): string => amount.toLocaleString('en');

export function linesText(lines: readonly Line[]): string {
  const [first, second] = lines.map(({ quantity, product_id }) => `${quantity} × ${product_id}`);
  const more = lines.length > 2 ? `, ${lines.length - 2} more` : '';
  return [first, second].filter(Boolean).join(', ') + more;
}

export const statusText = (status: string, reason?: string): string =>
  reason === undefined || reason === '' ? status : `${status}: ${reason.replaceAll('_', ' ')}`;

export function agoText(iso: string): string {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(iso)) / 1_000));
  if (seconds < 120) return `${seconds} s ago`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h ago` : `${Math.round(seconds / 86_400)} days ago`;
}

/** How long after the first moment: `+12 ms`, `+3.4 s`, `+5 min`. */
export function offsetText(first: string, then: string): string {
  const ms = Math.max(0, Date.parse(then) - Date.parse(first));
  if (ms < 1_000) return `+${ms} ms`;
  if (ms < 120_000) return `+${(ms / 1_000).toFixed(1)} s`;
  return ms < 7_200_000 ? `+${Math.round(ms / 60_000)} min` : `+${Math.round(ms / 3_600_000)} h`;
}
