/** The page: who may see it, what is wrong, and its parts. */
import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import type { Data, Gremlin, Health, Me, Overview, Placement, Product, Sample } from './answers.js';
import { Api, keepKey, keptKey, Refusal } from './api.js';
import { BurstPart } from './burst.js';
import { History, Ledger } from './dialogs.js';
import { Headline } from './headline.js';
import { html } from './html.js';
import { LiveOrders, useLiveOrders } from './live-orders.js';
import { PlaceOrder } from './place-order.js';
import { EventRate, Latency, Rate } from './plots.js';
import { usePolled } from './polled.js';
import { Stock } from './stock.js';
import { EventsPart, GremlinPart, HealthPart, PlacementPart } from './system-parts.js';
import { useTheme } from './theme.js';
import { clockTime } from './words.js';

const EVERY_MS = 2_000;
const SAMPLES = 300;
const PRODUCTS = 12;
const MOST_PRODUCTS = 100;

export function App() {
  const [key, setKey] = useState(keptKey);
  const api = useMemo(() => new Api(key), [key]);
  const me = usePolled(
    useCallback(() => api.get<Data<Me>>('/api/me').then(({ data }) => data), [api]),
    15_000,
    [api],
  );
  const { theme, seen, next } = useTheme();
  const use = (given: string | undefined) => {
    keepKey(given);
    setKey(given);
  };
  const isUnknown = me.refusal?.status === 401;
  return html`
    <a class="skip" href="#orders">To the orders</a>
    <header class="top">
      <div><h1>Holdfast</h1><p class="promise">It takes orders, and never sells what it does not have.</p></div>
      <nav aria-label="The page">
        <a href="/docs">The API</a>
        <button type="button" onClick=${next}>${`Theme: ${theme}`}</button>
        ${key !== undefined && html`<button type="button" onClick=${() => use(undefined)}>Forget the key</button>`}
      </nav>
    </header>
    <main id="orders">
      ${isUnknown && html`<${KeyForm} refused=${key === undefined ? undefined : me.refusal?.message} use=${use} />`}
      ${!isUnknown && me.value !== undefined && html`<${Shop} key=${key ?? ''} api=${api} me=${me.value} theme=${seen} />`}
      ${!isUnknown && me.value === undefined && html`<p>${me.refusal?.message ?? 'One moment …'}</p>`}
    </main>`;
}

function KeyForm({ refused, use }: { readonly refused: string | undefined; readonly use: (key: string) => void }) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    use(String(new FormData(event.currentTarget as HTMLFormElement).get('key') ?? '').trim());
  };
  return html`<section aria-labelledby="key">
    <h2 id="key">Who are you?</h2>
    <p>This system answers to keys. Make one with <code>holdfast keys create</code>. The page keeps it for this tab alone.</p>
    <form onSubmit=${submit}>
      <label>Key <input name="key" type="password" required autocomplete="off" spellcheck=${false} /></label>
      <div class="actions"><button type="submit" class="main">Use this key</button></div>
    </form>
    <p role="alert">${refused !== undefined && `The key was not accepted: ${refused}`}</p>
  </section>`;
}

interface ShopProps {
  readonly api: Api;
  readonly me: Me;
  readonly theme: string;
}

type Opened = { readonly kind: 'order' | 'product'; readonly id: string } | undefined;

