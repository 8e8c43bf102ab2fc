/** What a visitor may do: place an order, send it again, and let a hundred buyers fight for ten units. */
import { useState } from 'preact/hooks';
import type { Me, Order, Product } from './answers.js';
import { type Api, type Reply, wordsIn } from './api.js';
import { html } from './html.js';

const BUYERS = 100;
const UNITS = 10;
const ASK_AGAIN_MS = 500;
const SETTLED_MS = 30_000;

interface Sent {
  readonly body: object;
  readonly key: string;
  readonly reply: Reply;
  /** Whether this reply is to a repeat, and has the same bytes as the first. */
  readonly again?: 'same' | 'different';
}

interface TryProps {
  readonly api: Api;
  readonly me: Me;
  readonly products: readonly Product[];
}

export function PlaceOrder({ api, me, products }: TryProps) {
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
      <label>Product <select name="product" required>${products.map(
        ({ product_id, name }) => html`<option key=${product_id} value=${product_id}>${product_id} ${name}</option>`,
      )}</select></label>
      <label>Quantity <input name="quantity" type="number" min="1" max="1000000" required defaultValue="1" /></label>
      <div class="actions">
        <button type="submit" class="main" disabled=${isBusy || products.length === 0}>Place order</button>
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

// ---------------------------------------------------------------- the burst

interface Tally {
  readonly sold: number;
  readonly refused: number;
  readonly open: number;
  readonly oversold: number | undefined;
}

export function BurstPart({ api, me }: Omit<TryProps, 'products'>) {
  const [tally, setTally] = useState<Tally>();
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    setProblem(undefined);
    try {
      await burst(api, me.user_id, setTally);
    } catch (error) {
      setProblem((error as Error).message);
    }
    setBusy(false);
  };
  return html`<section aria-labelledby="burst">
    <h2 id="burst">Burst</h2>
    <p>A new product gets ${UNITS} units, and ${BUYERS} buyers want one each, at the same moment.</p>
    <div class="actions"><button type="button" disabled=${isBusy} onClick=${run}>100 buyers, 10 units</button></div>
    <p aria-live="polite">${problem ?? (tally === undefined ? 'Ten must get one, and ninety must be refused.' : tallyText(tally))}</p>
  </section>`;
}

const tallyText = ({ sold, refused, open, oversold }: Tally): string =>
  open > 0 || oversold === undefined
    ? `${sold} sold, ${refused} refused, ${open} without an outcome yet …`
    : `${sold} sold, ${refused} refused, ${oversold} oversold. ${oversold === 0 ? 'The promise holds.' : 'The promise is broken: run holdfast verify.'}`;

async function burst(api: Api, user: string | null, show: (tally: Tally) => void): Promise<void> {
  const product = `BURST-${crypto.getRandomValues(new Uint32Array(2)).join('-')}`;
  const received = { product_id: product, name: 'Ten units', unit_price: 1, currency: 'USD', stock: UNITS };
  await api.ask('POST', '/api/inventory', { products: [received] });
  let [sold, refused] = [0, 0];
  const tell = (oversold?: number) => show({ sold, refused, open: BUYERS - sold - refused, oversold });
  const deadline = performance.now() + SETTLED_MS;
  const buy = async (buyer: number) => {
    const body = { user_id: user ?? `buyer-${buyer}`, product_id: product, quantity: 1 };
    for (;;) {
      // The same key again: who gets no outcome in time asks for it.
      const reply = await api.send('POST', '/api/orders', body, `${product}-${buyer}`).catch(() => undefined);
      if (reply?.status === 201) sold++;
      else if (reply !== undefined && reply.status >= 400 && reply.status < 500 && reply.status !== 429) refused++;
      else if (performance.now() > deadline) return;
      else {
        await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
        continue;
      }
      return tell();
    }
  };
  await Promise.all(Array.from({ length: BUYERS }, (_, buyer) => buy(buyer)));
  const { data } = await api.get<{ readonly data: Product }>(`/api/inventory/${product}`);
  tell(Math.max(0, sold - UNITS, data.held - data.on_hand));
}
