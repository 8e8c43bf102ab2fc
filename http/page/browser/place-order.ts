/** A form that places an order, and sends it again under the same key: the answer is the same. */
import { useState } from 'preact/hooks';
import type { Me, Order, Product } from './answers.js';
import { type Api, type Reply, wordsIn } from './api.js';
import { OF_BURSTS } from './burst.js';
import { html } from './html.js';

interface Sent {
  readonly body: object;
  readonly key: string;
  readonly reply: Reply;
  /** Whether this reply is to a repeat, and has the same bytes as the first. */
  readonly again?: 'same' | 'different';
}

interface FormProps {
  readonly api: Api;
  readonly me: Me;
  /** Suggestions. */
  readonly products: readonly Product[];
}

export function PlaceOrder({ api, me, products }: FormProps) {
  const [typed, setTyped] = useState<string>();
  // Until a product is named: the first one that can be had.
  const product =
    typed ??
    products.find(({ product_id: id, available }) => available > 0 && !id.startsWith(OF_BURSTS))?.product_id ??
    '';
  const [sent, setSent] = useState<Sent>();
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const send = async (body: object, key: string, before?: Reply) => {
    setBusy(true);
    try {
      const reply = await api.send('POST', '/api/orders', body, key);
      const again = before && (before.text === reply.text && before.status === reply.status ? 'same' : 'different');
      setSent({ body, key, reply, ...(again !== undefined && { again }) });
      setProblem(undefined);
    } catch (error) {
      setProblem(`${(error as Error).message} Send it again: under the same key it is never placed twice.`);
      setSent({ body, key, reply: before ?? { status: 0, text: '', tookMs: 0 } });
    }
    setBusy(false);
  };
  const place = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(form.get(name) ?? '');
    const body = { user_id: text('user'), product_id: text('product'), quantity: Number(text('quantity')) };
    void send(body, `page-${crypto.getRandomValues(new Uint32Array(4)).join('-')}`);
  };
  return html`<section aria-labelledby="place-an-order">
    <h2 id="place-an-order">Place an order</h2>
    <form onSubmit=${place}>
      <label>User <input name="user" required autocomplete="off" defaultValue=${me.user_id ?? 'ada'} readonly=${me.user_id !== null} /></label>
      <label>Product <input name="product" list="products" required autocomplete="off" spellcheck=${false} value=${product} onInput=${(event: Event) => setTyped((event.currentTarget as HTMLInputElement).value)} /></label>
      <datalist id="products">${products.map(({ product_id, name }) => html`<option key=${product_id} value=${product_id}>${name}</option>`)}</datalist>
      <label>Quantity <input name="quantity" type="number" min="1" max="1000000" required defaultValue="1" /></label>
      <div class="actions">
        <button type="submit" class="main" disabled=${isBusy}>Place order</button>
        <button type="button" disabled=${isBusy || sent === undefined} onClick=${() => sent && send(sent.body, sent.key, sent.reply.status === 0 ? undefined : sent.reply)}>Send it again</button>
      </div>
    </form>
    <p aria-live="polite">${problem ?? (sent === undefined ? 'The answer appears here.' : answerText(sent))}</p>
  </section>`;
}

function answerText({ reply, again }: Sent): string {
  const took = `${Math.round(reply.tookMs)} ms`;
  if (again === 'different')
    return `Status ${reply.status} after ${took}, and another answer than before: it has gone on meanwhile.`;
  const said = `${orderIn(reply)?.id ?? ''} ${orderIn(reply)?.status ?? wordsIn(reply.text) ?? ''}`.trim();
  const answer = `Status ${reply.status} after ${took}: ${said}.`;
  return again === 'same' ? `The same order and the same answer, byte for byte. ${answer}` : answer;
}

function orderIn({ status, text }: Reply): Order | undefined {
  return status < 300 ? (JSON.parse(text) as { readonly data: Order }).data : undefined;
}
