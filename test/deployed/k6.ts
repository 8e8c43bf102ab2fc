/**
 * A small stand-in of k6, for the scripts of deploy/load: scenarios by arrival rate, http, check, counters, thresholds, setup
 * and teardown. A script runs as it is; only its imports of k6 lead here.
 *
 * Law: a word of k6 that is not known here is an error, never ignored. Bounded: a request has its timeout, a run its schedule.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { patientMs } from '../deadlines.js';

interface Scenario {
  readonly executor: string;
  readonly rate?: number;
  readonly startRate?: number;
  readonly timeUnit: '1s';
  readonly duration?: string;
  readonly stages?: readonly { readonly target: number; readonly duration: string }[];
  readonly preAllocatedVUs: number;
  readonly maxVUs: number;
}

interface Script {
  readonly options: {
    readonly scenarios: Readonly<Record<string, Scenario>>;
    readonly thresholds: Readonly<Record<string, readonly string[]>>;
  };
  readonly setup: () => object;
  readonly default: (data: object) => Promise<void>;
  readonly teardown?: (data: object) => void;
}

export interface Verdict {
  readonly metric: string;
  readonly threshold: string;
  readonly value: number;
  readonly holds: boolean;
}

interface Params {
  readonly headers?: Readonly<Record<string, string>>;
  readonly tags?: { readonly name?: string };
  readonly timeout?: string;
}

/** By metric, and by metric and name, as in `http_req_failed{name:order}`. */
type Samples = Map<string, number[]>;

let samples: Samples = new Map();

/**
 * Runs a script to its end.
 * @param env what `k6 run -e` gives
 * @returns a verdict for each threshold
 * @throws what setup or teardown throws
 */
export async function runK6(path: string, env: Readonly<Record<string, string>>): Promise<readonly Verdict[]> {
  samples = new Map();
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-k6-'));
  try {
    const imported = /^import (\w+|\{[^}]*\}) from .(k6\b[\w/]*).;$/gm;
    const text = readFileSync(path, 'utf8').replace(imported, "const $1 = __MODULES['$2'];");
    writeFileSync(join(folder, 'script.mjs'), text);
    Object.assign(globalThis, { __ENV: env, __VU: 0, __ITER: 0, __MODULES: MODULES });
    const script = (await import(pathToFileURL(join(folder, 'script.mjs')).href)) as Script;
    const data = script.setup();
    await Promise.all(Object.values(script.options.scenarios).map((scenario) => play(scenario, script.default, data)));
    script.teardown?.(data);
    return Object.entries(script.options.thresholds).flatMap(([metric, all]) =>
      all.map((threshold) => judged(metric, threshold)),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

// ---------------------------------------------------------------- what a script imports

function check<T>(subject: T, checks: Readonly<Record<string, (subject: T) => boolean>>): boolean {
  const results = Object.values(checks).map((holds) => holds(subject));
  for (const result of results) sample('checks', result ? 1 : 0);
  return results.every(Boolean);
}

class Counter {
  constructor(private readonly name: string) {}

  add(value: number): void {
    sample(this.name, value);
  }
}

class Reply {
  constructor(
    readonly status: number,
    readonly body: string,
  ) {}

  json(field: string): unknown {
    return (JSON.parse(this.body) as Record<string, unknown>)[field];
  }
}

const http = {
  async asyncRequest(method: string, url: string, body: string, params: Params): Promise<Reply> {
    const { headers = {}, timeout, tags } = params;
    const since = performance.now();
    let reply = new Reply(0, ''); // As k6 has it where no answer came.
    try {
      const signal = AbortSignal.timeout(patientMs(milliseconds(timeout ?? '60s')));
      const answer = await fetch(url, { method, headers, body, signal });
      reply = new Reply(answer.status, await answer.text());
    } catch {
      // counted as failed
    }
    sample('http_req_duration', performance.now() - since, tags?.name);
    sample('http_req_failed', reply.status >= 200 && reply.status < 400 ? 0 : 1, tags?.name);
    return reply;
  },
  post: (url: string, body: string, params: Params): Reply => atOnce('POST', url, params, body),
  get: (url: string, params: Params): Reply => atOnce('GET', url, params),
};

const MODULES = { k6: { check }, 'k6/http': http, 'k6/metrics': { Counter } };

// ---------------------------------------------------------------- machinery

const FETCH = `const [url, init] = JSON.parse(require('fs').readFileSync(0, 'utf8'));
fetch(url, init).then(async (r) => process.stdout.write(JSON.stringify([r.status, await r.text()])));`;

/** A request that blocks, as those of k6 do: of another process. */
function atOnce(method: string, url: string, { headers, timeout }: Params, body?: string): Reply {
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', FETCH], {
    input: JSON.stringify([url, { method, headers, body }]),
    timeout: patientMs(milliseconds(timeout ?? '60s')),
    encoding: 'utf8',
  });
  if (stdout === '') throw new Error(`${method} ${url}: ${stderr.trim() || 'no answer in time'}`);
  const [status, text] = JSON.parse(stdout) as [number, string];
  return new Reply(status, text);
}

