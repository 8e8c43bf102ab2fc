/** Latency, orders and events per second of the last ten minutes, as small plots. Their numbers are also told as text. */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import type { Sample } from './answers.js';
import { html } from './html.js';
import { count } from './words.js';

const HEIGHT = 150;
const SHOWN_MS = 10 * 60_000;
/** A node that has just begun is shown no narrower. */
const LEAST_SHOWN_S = 120;
/** Samples over which the latest number is told. */
const LATEST = 5;

interface Line {
  readonly name: string;
  /** The name of a colour of the style. */
  readonly colour: string;
  readonly of: (sample: Sample) => number | null;
}

interface PlotProps {
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly Line[];
  readonly samples: readonly Sample[];
  readonly told: string;
  /** Changes when the colours do. */
  readonly theme: string;
}

function Plot({ title, unit, lines, samples, told, theme }: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const id = title.toLowerCase().replaceAll(' ', '-');
  useEffect(() => {
    const element = place.current;
    if (element === null) return undefined;
    const colours = getComputedStyle(document.documentElement);
    const colour = (name: string) => colours.getPropertyValue(`--${name}`).trim();
    const axis = { stroke: colour('quiet'), grid: { stroke: colour('line'), width: 1 }, ticks: { show: false } };
    const made = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        cursor: { show: false },
        legend: { show: false },
        scales: {
          x: { range: (_self, min, max) => [Math.min(min ?? 0, (max ?? 0) - LEAST_SHOWN_S), max ?? 0] },
          y: { range: (_self, _min, max) => [0, Math.max(1, (max ?? 0) * 1.1)] },
        },
        axes: [
          {
            ...axis,
            space: 60,
            values: (_self, splits) => splits.map((at) => new Date(at * 1_000).toLocaleTimeString('en-GB').slice(0, 5)),
          },
          { ...axis, size: 44 },
        ],
        series: [
          {},
          ...lines.map((line) => ({
            label: line.name,
            stroke: colour(line.colour),
            width: 1.5,
            points: { show: false },
          })),
        ],
      },
      [[], ...lines.map(() => [])],
      element,
    );
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
    };
  }, [theme]);
  useEffect(() => {
    const latest = Date.parse(samples.at(-1)?.at ?? '');
    const shown = samples.filter(({ at }) => Date.parse(at) >= latest - SHOWN_MS);
    plot.current?.setData([shown.map(({ at }) => Date.parse(at) / 1_000), ...lines.map(({ of }) => shown.map(of))]);
  }, [samples, theme]);
  return html`<section aria-labelledby=${id}>
    <h2 id=${id}>${title}</h2>
    <p class="legend">${lines.map(({ name, colour }) => html`<span key=${name} class=${`key ${colour}`}>${name}</span>`)} <span class="quiet">${unit}</span></p>
    <div class="plot" role="img" aria-label=${`${title}: ${told}`} ref=${place}></div>
    <p>${told}</p>
  </section>`;
}

interface Plotted {
  readonly samples: readonly Sample[];
  readonly everyMs: number;
  readonly theme: string;
}

const LATENCIES: readonly Line[] = [
  { name: 'p50', colour: 'first', of: ({ p50_ms }) => p50_ms },
  { name: 'p95', colour: 'second', of: ({ p95_ms }) => p95_ms },
  { name: 'p99', colour: 'third', of: ({ p99_ms }) => p99_ms },
];

export function Latency({ samples, theme }: Plotted) {
  const last = [...samples].reverse().find(({ p50_ms }) => p50_ms !== null);
  const shown = (ms: number | null) => (ms === null ? '–' : count(Math.round(ms)));
  const told =
    last === undefined
      ? 'No order was answered in the last minutes.'
      : `Last: p50 ${shown(last.p50_ms)} ms, p95 ${shown(last.p95_ms)} ms, p99 ${shown(last.p99_ms)} ms.`;
  return html`<${Plot} title="Latency" unit="ms, this node" lines=${LATENCIES} samples=${samples} told=${told} theme=${theme} />`;
}

export function Rate({ samples, everyMs, theme }: Plotted) {
  const perSecond = (orders: number) => (orders * 1_000) / everyMs;
  const lines: readonly Line[] = [
    { name: 'confirmed', colour: 'first', of: ({ confirmed }) => perSecond(confirmed) },
    { name: 'failed or cancelled', colour: 'third', of: ({ failed, cancelled }) => perSecond(failed + cancelled) },
  ];
  const latest = samples.slice(-LATEST);
  const mean = (of: (sample: Sample) => number) =>
    latest.length === 0 ? 0 : perSecond(latest.reduce((sum, sample) => sum + of(sample), 0) / latest.length);
  const shown = (rate: number) => count(Math.round(rate * 10) / 10);
  const told = `Last 10 s: ${shown(mean(({ confirmed }) => confirmed))} confirmed and ${shown(mean(({ failed, cancelled }) => failed + cancelled))} failed or cancelled a second.`;
  return html`<${Plot} title="Orders per second" unit="orders/s, this node" lines=${lines} samples=${samples} told=${told} theme=${theme} />`;
}

export function EventRate({ samples, everyMs, theme }: Plotted) {
  const perSecond = (events: number | null) => (events === null ? null : (events * 1_000) / everyMs);
  const lines: readonly Line[] = [{ name: 'EVENTS', colour: 'first', of: ({ events }) => perSecond(events) }];
  const known = samples.slice(-LATEST).flatMap(({ events }) => events ?? []);
  const rate = known.length === 0 ? undefined : perSecond(known.reduce((sum, each) => sum + each, 0) / known.length);
  const told =
    rate == null ? 'No rate is known.' : `Last 10 s: ${count(Math.round(rate * 10) / 10)} messages a second.`;
  return html`<${Plot} title="Events per second" unit="messages/s, all nodes" lines=${lines} samples=${samples} told=${told} theme=${theme} />`;
}
