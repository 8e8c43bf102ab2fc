/**
 * The latest orders, as events tell them.
 *
 * Law: an order has one row. An event that is not newer than what its row shows changes nothing. However many events come, a
 * bounded number of rows is kept, and they are drawn a few times a second.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Data, Line, Order } from './answers.js';
import type { Api } from './api.js';
import { listen } from './event-stream.js';
import { html } from './html.js';
import { clockTime, count, linesText, money, statusText } from './words.js';

const MOST_ROWS = 30;
const DRAW_EVERY_MS = 250;
/** A type of an event by the status that an order has after it. The others change no status. */
const STATUS: Readonly<Record<string, string>> = {
  placed: 'pending',
  confirmed: 'confirmed',
  failed: 'failed',
  cancelled: 'cancelled',
  shipped: 'shipped',
  delivered: 'delivered',
};

interface Row {
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

interface Told {
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

interface Live {
  readonly rows: readonly Row[];
  /** Why nothing new comes at the moment. */
  readonly away: string | undefined;
  /** Events of orders since the page was opened. */
  readonly told: number;
}

export function useLiveOrders(api: Api, isOn: boolean): Live {
  const [live, setLive] = useState<Live>({ rows: [], away: undefined, told: 0 });
  const rows = useRef<Row[]>([]);
  useEffect(() => {
    rows.current = [];
    if (!isOn) return undefined;
    let [told, away] = [0, undefined as string | undefined];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const draw = () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        setLive({ rows: [...rows.current], away, told });
      }, DRAW_EVERY_MS);
    };
    const end = listen(api, '/api/events?type=order', {
      event(data) {
        told++;
        rows.current = withEvent(rows.current, JSON.parse(data) as Told);
        draw();
      },
      missed() {
        void api
          .get<Data<readonly Order[]>>(`/api/orders?limit=${MOST_ROWS}`)
          .then(({ data }) => {
            rows.current = withList(rows.current, data);
            draw();
          })
          .catch(() => {}); // Health says what is wrong.
      },
      away(why) {
        away = why;
        draw();
      },
    });
    return () => {
      end();
      clearTimeout(timer);
    };
  }, [api, isOn]);
  return live;
}

function withEvent(rows: readonly Row[], { id, type, time, data }: Told): Row[] {
  const [, kind = ''] = type.split('.');
  const version = Number(id.slice(id.lastIndexOf('/') + 1));
  const known = rows.find((row) => row.id === data.order_id);
  if (known !== undefined && known.version >= version) return [...rows];
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

function withList(rows: readonly Row[], listed: readonly Order[]): Row[] {
  const read = listed.map((order): Row => {
    const known = rows.find(({ id }) => id === order.id);
    const { id, user_id: user, created_at: at, status, reason, total_amount, currency, order_items: lines } = order;
    const total = total_amount === undefined ? '' : money(total_amount, currency);
    return { id, user, at, status, reason, total, lines, version: known?.version ?? 0 };
  });
  const ids = new Set(read.map(({ id }) => id));
  const newer = rows.filter(({ id }) => !ids.has(id));
  return [...newer, ...read].sort((a, b) => b.at.localeCompare(a.at)).slice(0, MOST_ROWS);
}

export function LiveOrders({ live, open }: { readonly live: Live; readonly open: (id: string) => void }) {
  return html`<section aria-labelledby="live-orders">
    <h2 id="live-orders">Live orders</h2>
    <p class="quiet">${live.away === undefined ? html`<span class="status ok">live</span>` : html`<span class="status down">reconnecting</span>`} The latest ${MOST_ROWS}; ${count(live.told)} events since the page was opened. An order opens its history.</p>
    ${live.rows.length === 0 && html`<p class="quiet">No order yet. Place one, and it appears here by itself.</p>`}
    ${
      live.rows.length > 0 &&
      html`<div class="scroll" tabindex="0" role="region" aria-label="The latest orders">
      <table>
        <thead><tr><th>Time</th><th>Outcome</th><th>Order</th><th>User</th><th>Lines</th><th class="number">Total</th></tr></thead>
        <tbody>
          ${live.rows.map(
            (row) => html`<tr key=${row.id}>
              <td>${clockTime(row.at)}</td>
              <td class="whole"><span class=${`status ${row.status}`}>${statusText(row.status, row.reason)}</span></td>
              <td><button type="button" class="link" title="Its history" onClick=${() => open(row.id)}>${row.id}</button></td>
              <td class="whole">${row.user}</td>
              <td class="whole">${linesText(row.lines)}</td>
              <td class="number whole">${row.total || '–'}</td>
            </tr>`,
          )}
        </tbody>
      </table></div>`
    }
  </section>`;
}
