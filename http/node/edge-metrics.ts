/**
 * The Prometheus metrics of the edge.
 *
 * prom-client hashes the labels of every observation, which costs more than the observation. So the edge keeps its
 * series here, by route, method and status, and hands them over when the metrics are read.
 */
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { AnswerTimes } from './answer-times.js';

/** Upper bounds in seconds: an append is about 1 ms, a client's patience 3 s. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5] as const;

const NAME = 'holdfast_http_request_duration_seconds';
const HELP = 'Time from a request to its reply, by route, method and status.';
/** Every other method counts as `other`, so that a client cannot create many series. */
const METHODS = ['POST', 'GET', 'PATCH', 'HEAD', 'OPTIONS', 'DELETE', 'PUT', 'other'];
const OTHER = METHODS.length - 1;

const PLACING = '/api/orders';

interface Sample {
  readonly metricName: string;
  readonly labels: { readonly le?: number | string };
  readonly sharedLabels: { readonly route: string; readonly method: string; readonly status: number };
  readonly value: number;
}

type Label = 'route' | 'method' | 'status';

export function watchListeners(registry: Registry, count: () => number): void {
  const listeners: Gauge = new Gauge({
    name: 'holdfast_live_listeners',
    help: 'Clients that listen to events at this node.',
    registers: [registry],
    collect: () => listeners.set(count()),
  });
}

class Series {
  readonly counts = new Float64Array(BOUNDS.length + 1);
  count = 0;
  sum = 0;

  add(seconds: number): void {
    let i = 0;
    while (i < BOUNDS.length && seconds > (BOUNDS[i] ?? Number.POSITIVE_INFINITY)) i++;
    this.counts[i] = (this.counts[i] ?? 0) + 1;
    this.count++;
    this.sum += seconds;
  }
}

class Durations extends Histogram<Label> {
  /** By route, then by status and method as one number: a request costs two look-ups. */
  private readonly byRoute = new Map<string, Map<number, Series>>();

  add(route: string, method: string, status: number, seconds: number): void {
    const known = METHODS.indexOf(method);
    const key = status * METHODS.length + (known < 0 ? OTHER : known);
    const byKey = this.byRoute.get(route) ?? new Map<number, Series>();
    const series = byKey.get(key) ?? new Series();
    if (series.count === 0) this.byRoute.set(route, byKey.set(key, series));
    series.add(seconds);
  }

  /** prom-client makes both of its output formats from this. */
  async getForPromString() {
    const values: Sample[] = [];
    for (const [route, byKey] of this.byRoute) {
      for (const [key, series] of byKey) {
        const method = METHODS[key % METHODS.length] ?? '';
        const sharedLabels = { route, method, status: Math.floor(key / METHODS.length) };
        const value = (suffix: string, value: number, labels: { le?: number | string } = {}) =>
          values.push({ metricName: `${NAME}_${suffix}`, labels, sharedLabels, value });
        let below = 0;
        for (const [i, le] of BOUNDS.entries()) {
          below += series.counts[i] ?? 0;
          value('bucket', below, { le });
        }
        value('bucket', series.count, { le: '+Inf' });
        value('sum', series.sum);
        value('count', series.count);
      }
    }
    return { name: NAME, help: HELP, type: 'histogram', values, aggregator: 'sum' };
  }
}

/** A registry with Node's process metrics. The rest of the node registers its own metrics here. */
export function createRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // Gauges with names of counters. The gauges without `_total` have the same numbers by type.
  for (const what of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${what}_total`);
  return registry;
}

export class EdgeMetrics {
  /** Of `POST /api/orders`, for the overview. */
  readonly placing = new AnswerTimes();
  private readonly durations: Durations;
  private inFlight = 0;

  constructor(readonly registry: Registry) {
    this.durations = new Durations({
      name: NAME,
      help: HELP,
      labelNames: ['route', 'method', 'status'],
      registers: [registry],
    });
    const gauge: Gauge = new Gauge({
      name: 'holdfast_http_requests_in_flight',
      help: 'Requests that have no reply yet.',
      registers: [registry],
      collect: () => gauge.set(this.inFlight),
    });
  }

  began(): void {
    this.inFlight++;
  }

  ended(route: string, method: string, status: number, ms: number): void {
    this.inFlight--;
    this.durations.add(route, method, status, ms / 1000);
    if (route === PLACING && method === 'POST') this.placing.add(ms);
  }

  /** Counts a request that could not be read. */
  unreadable(status: number): void {
    this.durations.add('unreadable', '', status, 0);
  }
}
