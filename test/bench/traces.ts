// npm run bench:traces [-- ROUNDS=3 CYCLES=20 SLICE_S=1]: what traces cost. Four Holdfasts stand side by side: without an endpoint
// (off), and with one at 0, 1 and 100 %. Orders are placed on one after the other in short slices, so that what else this machine
// does meets all of them alike. Prints for each round orders/s and the CPU of the node's process for an order, both also as ratios to
// off; at the end what was sent and lost. On a machine that others use too, the CPU is the steadier of the two.
//
// The endpoint takes what comes and keeps nothing: a real one runs elsewhere.

import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Environment, RealSystem } from '../faults/rig/real-system.js';
import { PRODUCTS, type SteadyLoop, steadyLoop } from './load.js';

const CONNECTIONS = 50;
const STOCK = 1_000_000_000;
const WARM_S = 8;
/** What is under way when a slice ends answers within this time. */
const REST_MS = 150;
/** MODES=off,off,0 %,0 % shows what the bench itself makes of two that are alike. */
const MODES = (process.env.MODES ?? 'off,0 %,1 %,100 %').split(',');

const [rounds = 3, cycles = 20, sliceS = 1] = process.argv.slice(2).map(Number);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

const endpoint = createServer((req, res) => req.resume().on('end', () => res.end()));
await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve));

const environmentOf = (mode: string): Environment =>
  mode === 'off'
    ? {}
    : {
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}`,
        OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
        OTEL_TRACES_SAMPLER_ARG: String(Number.parseInt(mode, 10) / 100),
      };

async function begin(mode: string): Promise<RealSystem> {
  const system = await RealSystem.build(environmentOf(mode));
  if ('skipped' in system) throw new Error(system.skipped);
  await system.start();
  const products = Array.from({ length: PRODUCTS }, (_, i) => ({
    ...{ product_id: `p${i + 1}`, name: `p${i + 1}`, unit_price: 19.99, currency: 'USD', stock: STOCK },
  }));
  const seeded = await system.post('/api/inventory', { products });
  if (seeded.status >= 300) throw new Error(`the products were not taken: ${seeded.status} ${seeded.text}`);
  return system;
}

/** The CPU that all threads of a process have had, in microseconds. Linux alone tells it so finely. */
function cpuOf({ pid }: RealSystem): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1_000;
}

interface Slice {
  readonly perSecond: number;
  readonly cpuUs: number;
}

async function slice(loop: SteadyLoop, system: RealSystem, seconds: number): Promise<Slice> {
  const [before, cpu, since] = [loop.placed(), cpuOf(system), performance.now()];
  loop.go();
  await pause(seconds * 1_000);
  const placed = loop.placed() - before;
  const tookS = (performance.now() - since) / 1_000;
  loop.rest();
  await pause(REST_MS);
  return { perSecond: placed / tookS, cpuUs: (cpuOf(system) - cpu) / (loop.placed() - before) };
}

const systems: RealSystem[] = [];
try {
  for (const mode of MODES) systems.push(await begin(mode));
  const loops = systems.map(({ port }) => steadyLoop([port], 'spread', CONNECTIONS));
  const run = (at: number, seconds: number) => slice(loops[at] as SteadyLoop, systems[at] as RealSystem, seconds);
  for (const at of loops.keys()) await run(at, WARM_S);
  const row = (name: string, values: readonly number[], digits: number, unit: string) =>
    console.log(`${name.padEnd(8)}${values.map((value) => value.toFixed(digits).padStart(10)).join('')}   ${unit}`);
  console.log(`${'round'.padEnd(8)}${MODES.map((mode) => mode.padStart(10)).join('')}`);
  for (let round = 1; round <= rounds; round++) {
    const slices: Slice[][] = MODES.map(() => []);
    for (let cycle = 0; cycle < cycles; cycle++) {
      // Each begins as often as any other: whoever comes first after a rest is not always the same.
      for (let i = 0; i < MODES.length; i++) {
        const at = (i + cycle) % MODES.length;
        slices[at]?.push(await run(at, sliceS));
      }
    }
    for (const [what, digits, unit] of [
      ['perSecond', 0, 'orders/s'],
      ['cpuUs', 1, "us of the node's CPU an order"],
    ] as const) {
      const all = slices.map((of) => of.map((each) => each[what]));
      // Slices of one cycle are neighbours in time, so each is compared with its own neighbour.
      const ratios = all.map((of) => median(of.map((value, cycle) => value / (all[0]?.[cycle] ?? Number.NaN))));
      row(what === 'perSecond' ? String(round) : '', all.map(median), digits, unit);
      row('', ratios, 3, 'to off');
    }
  }
  for (const [i, system] of systems.entries()) {
    if (MODES[i] === 'off') continue;
    const [sent, lost] = [
      await system.metric('holdfast_trace_spans_total\\{outcome="sent"\\}'),
      await system.metric('holdfast_trace_spans_total\\{outcome="lost"\\}'),
    ];
    console.log(
      `${MODES[i]}: ${sent} spans sent, ${lost} lost; ${loops[i]?.placed()} orders, ${loops[i]?.failed()} failed`,
    );
  }
  for (const loop of loops) loop.end();
} finally {
  for (const system of systems) await system.demolish();
  endpoint.close();
}
process.exit(0);
