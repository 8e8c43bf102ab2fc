/** What there is of each product. */
import type { Product } from './answers.js';
import { html } from './html.js';
import type { Polled } from './polled.js';
import { count } from './words.js';

export function Stock({
  stock,
  open,
}: {
  readonly stock: Polled<readonly Product[]>;
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
        <thead><tr><th>Product</th><th class="number">Available</th><th class="number">Held</th><th class="number">On hand</th><th class="number">Backordered</th></tr></thead>
        <tbody>
          ${stock.value.map(
            (product) => html`<tr key=${product.product_id}>
              <td><button type="button" class="link" title="Its ledger" onClick=${() => open(product.product_id)}>${product.product_id}</button> <span class="quiet">${product.name}</span></td>
              <td class=${product.available === 0 ? 'number none' : 'number'}>${count(product.available)}</td>
              <td class="number">${count(product.held)}</td>
              <td class="number">${count(product.on_hand)}</td>
              <td class="number">${count(product.backordered)}</td>
            </tr>`,
          )}
        </tbody>
      </table></div>
      <p class="quiet">Never oversold: held units are at most those on hand, for each product, at every moment.</p>`
    }
  </section>`;
}
