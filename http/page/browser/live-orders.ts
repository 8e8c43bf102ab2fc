/** The latest orders. However many events come, they are drawn a few times a second. */
import { useEffect, useState } from 'preact/hooks';
import type { Data, Order } from './answers.js';
import type { Api } from './api.js';
import { listen } from './event-stream.js';
import { html } from './html.js';
import { MOST_ROWS, OrderRows, type Row, type Told } from './order-rows.js';
import { clockTime, count, linesText, statusText } from './words.js';

const DRAW_EVERY_MS = 250;

interface Live {
  readonly rows: readonly Row[];
  /** Why nothing new comes at the moment. */
  readonly away: string | undefined;
  /** Events of orders since the page was opened. */
  readonly told: number;
  /** Those of them that were never on the screen. */
  readonly undrawn: number;
}

const NOTHING: Live = { rows: [], away: undefined, told: 0, undrawn: 0 };

export function useLiveOrders(api: Api, isOn: boolean): Live {
  const [live, setLive] = useState(NOTHING);
  useEffect(() => {
    if (!isOn) return undefined;
    const rows = new OrderRows();
    let away: string | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const draw = () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        setLive({ ...rows.draw(), away });
      }, DRAW_EVERY_MS);
    };
    const end = listen(api, '/api/events?type=order', {
      event(data) {
        rows.take(JSON.parse(data) as Told);
        draw();
      },
      missed() {
        void api
          .get<Data<readonly Order[]>>(`/api/orders?limit=${MOST_ROWS}`)
          .then(({ data }) => {
            rows.takeList(data);
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

export function LiveOrders({ live, open }: { readonly live: Live; readonly open: (id: string) => void }) {
  return html`<section aria-labelledby="live-orders">
    <h2 id="live-orders">Live orders</h2>
    <p class="quiet">${live.away === undefined ? html`<span class="status ok">live</span>` : html`<span class="status down">reconnecting</span>`} The latest ${MOST_ROWS}. An order opens its history.</p>
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
    <p class="quiet">${toldText(live)}</p>
  </section>`;
}

const toldText = ({ told, undrawn }: Live): string =>
  `${count(told)} events since the page was opened${undrawn === 0 ? '' : `, ${count(undrawn)} of them too quick to be drawn`}.`;
