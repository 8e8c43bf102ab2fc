/** What a visitor and an operator see first: the promise, the state, and the numbers that matter. */
import type { Gremlin, Health, Overview, Placement, StatsRow } from './answers.js';
import { html } from './html.js';
import type { Polled } from './polled.js';
import { oversoldIn, rangeText, type StockPage } from './stock-pages.js';
import { todayOf } from './today.js';
import { agoText, count } from './words.js';

interface HeadlineProps {
  readonly health: Polled<Health>;
  readonly overview: Overview | undefined;
  readonly placement: Placement | undefined;
  readonly stock: StockPage | undefined;
  readonly gremlin: Gremlin | undefined;
  readonly today: readonly StatsRow[] | undefined;
}

/** Samples over which a rate is told. */
const LATEST = 5;

export function Headline({ health, overview, placement, stock, gremlin, today }: HeadlineProps) {
  const state = health.refusal === undefined ? (health.value?.status ?? 'unknown') : 'away';
  return html`<dl class="headline">
    <${Tile} name="State" value=${state} look=${state === 'ok' ? 'ok' : state === 'degraded' ? 'degraded' : 'down'} />
    ${stock !== undefined && html`<${Oversold} stock=${stock} />`}
    ${overview !== undefined && html`<${Numbers} overview=${overview} />`}
    ${today !== undefined && html`<${Today} rows=${today} />`}
    ${placement !== undefined && html`<${Nodes} placement=${placement} />`}
    ${overview !== undefined && html`<${Verify} verdict=${overview.verify} />`}
    ${gremlin !== undefined && html`<${Tile} name="Gremlin" value=${gremlin.enabled ? 'on' : 'off'} look=${gremlin.enabled ? 'degraded' : ''} />`}
  </dl>`;
}

// ---------------------------------------------------------------- machinery

interface TileProps {
  readonly name: string;
  readonly value: string;
  readonly more?: string;
  readonly look?: string;
}

function Tile({ name, value, more = '', look = '' }: TileProps) {
  return html`<div><dt>${name}</dt><dd><strong class=${look}>${value}</strong> <span class="quiet">${more}</span></dd></div>`;
}

/** It knows of the products on the screen alone, and says so. Of all of them, `holdfast verify` knows. */
function Oversold({ stock }: { readonly stock: StockPage }) {
  const oversold = oversoldIn(stock.products);
  return html`<${Tile} name="Oversold" value=${count(oversold)} more=${`units, in ${rangeText(stock)}`} look=${oversold === 0 ? 'ok' : 'down'} />`;
}

function Today({ rows }: { readonly rows: readonly StatsRow[] }) {
  const { confirmed, failed, cancelled, pending } = todayOf(rows);
  const more = `confirmed, ${count(failed)} failed, ${count(cancelled)} cancelled${pending === 0 ? '' : `, ${count(pending)} pending`}`;
  return html`<${Tile} name="Today (UTC)" value=${count(confirmed)} more=${more} />`;
}

function Numbers({ overview: { samples, every_ms } }: { readonly overview: Overview }) {
  const latest = samples.slice(-LATEST);
  const sumOf = (of: 'confirmed' | 'failed' | 'cancelled', among = samples) =>
    among.reduce((sum, sample) => sum + sample[of], 0);
  const placed = sumOf('confirmed', latest) + sumOf('failed', latest);
  const rate = latest.length === 0 ? 0 : (placed * 1_000) / (latest.length * every_ms);
  const p99 = samples.findLast(({ p99_ms }) => p99_ms !== null)?.p99_ms ?? null;
  return html`
    <${Tile} name="Orders/s" value=${count(Math.round(rate * 10) / 10)} />
    <${Tile} name="Latency, p99" value=${p99 === null ? '–' : `${count(Math.round(p99))} ms`} />
    <${Tile} name="Last 10 min" value=${count(sumOf('confirmed'))} more=${`confirmed, ${count(sumOf('failed'))} failed, ${count(sumOf('cancelled'))} cancelled`} />`;
}

function Nodes({ placement: { nodes } }: { readonly placement: Placement }) {
  const alive = nodes.filter((node) => node.alive !== false).length;
  return html`<${Tile} name="Nodes" value=${`${alive} of ${nodes.length}`} more="alive" look=${alive === nodes.length ? 'ok' : 'down'} />`;
}

function Verify({ verdict }: { readonly verdict: Overview['verify'] }) {
  if (verdict === null) return html`<${Tile} name="Verify" value="unknown" more="not run here yet" />`;
  const [value, more] = verdict.clean ? ['clean', agoText(verdict.at)] : [count(verdict.violations), 'violations'];
  return html`<${Tile} name="Verify" value=${value} more=${more} look=${verdict.clean ? 'ok' : 'down'} />`;
}
