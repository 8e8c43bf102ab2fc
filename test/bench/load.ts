// The load of the benchmarks, over keep-alive connections. Closed loop: each connection sends again when it has its reply.
// Open loop: Poisson arrivals at a fixed rate. Its latency counts from the intended start, so a stall does not hide behind
// fewer requests ("coordinated omission", G. Tene). Latencies go into HDR histograms, in microseconds.

import { Agent, request } from 'node:http';
import { build, type Histogram } from 'hdr-histogram-js';

export const MODES = ['spread', 'hot', 'multi', 'keyed'] as const;
type Mode = (typeof MODES)[number];

export interface Measured {
  readonly perSecond: number;
  readonly byStatus: ReadonlyMap<number, number>;
  /** Microseconds. */
  readonly latency: Histogram;
}

export const PRODUCTS = 1_000;
const LINES = 5;
const LONGEST_US = 60_000_000;

/** Where orders are placed: a port of this machine, or a node elsewhere with the headers that it asks for. */
type Edge =
  | number
  | { readonly host: string; readonly port: number; readonly headers?: Readonly<Record<string, string>> };

let drawn = 0;
const random = (n: number) => Math.floor(Math.random() * n);

const anyProduct = () => `p${1 + random(PRODUCTS)}`;

function orderBody(mode: Mode, product: () => string): string {
  const ids = new Set<string>();
  while (ids.size < (mode === 'multi' ? LINES : 1)) ids.add(mode === 'hot' ? 'p1' : product());
  const items = [...ids].map((id) => ({ product_id: id, quantity: 1 }));
  return JSON.stringify({ user_id: `u${random(100_000)}`, items });
}

/** Places one order. @returns the HTTP status, or 0 when there was no reply. */
function place(agent: Agent, edge: Edge, mode: Mode, product = anyProduct): Promise<number> {
  const to = typeof edge === 'number' ? { host: '127.0.0.1', port: edge } : edge;
  return new Promise((resolve) => {
    const body = orderBody(mode, product);
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      ...to.headers,
      ...(mode === 'keyed' && { 'idempotency-key': `bench-${process.pid}-${drawn++}` }),
    };
    const sent = request({ agent, ...to, path: '/api/orders', method: 'POST', headers }, (reply) => {
      reply.resume();
      reply.on('end', () => resolve(reply.statusCode ?? 0));
    });
    sent.on('error', () => resolve(0));
    sent.end(body);
  });
}

const histogram = () =>
  build({ lowestDiscernibleValue: 1, highestTrackableValue: LONGEST_US, numberOfSignificantValueDigits: 3 });

function note(latency: Histogram, sinceMs: number): void {
  latency.recordValue(Math.min(LONGEST_US, Math.max(1, Math.round((performance.now() - sinceMs) * 1_000))));
}

/** @param edge one, or several: each connection stays with one */
export async function closedLoop(
  edge: Edge | readonly Edge[],
  mode: Mode,
  connections: number,
  seconds: number,
): Promise<Measured> {
  const edges = [edge].flat();
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const latency = histogram();
  const byStatus = new Map<number, number>();
  const began = performance.now();
  const until = began + seconds * 1_000;
  const one = async (_: unknown, i: number) => {
    while (performance.now() < until) {
      const since = performance.now();
      const status = await place(agent, edges[i % edges.length] ?? 0, mode);
      note(latency, since);
      byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: connections }, one));
  agent.destroy();
  return { perSecond: latency.totalCount / ((performance.now() - began) / 1_000), byStatus, latency };
}

export interface SteadyLoop {
  /** Orders that were answered with 201, since the start. */
  placed(): number;
  /** All other answers. */
  failed(): number;
  go(): void;
  /** The connections stay open. */
  rest(): void;
  end(): void;
}

/**
 * A closed loop that can rest. Its connections outlive the rest: when connections end, V8 throws away compiled code of
 * Node's streams, and compiles it anew.
 */
export function steadyLoop(
  ports: readonly number[],
  mode: Mode,
  connections: number,
  product: (at: number) => string = anyProduct,
): SteadyLoop {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  let [placed, failed, isOver] = [0, 0, false];
  let wake = () => {};
  let gate: Promise<void> | undefined = Promise.resolve();
  const close = () => {
    gate = new Promise((resolve) => {
      wake = resolve;
    });
  };
  const one = async (_: unknown, i: number) => {
    const at = i % ports.length;
    while (!isOver) {
      if (gate !== undefined) await gate;
      else if ((await place(agent, ports[at] ?? 0, mode, () => product(at))) === 201) placed++;
      else failed++;
    }
  };
  close();
  Array.from({ length: connections }, one);
  return {
    placed: () => placed,
    failed: () => failed,
    go() {
      gate = undefined;
      wake();
    },
    rest: close,
    end() {
      isOver = true;
      wake();
      agent.destroy();
    },
  };
}

/** A closed loop with one figure of orders/s per interval. @param every the interval in seconds. @param report gets each figure. */
export async function curve(
  port: number,
  mode: Mode,
  connections: number,
  { seconds, every }: { readonly seconds: number; readonly every: number },
  report: (atSecond: number, perSecond: number, p95Us: number) => void,
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const until = performance.now() + seconds * 1_000;
  let latency = histogram();
  const one = async () => {
    while (performance.now() < until) {
      const since = performance.now();
      if ((await place(agent, port, mode)) === 201) note(latency, since);
    }
  };
  const all = Promise.all(Array.from({ length: connections }, one));
  for (let at = 0; at < seconds; at += every) {
    const since = performance.now();
    await new Promise((resolve) => setTimeout(resolve, every * 1_000));
    const [done, tookMs] = [latency, performance.now() - since];
    latency = histogram();
    report(at, done.totalCount / (tookMs / 1_000), done.getValueAtPercentile(95));
  }
  await all;
  agent.destroy();
}

/** @param edge one, or several that take turns */
export async function openLoop(
  edge: Edge | readonly Edge[],
  mode: Mode,
  rate: number,
  seconds: number,
): Promise<Measured> {
  const edges = [edge].flat();
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const latency = histogram();
  const byStatus = new Map<number, number>();
  const running = new Set<Promise<void>>();
  const began = performance.now();
  const until = began + seconds * 1_000;
  let turn = 0;
  for (let due = began; due < until; due += (-Math.log(1 - Math.random()) / rate) * 1_000) {
    const early = due - performance.now();
    if (early > 1) await new Promise((resolve) => setTimeout(resolve, early));
    const intended = due;
    const sent = place(agent, edges[turn++ % edges.length] ?? 0, mode).then((status) => {
      note(latency, intended);
      byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
      running.delete(sent);
    });
    running.add(sent);
  }
  await Promise.all(running);
  agent.destroy();
  return { perSecond: latency.totalCount / ((performance.now() - began) / 1_000), byStatus, latency };
}
