/**
 * A hundred buyers fight for ten units of a product of their own.
 *
 * Law: each buyer has one key. Who gets no answer asks again under it, so a node that dies meanwhile changes no outcome.
 */
import { useState } from 'preact/hooks';
import type { Data, Me, Product } from './answers.js';
import { type Api, Refusal, wordsIn } from './api.js';
import { answerOf, countOf, type Outcome, type Verdict, verdictOf } from './burst-verdict.js';
import { html } from './html.js';

/** How the ids of these products begin. In the list they stand behind the demo products. */
export const OF_BURSTS = 'SALE-';
const BUYERS = 100;
const UNITS = 10;
const ASK_AGAIN_MS = 500;
const SETTLED_MS = 60_000;

interface Shown {
  readonly outcomes: readonly Outcome[];
  readonly verdict?: Verdict;
}

export function BurstPart({ api, me }: { readonly api: Api; readonly me: Me }) {
  const [shown, setShown] = useState<Shown>();
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    setProblem(undefined);
    try {
      await burst(api, me.user_id, setShown);
    } catch (error) {
      setProblem((error as Error).message);
    }
    setBusy(false);
  };
  const verdict = shown?.verdict;
  const { sold, refused, waiting } = countOf(shown?.outcomes ?? []);
  return html`<section aria-labelledby="burst">
    <h2 id="burst">Burst</h2>
    <p>A new product gets ${UNITS} units, and ${BUYERS} buyers want one each, at the same moment.</p>
    <div class="actions"><button type="button" class="main" disabled=${isBusy} onClick=${run}>100 buyers, 10 units</button></div>
    ${shown !== undefined && html`<div class="buyers" aria-hidden="true">${shown.outcomes.map((outcome, buyer) => html`<i key=${buyer} class=${outcome}></i>`)}</div>`}
    ${shown !== undefined && verdict === undefined && html`<p class="quiet">${sold} sold, ${refused} refused, ${waiting} wait …</p>`}
    <p aria-live="polite" class=${verdict === undefined ? '' : verdict.isKept ? 'verdict kept' : 'verdict bad'}>${
      problem ?? verdict?.sentence ?? (shown === undefined ? 'Ten must get one, and ninety must be refused.' : '')
    }</p>
  </section>`;
}

// ---------------------------------------------------------------- machinery

async function burst(api: Api, user: string | null, show: (shown: Shown) => void): Promise<void> {
  const product = `${OF_BURSTS}${[...crypto.getRandomValues(new Uint8Array(5))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase()}`;
  const received = { product_id: product, name: 'Ten units', unit_price: 1, currency: 'USD', stock: UNITS };
  const deadline = performance.now() + SETTLED_MS;
  const outcomes: Outcome[] = Array(BUYERS).fill('waiting');
  const buy = async (buyer: number) => {
    const body = { user_id: user ?? `buyer-${buyer}`, product_id: product, quantity: 1 };
    outcomes[buyer] = await outcomeOf(api, body, `${product}-${buyer}`, deadline);
    show({ outcomes: [...outcomes] });
  };
  await api.ask('POST', '/api/inventory', { products: [received] });
  show({ outcomes: [...outcomes] });
  await Promise.all(outcomes.map((_, buyer) => buy(buyer)));
  show({ outcomes, verdict: await verdictInTime(api, product, outcomes, deadline) });
}

async function outcomeOf(api: Api, body: object, key: string, deadline: number): Promise<Outcome> {
  while (performance.now() < deadline) {
    const reply = await api.send('POST', '/api/orders', body, key).catch(() => undefined);
    const answer = reply && answerOf(reply.status, reply.text);
    if (answer === 'sold' || answer === 'refused') return answer;
    if (reply !== undefined && answer === 'another')
      throw new Refusal(reply.status, wordsIn(reply.text) ?? 'The order was not taken.');
    await pause();
  }
  return 'waiting';
}

/** The stock may be asked while a node is away: then it is asked again. */
async function verdictInTime(
  api: Api,
  product: string,
  outcomes: readonly Outcome[],
  deadline: number,
): Promise<Verdict> {
  for (;;) {
    try {
      const { data } = await api.get<Data<Product>>(`/api/inventory/${product}`);
      return verdictOf(outcomes, UNITS, data);
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await pause();
    }
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS * (0.5 + Math.random())));
