/**
 * The latest orders, as a list and events tell them.
 *
 * Law: an order has one row. An event that is not newer than what its row shows changes nothing. However many events come, a
 * bounded number of rows is kept, and what was told between two drawings without being drawn is counted.
 */
import type { Line, Order } from './answers.js';
import { money } from './words.js';

export const MOST_ROWS = 50;
/** A type of an event by the status that an order has after it. The others change no status. */
const STATUS: Readonly<Record<string, string>> = {
  placed: 'pending',
  confirmed: 'confirmed',
  imported: 'confirmed',
  failed: 'failed',
  cancelled: 'cancelled',
  shipped: 'shipped',
  delivered: 'delivered',
};

export interface Row {
  readonly id: string;
  readonly user: string;
  readonly at: string;
  readonly status: string;
  readonly reason: string | undefined;
  readonly total: string;
  readonly lines: readonly Line[];
  /** 0: from a list, which tells no version. */
  readonly version: number;
}

export interface Told {
  readonly id: string;
  readonly type: string;
  readonly time: string;
  readonly data: {
    readonly order_id: string;
    readonly user_id?: string;
    readonly currency?: string;
    readonly total_amount?: number;
    readonly items?: readonly Line[];
    readonly reason?: string;
  };
}

export class OrderRows {
  private rows: readonly Row[] = [];
  private drawn: ReadonlySet<Row> = new Set();
  private told = 0;
  private sinceDrawn = 0;
  private undrawn = 0;

  take(event: Told): void {
    this.told++;
    this.sinceDrawn++;
    this.rows = withEvent(this.rows, event);
  }

  takeList(orders: readonly Order[]): void {
    this.rows = withList(this.rows, orders);
    this.drawn = new Set(this.rows);
  }

  /** `told`: all events so far; `undrawn`: those of them that a later one overtook before this drawing, or the one before. */
  draw(): { readonly rows: readonly Row[]; readonly told: number; readonly undrawn: number } {
    const changed = this.rows.filter((row) => !this.drawn.has(row)).length;
    this.undrawn += Math.max(0, this.sinceDrawn - changed);
    this.sinceDrawn = 0;
    this.drawn = new Set(this.rows);
    return { rows: this.rows, told: this.told, undrawn: this.undrawn };
  }
}

// ---------------------------------------------------------------- machinery

function withEvent(rows: readonly Row[], { id, type, time, data }: Told): readonly Row[] {
  const [, kind = ''] = type.split('.');
  const version = Number(id.slice(id.lastIndexOf('/') + 1));
  const known = rows.find((row) => row.id === data.order_id);
  if (known !== undefined && known.version >= version) return rows;
  const next = STATUS[kind] ?? known?.status ?? 'pending';
  // A list may be ahead of the events.
  const isBehind = next === 'pending' && known !== undefined;
  const row: Row = {
    id: data.order_id,
    user: data.user_id ?? known?.user ?? '',
    at: known?.at ?? time,
    status: isBehind ? known.status : next,
    reason: kind === 'failed' ? data.reason : known?.reason,
    total: data.total_amount === undefined ? (known?.total ?? '') : money(data.total_amount, data.currency),
    lines: known?.lines ?? data.items ?? [],
    version,
  };
  return known === undefined ? [row, ...rows].slice(0, MOST_ROWS) : rows.map((each) => (each === known ? row : each));
}

function withList(rows: readonly Row[], listed: readonly Order[]): readonly Row[] {
  const read = listed.map((order): Row => {
    const known = rows.find(({ id }) => id === order.id);
    const { id, user_id: user, created_at: at, status, reason, total_amount, currency, order_items: lines } = order;
    const total = total_amount === undefined ? '' : money(total_amount, currency);
    const row = { id, user, at, status, reason, total, lines, version: known?.version ?? 0 };
    // The events may be ahead of a list.
    return status === 'pending' && known !== undefined && known.status !== 'pending' ? known : row;
  });
  const ids = new Set(read.map(({ id }) => id));
  const newer = rows.filter(({ id }) => !ids.has(id));
  return [...newer, ...read].sort((a, b) => b.at.localeCompare(a.at)).slice(0, MOST_ROWS);
}
