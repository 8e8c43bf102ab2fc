/** A part that this reader may not see: it asks for nothing, and says which scope it would need. */
import { html } from './html.js';

interface NeedsProps {
  readonly title: string;
  /** Such as `metrics:read`, or two of them. */
  readonly scopes: readonly string[];
  /** Whether a customer's key is not enough, whatever its scopes. */
  readonly ofService?: boolean;
}

export function Needs({ title, scopes, ofService = false }: NeedsProps) {
  const id = title.toLowerCase().replaceAll(' ', '-');
  const named = scopes.map((scope, at) => html`${at > 0 && ' and '}<code>${scope}</code>`);
  return html`<section aria-labelledby=${id} class="needs">
    <h2 id=${id}>${title}</h2>
    <p class="quiet">Your key needs the ${scopes.length === 1 ? 'scope' : 'scopes'} ${named}${ofService && ', and no user of its own'}.</p>
  </section>`;
}
