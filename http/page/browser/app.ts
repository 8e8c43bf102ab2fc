/** The page: who may see it, what is wrong, and its parts. */
import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import type { Data, Gremlin, Health, Me, Overview, Placement, Sample, StatsRow } from './answers.js';
import { Api, keepKey, keptKey, Refusal } from './api.js';
import { BurstPart } from './burst.js';
import { History, Ledger } from './dialogs.js';
import { GremlinPart } from './gremlin.js';
import { Headline } from './headline.js';
import { HealthPart, VerifyPart } from './health.js';
import { html } from './html.js';
import { LiveOrders, useLiveOrders } from './live-orders.js';
import { Needs } from './needs.js';
import { PlaceOrder } from './place-order.js';
import { EventRate, Latency, Rate } from './plots.js';
import { usePolled } from './polled.js';
import { Stock, useStock } from './stock.js';
import { EventsPart, PlacementPart } from './system-parts.js';
import { useTheme } from './theme.js';
import { todayPath } from './today.js';
import { agoText, clockTime } from './words.js';

const EVERY_MS = 2_000;
const SAMPLES = 300;
const TODAY_EVERY_MS = 10_000;

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
      <h1>Holdfast <span class="promise">takes orders and never sells more than it has, however many buyers come at once and whatever crashes.</span></h1>
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
      <label>Key <input name="key" type="password" required pattern="[ !-~]+" title="A key has letters, digits and signs of ASCII only" autocomplete="off" spellcheck=${false} /></label>
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
  const shelf = useStock(api);
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
  const mayPlace = may('orders:write');
  const mayBurst = mayPlace && may('inventory:write') && isService;
  const today = usePolled(
    mayRead && isService ? () => api.get<Data<readonly StatsRow[]>>(todayPath()).then(({ data }) => data) : undefined,
    TODAY_EVERY_MS,
    [api, mayRead],
  );
  const plots = { samples: overview?.samples ?? [], everyMs: overview?.every_ms ?? EVERY_MS, theme };
  const watch = { scopes: ['metrics:read'], ofService: true };
  const run = { scopes: ['admin'], ofService: true };
  return html`
    <${Banner} away=${health.refusal} health=${health.value} gremlin=${gremlin} />
    <div class="grid">
      <div class="stack act">
        ${mayBurst ? html`<${BurstPart} api=${api} me=${me} />` : html`<${Needs} title="Burst" scopes=${['orders:write', 'inventory:write']} ofService />`}
        ${mayPlace ? html`<${PlaceOrder} api=${api} me=${me} products=${shelf.value?.products ?? []} />` : html`<${Needs} title="Place an order" scopes=${['orders:write']} />`}
      </div>
      <${Headline} health=${health} overview=${overview} placement=${placement.value} stock=${shelf.value} gremlin=${gremlin} today=${today.value} />
      <div class="stack show">
        ${mayRead ? html`<${LiveOrders} live=${live} open=${(id: string) => setOpened({ kind: 'order', id })} />` : html`<${Needs} title="Live orders" scopes=${['orders:read']} />`}
        ${mayWatch ? html`<div class="plots"><${Rate} ...${plots} /><${Latency} ...${plots} /><${EventRate} ...${plots} /></div>` : html`<${Needs} title="Orders per second and latency" ...${watch} />`}
        <${Stock} shelf=${shelf} open=${(id: string) => setOpened({ kind: 'product', id })} />
        <div class="pair">
          ${mayRun ? html`<${PlacementPart} placement=${placement} />` : html`<${Needs} title="Placement" ...${run} />`}
          ${mayRead || mayWatch ? html`<${EventsPart} overview=${overview} told=${live.told} away=${live.away} />` : html`<${Needs} title="Events" scopes=${['orders:read']} />`}
        </div>
      </div>
      <div class="stack system">
        <${HealthPart} health=${health} />
        ${mayWatch ? html`<${VerifyPart} verdict=${overview?.verify} />` : html`<${Needs} title="Verify" ...${watch} />`}
        ${mayRun ? html`<${GremlinPart} api=${api} isAllowed=${me.gremlin} gremlin=${gremlin} switched=${setSwitched} />` : html`<${Needs} title="Gremlin" ...${run} />`}
        ${overview !== undefined && html`<p class="quiet">This page is of the node ${overview.node.name}, version ${overview.node.version}, started ${agoText(overview.node.started_at)}.</p>`}
      </div>
    </div>
    ${opened?.kind === 'order' && html`<${History} api=${api} id=${opened.id} close=${close} />`}
    ${opened?.kind === 'product' && html`<${Ledger} api=${api} id=${opened.id} close=${close} />`}`;
}

/** A 503 of /health is an answer too. */
async function healthOf(api: Api): Promise<Health> {
  const { status, text } = await api.send('GET', '/health');
  if (status !== 200 && status !== 503) throw new Refusal(status, `The node answers with status ${status}.`);
  return JSON.parse(text) as Health;
}

const nameOf = ({ node }: Overview): string => `${node.name} ${node.started_at}`;

/** Asks for what came since, and keeps the last ten minutes. */
function useOverview(api: Api, isOn: boolean): Overview | undefined {
  const kept = useMemo(() => ({ node: '', samples: [] as readonly Sample[] }), [api]);
  const ask = async (): Promise<Overview> => {
    const last = kept.samples.at(-1)?.at;
    const after = last === undefined ? '' : `?after=${encodeURIComponent(last)}`;
    const read = async (query: string) => (await api.get<Data<Overview>>(`/internal/overview${query}`)).data;
    let data = await read(after);
    const node = nameOf(data);
    // Another node has samples and a clock of its own.
    if (node !== kept.node && after !== '') data = await read('');
    if (nameOf(data) !== node) return { ...data, samples: kept.samples };
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
