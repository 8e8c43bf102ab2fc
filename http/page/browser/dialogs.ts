/** Dialogs above the page: an order's history, a product's ledger. The keyboard goes back to what opened them. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Data, Happened, Movement } from './answers.js';
import type { Api } from './api.js';
import { html } from './html.js';
import { clockTime, count, offsetText } from './words.js';

interface DialogProps {
  readonly title: string;
  readonly close: () => void;
  readonly children?: ComponentChildren;
}

function Dialog({ title, close, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    element.current?.showModal();
  }, []);
  return html`<dialog ref=${element} aria-labelledby="dialog-title" onClose=${close}>
    <header>
      <h2 id="dialog-title">${title}</h2>
      <button type="button" onClick=${() => element.current?.close()}>Close</button>
    </header>
    ${children}
  </dialog>`;
}

interface Shown<T> {
  readonly value?: T;
  readonly problem?: string;
}

function useAnswer<T>(api: Api, path: string): Shown<T> {
  const [shown, setShown] = useState<Shown<T>>({});
  useEffect(() => {
    api.get<Data<T>>(path).then(
      ({ data }) => setShown({ value: data }),
      (error: Error) => setShown({ problem: error.message }),
    );
  }, [api, path]);
  return shown;
}

export function History({ api, id, close }: { readonly api: Api; readonly id: string; readonly close: () => void }) {
  const { value, problem } = useAnswer<readonly Happened[]>(api, `/api/orders/${encodeURIComponent(id)}/history`);
  return html`<${Dialog} title=${`History of ${id}`} close=${close}>
    ${problem !== undefined && html`<p role="alert">${problem}</p>`}
    ${value?.[0] !== undefined && html`<p class="quiet">Placed at ${clockTime(value[0].time)}. Times are since then.</p>`}
    <ol class="history">
      ${value?.map(
        ({ event, version, time, data }) => html`<li key=${version}>
          <time datetime=${time} title=${clockTime(time)}>${offsetText(value[0]?.time ?? time, time)}</time>
          <strong>${event.replaceAll('_', ' ')}</strong>
          <span class="quiet">${detailsOf(data)}</span>
        </li>`,
      )}
    </ol>
  </${Dialog}>`;
}

const detailsOf = (data: Happened['data']): string =>
  Object.entries(data)
    .filter(([, value]) => typeof value !== 'object')
    .map(([name, value]) => `${name.replaceAll('_', ' ')} ${value}`)
    .join(', ');

export function Ledger({ api, id, close }: { readonly api: Api; readonly id: string; readonly close: () => void }) {
  const path = `/api/inventory/${encodeURIComponent(id)}/ledger?limit=50`;
  const { value, problem } = useAnswer<readonly Movement[]>(api, path);
  return html`<${Dialog} title=${`Ledger of ${id}`} close=${close}>
    <p>Every movement with its cause, and what there was after it; the latest first.</p>
    ${problem !== undefined && html`<p role="alert">${problem}</p>`}
    ${
      value !== undefined &&
      html`<div class="scroll" tabindex="0" role="region" aria-label="Movements">
      <table>
        <thead><tr><th>Time</th><th>Movement</th><th class="number">Units</th><th class="number">On hand</th><th class="number">Held</th><th class="number">Available</th><th>Cause</th></tr></thead>
        <tbody>
          ${value.map(
            (each) => html`<tr key=${each.version}>
              <td>${clockTime(each.created_at)}</td>
              <td>${each.operation_type}</td>
              <td class="number">${count(each.quantity)}</td>
              <td class="number">${count(each.on_hand_after)}</td>
              <td class="number">${count(each.held_after)}</td>
              <td class="number">${count(each.available_after)}</td>
              <td>${each.reason ?? each.ref}</td>
            </tr>`,
          )}
        </tbody>
      </table></div>`
    }
  </${Dialog}>`;
}
