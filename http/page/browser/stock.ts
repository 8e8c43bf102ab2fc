/** What there is of each product: the bar is what is on hand, its dark part is held. Only the products on the screen are asked for. */
import { useState } from 'preact/hooks';
import type { Listed, Product } from './answers.js';
import type { Api } from './api.js';
import { html } from './html.js';
import { type Polled, usePolled } from './polled.js';
import { pageOf, pathOf, rangeText, type StockPage, type Wanted } from './stock-pages.js';
import { count } from './words.js';

const EVERY_MS = 2_000;
const FIRST: Wanted = { page: 1, id: '' };

interface Shelf extends Polled<StockPage> {
  readonly wanted: Wanted;
  readonly want: (wanted: Wanted) => void;
}

export function useStock(api: Api): Shelf {
  const [wanted, want] = useState(FIRST);
  const path = pathOf(wanted);
  const ask = () =>
    api
      .get<Listed<Product | readonly Product[]>>(path)
      .then((answer) => ({ path, isList: wanted.id === '', ...pageOf(answer.data, answer.pagination) }));
  const { value, refusal } = usePolled(ask, EVERY_MS, [api, path]);
  // The page before stays until the next one is there. A product that was looked for does not.
  const isShown = value?.path === path || (wanted.id === '' && value?.isList);
  return { value: isShown ? value : undefined, refusal, wanted, want };
}

export function Stock({ shelf, open }: { readonly shelf: Shelf; readonly open: (id: string) => void }) {
  const { value, refusal, wanted, want } = shelf;
  const find = (event: SubmitEvent) => {
    event.preventDefault();
    want({ page: 1, id: String(new FormData(event.currentTarget as HTMLFormElement).get('id') ?? '').trim() });
  };
  const go = (page: number) => want({ page, id: '' });
  const { page, pages } = value ?? { page: 1, pages: 1 };
  return html`<section aria-labelledby="stock">
    <div class="heading">
      <h2 id="stock">Stock</h2>
      <form role="search" class="find" onSubmit=${find}>
        <input name="id" type="search" aria-label="Id of a product" placeholder="Id of a product" autocomplete="off" spellcheck=${false} key=${wanted.id} defaultValue=${wanted.id} />
        <button type="submit">Find</button>
      </form>
    </div>
    ${value === undefined && html`<p class="quiet" role="status">${refusal?.message ?? '…'}</p>`}
    ${value?.total === 0 && html`<p class="quiet">There is no product yet.</p>`}
    ${value !== undefined && value.products.length > 0 && html`<${Table} products=${value.products} open=${open} />`}
    <div class="heading">
      <p class="quiet">${wanted.id === '' ? value !== undefined && `Shown: ${rangeText(value)}. ` : ''}Held is never more than on hand.</p>
      <div class="actions">
        ${wanted.id !== '' && html`<button type="button" onClick=${() => go(1)}>All products</button>`}
        ${wanted.id === '' && pages > 1 && html`<button type="button" disabled=${page <= 1} onClick=${() => go(page - 1)}>Earlier products</button>`}
        ${wanted.id === '' && pages > 1 && html`<button type="button" disabled=${page >= pages} onClick=${() => go(page + 1)}>Later products</button>`}
      </div>
    </div>
  </section>`;
}

function Table({ products, open }: { readonly products: readonly Product[]; readonly open: (id: string) => void }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Products">
      <table>
        <thead><tr><th>Product</th><th><span class="unseen">Held of on hand</span></th><th class="number">Available</th><th class="number">Held</th><th class="number">On hand</th><th class="number">Backordered</th></tr></thead>
        <tbody>
          ${products.map(
            (product) => html`<tr key=${product.product_id}>
              <td><button type="button" class="link" title="Its ledger" onClick=${() => open(product.product_id)}>${product.product_id}</button> <span class="quiet">${product.name}</span></td>
              <td><meter aria-label=${`Held of ${product.product_id}`} min="0" max=${Math.max(1, product.on_hand)} value=${product.held}></meter></td>
              <td class=${product.available === 0 ? 'number none' : 'number'}>${count(product.available)}</td>
              <td class="number">${count(product.held)}</td>
              <td class="number">${count(product.on_hand)}</td>
              <td class="number">${count(product.backordered)}</td>
            </tr>`,
          )}
        </tbody>
      </table></div>`;
}
