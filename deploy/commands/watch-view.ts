// What `holdfast watch` shows: as a screen, as one line, and as a value.

import type { Terminal } from './command.js';
import { tinted } from './order-lines.js';
import { onOneLine } from './text-table.js';
import { quantileOf, rateOf, type Sample, totalOf } from './watch-sample.js';

export interface Seen {
  readonly url: string;
  readonly now: Sample;
  readonly before: Sample | undefined;
  /** Products of which that many or fewer are available are at risk. */
  readonly low: number;
  /** Of `holdfast verify` on this machine; undefined: not known here. */
  readonly verdict: { readonly clean: boolean; readonly at: string } | undefined;
}

const SHOWN_PRODUCTS = 6;
const STATUSES = ['confirmed', 'shipped', 'delivered', 'pending', 'failed', 'cancelled'];

export function knownOf({ url, now, before, low, verdict }: Seen) {
  return {
    at: new Date(now.atMs).toISOString(),
    url,
    status: now.health?.status ?? null,
    orders: now.orders ?? null,
    orders_per_s: rounded(rateOf(before, now)),
    p50_ms: rounded(quantileOf(0.5, before, now)),
    p99_ms: rounded(quantileOf(0.99, before, now)),
    stock_at_risk: atRisk(now, low)?.map(({ product_id, available }) => ({ product_id, available })) ?? null,
    nodes: now.nodes ?? null,
    dependencies: partsOf(now),
    verify: verdict ?? null,
    gremlin: now.gremlin === undefined ? null : { enabled: now.gremlin.enabled, until: now.gremlin.until },
    problems: now.problems,
  };
}

/** For a pipe: one line a look. */
export function lineOf(seen: Seen): string {
  const value = knownOf(seen);
  const orders = Object.entries(value.orders ?? {}).map(([status, count]) => `${status}=${count}`);
  const alive = value.nodes?.filter(({ alive: is }) => is !== false).length;
  return [
    value.at,
    value.status ?? 'no answer',
    ...(orders.length === 0 ? [] : [orders.join(' ')]),
    `${value.orders_per_s ?? '-'}/s p50=${value.p50_ms ?? '-'} p99=${value.p99_ms ?? '-'}`,
    `at_risk=${value.stock_at_risk?.length ?? '-'} nodes=${alive ?? '-'}/${value.nodes?.length ?? '-'}`,
    `verify=${value.verify === null ? 'unknown' : value.verify.clean ? 'clean' : 'violation'}`,
    `gremlin=${value.gremlin === null ? '-' : value.gremlin.enabled ? 'on' : 'off'}`,
    ...value.problems.slice(0, 1),
  ]
    .map(onOneLine)
    .join('  ');
}

/** For a terminal: never more lines or columns than it has. */
export function screenOf(seen: Seen, terminal: Pick<Terminal, 'colored'>, columns: number, rows: number): string[] {
  const { now } = seen;
  const value = knownOf(seen);
  const line = (name: string, text: string) => ({ name, text: onOneLine(text) });
  const lines = [
    line('', `${seen.url}  ${value.status ?? 'no answer'}  ${now.health?.version ?? ''}  ${value.at.slice(0, 19)}Z`),
    line('orders today', ordersText(now)),
    line('placing', `${shownRate(value.orders_per_s)}  p50 ${shownMs(value.p50_ms)}  p99 ${shownMs(value.p99_ms)}`),
    line('stock at risk', riskText(seen)),
    ...(now.nodes ?? []).map(({ name, alive, partitions }, i) =>
      line(
        i === 0 ? 'nodes' : '',
        `${name}  ${alive === undefined ? 'unknown' : alive ? 'up' : 'down'}  ${partitions} partitions`,
      ),
    ),
    line(
      'parts',
      Object.entries(value.dependencies ?? {})
        .map(([name, status]) => `${name} ${status}`)
        .join(', ') || '-',
    ),
    line('verify', verdictText(seen)),
    line('gremlin', now.gremlin === undefined ? '-' : now.gremlin.enabled ? `on until ${now.gremlin.until}` : 'off'),
    ...now.problems.map((problem, i) => line(i === 0 ? 'missing' : '', problem)),
  ];
  const fitting = lines.slice(0, Math.max(1, rows - 1)).map(({ name, text }) => {
    const room = Math.max(1, columns - LABEL);
    const cut = [...text].length > room ? `${[...text].slice(0, room - 1).join('')}…` : text;
    return `${terminal.colored('bold', name.padEnd(LABEL))}${tinted(cut, terminal)}`.trimEnd();
  });
  return [...fitting, terminal.colored('dim', 'q quits').slice(0, Math.max(columns, 20))];
}

// ---------------------------------------------------------------- machinery

const LABEL = 15;

const atRisk = ({ products }: Sample, low: number) =>
  products
    ?.filter(({ available, backordered }) => available <= low || backordered > 0)
    .sort((a, b) => a.available - b.available);

const partsOf = ({ health }: Sample): Record<string, string> | null =>
  health?.dependencies === undefined
    ? null
    : Object.fromEntries(Object.entries(health.dependencies).map(([name, { status }]) => [name, status]));

function ordersText({ orders }: Sample): string {
  if (orders === undefined) return '-';
  const each = STATUSES.map((status) => `${orders[status] ?? 0} ${status}`);
  return `${totalOf(orders)}: ${each.join(', ')}`;
}

function riskText({ now, low }: Seen): string {
  const found = atRisk(now, low);
  if (found === undefined) return '-';
  const named = found
    .slice(0, SHOWN_PRODUCTS)
    .map(({ product_id, available, backordered }) =>
      backordered > 0 ? `${product_id} ${available} (${backordered} backordered)` : `${product_id} ${available}`,
    );
  const more = found.length - named.length;
  return found.length === 0 ? `none (at most ${low})` : `${named.join(', ')}${more > 0 ? `, and ${more} more` : ''}`;
}

const verdictText = ({ verdict }: Seen): string =>
  verdict === undefined
    ? 'not known here: holdfast verify'
    : `${verdict.clean ? 'clean' : 'violation'} at ${verdict.at}`;

const rounded = (value: number | undefined): number | null =>
  value === undefined ? null : Math.round(value * 10) / 10;
const shownRate = (rate: number | null): string => (rate === null ? '-/s' : `${rate}/s`);
const shownMs = (ms: number | null): string => (ms === null ? '-' : `${ms} ms`);
