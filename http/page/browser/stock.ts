/** What there is of each product: the bar is what is on hand, its dark part is held. */
import type { Product } from './answers.js';
import { html } from './html.js';
import type { Polled } from './polled.js';
import { count } from './words.js';

export function Stock({
  stock,
  shown,
  more,
  open,
}: {
  readonly stock: Polled<readonly Product[]>;
  readonly shown: number;
  /** Undefined: no more are shown here. */
  readonly more: (() => void) | undefined;
  readonly open: (id: string) => void;
}) {
  return html`<section aria-labelledby="stock">
    <h2 id="stock">Stock</h2>
    ${stock.value?.length === 0 && html`<p class="quiet">There is no product yet.</p>`}
    ${stock.value === undefined && html`<p class="quiet">${stock.refusal?.message ?? '…'}</p>`}
    ${
      stock.value !== undefined &&
      stock.value.length > 0 &&
      html`<div class="scroll" tabindex="0" role="region" aria-label="Products">
      <table>
        <thead><tr><th>Product</th><th><span class="unseen">Held of on hand</span></th><th class="number">Available</th><th class="number">Held</th><th class="number">On hand</th><th class="number">Backordered</th></tr></thead>
        <tbody>
          ${stock.value.map(
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
      </table></div>
      ${more !== undefined && stock.value.length >= shown && html`<button type="button" onClick=${more}>Show more products</button>`}
      <p class="quiet">Never oversold: held units are at most those on hand, for each product, at every moment.</p>`
    }
  </section>`;
}
