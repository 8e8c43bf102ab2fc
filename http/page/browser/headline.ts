/** What a visitor and an operator see first: the promise, the state, and the numbers that matter. */
import type { Gremlin, Health, Overview, Placement, Product } from './answers.js';
import { html } from './html.js';
import type { Polled } from './polled.js';
import { count } from './words.js';

interface HeadlineProps {
  readonly health: Polled<Health>;
  readonly overview: Overview | undefined;
  readonly placement: Placement | undefined;
  readonly stock: readonly Product[] | undefined;
  readonly gremlin: Gremlin | undefined;
}

/** Samples over which a rate is told. */
const LATEST = 5;

export function Headline({ health, overview, placement, stock, gremlin }: HeadlineProps) {
  const state = health.refusal === undefined ? (health.value?.status ?? 'unknown') : 'away';
  return html`<dl class="headline">
    <${Tile} name="State" value=${state} look=${state === 'ok' ? 'ok' : state === 'degraded' ? 'degraded' : 'down'} />
    ${stock !== undefined && html`<${Tile} name="Oversold" value=${count(oversoldIn(stock))} more="units, of the products shown" look=${oversoldIn(stock) === 0 ? 'ok' : 'down'} />`}
    ${overview !== undefined && html`<${Numbers} overview=${overview} />`}
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

/** Units that are promised and not there. */
const oversoldIn = (stock: readonly Product[]): number =>
  stock.reduce((sum, { held, on_hand }) => sum + Math.max(0, held - on_hand), 0);

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
  if (verdict === null) return html`<${Tile} name="Verify" value="–" more="not run yet" />`;
  const value = verdict.clean ? 'clean' : `${count(verdict.violations)} violations`;
  return html`<${Tile} name="Verify" value=${value} look=${verdict.clean ? 'ok' : 'down'} />`;
}