function sample(metric: string, value: number, name?: string): void {
  for (const key of name === undefined ? [metric] : [metric, `${metric}{name:${name}}`]) {
    const all = samples.get(key) ?? [];
    all.push(value);
    samples.set(key, all);
  }
}

function milliseconds(duration: string): number {
  const [, count, unit] = /^(\d+)(ms|s|m)$/.exec(duration) ?? [];
  if (count === undefined) throw new Error(`the duration ${duration} is not known here`);
  return Number(count) * { ms: 1, s: 1_000, m: 60_000 }[unit as 'ms' | 's' | 'm'];
}

/** When each iteration starts, in milliseconds: the rate goes in a straight line from stage to stage. */
export function arrivals({ executor, rate, startRate = 0, duration, stages = [] }: Scenario): number[] {
  const isConstant = executor === 'constant-arrival-rate';
  if (!isConstant && executor !== 'ramping-arrival-rate') throw new Error(`the executor ${executor} is not known here`);
  const parts = isConstant ? [{ target: rate ?? 0, duration: duration ?? '' }] : stages;
  const starts: number[] = [];
  let [from, at, due] = [isConstant ? (rate ?? 0) : startRate, 0, 0];
  for (const { target, duration: takes } of parts) {
    const length = milliseconds(takes);
    for (let ms = 0; ms < length; ms++) {
      due += (from + ((target - from) * ms) / length) / 1_000;
      while (starts.length + 1 <= due + 1e-9) starts.push(at + ms);
    }
    [from, at] = [target, at + length];
  }
  return starts;
}

/** Starts each iteration at its time on a free VU; if there is none, the iteration is dropped. */
async function play(scenario: Scenario, iteration: Script['default'], data: object): Promise<void> {
  const free = Array.from({ length: scenario.maxVUs }, (_, i) => ({ vu: scenario.maxVUs - i, iterations: 0 }));
  const running = new Set<Promise<void>>();
  const since = performance.now();
  for (const start of arrivals(scenario)) {
    const wait = start - (performance.now() - since);
    if (wait > 1) await pause(wait);
    const one = free.pop();
    if (one === undefined) {
      sample('dropped_iterations', 1);
      continue;
    }
    Object.assign(globalThis, { __VU: one.vu, __ITER: one.iterations++ });
    const run = iteration(data).finally(() => {
      free.push(one);
      running.delete(run);
    });
    running.add(run);
  }
  await Promise.all(running);
}

function judged(metric: string, threshold: string): Verdict {
  const [, what = '', percent, operator = '', limit] =
    /^(rate|count|p\((\d+)\))(==|<|>)([\d.]+)$/.exec(threshold) ?? [];
  if (limit === undefined) throw new Error(`the threshold ${threshold} is not known here`);
  const all = samples.get(metric) ?? [];
  const value = aggregated(what, Number(percent), all);
  const bound = Number(limit);
  const holds = operator === '==' ? value === bound : operator === '<' ? value < bound : value > bound;
  return { metric, threshold, value, holds };
}

function aggregated(what: string, percent: number, all: readonly number[]): number {
  const sum = all.reduce((total, each) => total + each, 0);
  if (what === 'count') return sum;
  if (all.length === 0) return Number.NaN; // No sample proves nothing.
  if (what === 'rate') return sum / all.length;
  return [...all].sort((a, b) => a - b)[Math.ceil((all.length * percent) / 100) - 1] ?? Number.NaN;
}