function Shop({ api, me, theme }: ShopProps) {
  const may = (scope: string) => me.scopes.includes(scope) || me.scopes.includes('admin');
  const isService = me.user_id === null;
  const [mayRead, mayWatch, mayRun] = [may('orders:read'), may('metrics:read') && isService, may('admin') && isService];
  const live = useLiveOrders(api, mayRead);
  const ask = <T>(isAllowed: boolean, path: string) =>
    isAllowed ? () => api.get<Data<T>>(path).then(({ data }) => data) : undefined;
  const [shown, setShown] = useState(PRODUCTS);
  const more = shown < MOST_PRODUCTS ? () => setShown(MOST_PRODUCTS) : undefined;
  const stock = usePolled(ask<readonly Product[]>(true, `/api/inventory?page_size=${shown}`), EVERY_MS, [api, shown]);
  const health = usePolled(
    useCallback(() => healthOf(api), [api]),
    EVERY_MS,
    [api],
  );
  const overview = useOverview(api, mayWatch);
  const placement = usePolled(mayRun ? () => api.get<Placement>('/internal/placement') : undefined, EVERY_MS, [
    api,
    mayRun,
  ]);
  const told = usePolled(ask<Gremlin>(mayRun, '/internal/gremlin/status'), EVERY_MS, [api, mayRun]);
  const [switched, setSwitched] = useState<Gremlin>();
  useEffect(() => setSwitched(undefined), [told.value]);
  const gremlin = switched ?? told.value;
  const [opened, setOpened] = useState<Opened>();
  const close = () => setOpened(undefined);
  const missing = [
    !mayRead && 'Live orders need orders:read',
    !mayWatch && 'Latency, orders per second and EVENTS need metrics:read of a service',
    !may('orders:write') && 'Placing an order needs orders:write',
    !(may('orders:write') && may('inventory:write') && isService) &&
      'The burst needs orders:write and inventory:write of a service',
    !mayRun && 'Placement and the gremlin need admin',
    mayRun && !me.gremlin && 'The gremlin is not allowed here: it needs GREMLIN=on in the environment',
  ].filter((each) => each !== false);
  const plots = { samples: overview?.samples ?? [], everyMs: overview?.every_ms ?? EVERY_MS, theme };
  return html`
    <${Banner} away=${health.refusal} health=${health.value} gremlin=${gremlin} />
    <${Headline} health=${health} overview=${overview} placement=${placement.value} stock=${stock.value} gremlin=${gremlin} />
    <div class="grid">
      <div class="stack">
        ${mayRead && html`<${LiveOrders} live=${live} open=${(id: string) => setOpened({ kind: 'order', id })} />`}
        ${mayWatch && html`<div class="plots"><${Rate} ...${plots} /><${Latency} ...${plots} /><${EventRate} ...${plots} /></div>`}
        <${Stock} stock=${stock} shown=${shown} more=${more} open=${(id: string) => setOpened({ kind: 'product', id })} />
      </div>
      <div class="stack">
        ${may('orders:write') && html`<${PlaceOrder} api=${api} me=${me} products=${stock.value ?? []} />`}
        ${may('orders:write') && may('inventory:write') && isService && html`<${BurstPart} api=${api} me=${me} />`}
        <${HealthPart} health=${health} overview=${overview} />
        ${mayRun && html`<${PlacementPart} placement=${placement} />`}
        ${(mayRead || mayWatch) && html`<${EventsPart} overview=${overview} told=${live.told} away=${live.away} />`}
        ${mayRun && me.gremlin && html`<${GremlinPart} api=${api} gremlin=${gremlin} switched=${setSwitched} />`}
      </div>
    </div>
    <${Missing} needs=${missing} />
    ${opened?.kind === 'order' && html`<${History} api=${api} id=${opened.id} close=${close} />`}
    ${opened?.kind === 'product' && html`<${Ledger} api=${api} id=${opened.id} close=${close} />`}`;
}

/** What this reader does not see, and what it would need. */
function Missing({ needs }: { readonly needs: readonly string[] }) {
  return html`<div class="quiet">${needs.map((need) => html`<p key=${need}>${need}.</p>`)}</div>`;
}

/** A 503 of /health is an answer too. */
async function healthOf(api: Api): Promise<Health> {
  const { status, text } = await api.send('GET', '/health');
  if (status !== 200 && status !== 503) throw new Refusal(status, `The node answers with status ${status}.`);
  return JSON.parse(text) as Health;
}

/** Asks for what came since, and keeps the last ten minutes. */
function useOverview(api: Api, isOn: boolean): Overview | undefined {
  const kept = useMemo(() => ({ node: '', samples: [] as readonly Sample[] }), [api]);
  const ask = async (): Promise<Overview> => {
    const last = kept.samples.at(-1)?.at;
    const after = last === undefined ? '' : `?after=${encodeURIComponent(last)}`;
    const { data } = await api.get<Data<Overview>>(`/internal/overview${after}`);
    const node = `${data.node.name} ${data.node.started_at}`;
    kept.samples = [...(node === kept.node ? kept.samples : []), ...data.samples].slice(-SAMPLES);
    kept.node = node;
    return { ...data, samples: kept.samples };
  };
  return usePolled(isOn ? ask : undefined, EVERY_MS, [api, isOn]).value;
}

interface BannerProps {
  readonly away: Refusal | undefined;
  readonly health: Health | undefined;
  readonly gremlin: Gremlin | undefined;
}

function Banner({ away, health, gremlin }: BannerProps) {
  const [since, setSince] = useState<string>();
  useEffect(() => setSince(away === undefined ? undefined : new Date().toISOString()), [away === undefined]);
  return html`<div role="status">
    ${away !== undefined && html`<p class="banner bad">${away.message} It was last heard ${since === undefined ? 'just now' : `at ${clockTime(since)}`}. The page tries again by itself, and misses nothing. OPERATING.md, HoldfastNodeDown</p>`}
    ${away === undefined && health?.status === 'down' && html`<p class="banner bad">This node takes no orders. Health, below, says which part is down.</p>`}
    ${gremlin?.enabled === true && html`<p class="banner">The gremlin is on: ${(gremlin.rules ?? []).map(({ target, kind }) => `${target} ${kind}`).join(', ')}. Trouble is on purpose, until ${gremlin.until === undefined ? '…' : clockTime(gremlin.until)}.</p>`}
  </div>`;
}
