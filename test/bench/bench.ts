// npm run bench [-- SECONDS=5 RATE=1000 CURVE_S=60]: starts a Holdfast in a temporary folder and loads it over HTTP from
// this process. Both share the cores, so figures compare with each other only. Prints keyed orders from an empty store as
// a curve, then orders/s and latencies: closed loop with 50 connections, and open loop at RATE orders/s.

import { RealSystem } from '../faults/rig/real-system.js';
import { closedLoop, curve, type Measured, MODES, openLoop, PRODUCTS } from './load.js';

const CONNECTIONS = 50;
const STOCK = 1_000_000_000;
const CURVE_EVERY_S = 5;

const ms = (us: number) => (us / 1_000).toFixed(1);

function row(name: string, { perSecond, byStatus, latency }: Measured): string {
  const at = (percentile: number) => ms(latency.getValueAtPercentile(percentile)).padStart(7);
  const statuses = [...byStatus].map(([status, count]) => `${status === 0 ? 'none' : status}=${count}`).join(' ');
  const figures = [at(50), at(95), at(99), ms(latency.maxValue).padStart(8)].join(' ');
  return `${name.padEnd(22)} ${perSecond.toFixed(0).padStart(7)} ${figures}  ${statuses}`;
}

const [seconds = 5, rate = 1_000, curveS = 60] = process.argv.slice(2).map(Number);
const system = await RealSystem.build();
if ('skipped' in system) throw new Error(system.skipped);
try {
  await system.start();
  const products = Array.from({ length: PRODUCTS }, (_, i) => ({
    product_id: `p${i + 1}`,
    name: `p${i + 1}`,
    unit_price: 19.99,
    currency: 'USD',
    stock: STOCK,
  }));
  const seeded = await system.post('/api/inventory', { products });
  if (seeded.status >= 300) throw new Error(`the products were not taken: ${seeded.status} ${seeded.text}`);
  console.log('keyed orders from an empty store\n  second    per s   p95 ms');
  await curve(system.port, 'keyed', CONNECTIONS, { seconds: curveS, every: CURVE_EVERY_S }, (at, perSecond, p95) =>
    console.log(
      `${String(at).padStart(8)} ${perSecond.toFixed(0).padStart(8)} ${ms(p95).padStart(8)}  ${'#'.repeat(Math.round(perSecond / 200))}`,
    ),
  );
  console.log(
    `\n${'orders'.padEnd(22)} ${'per s'.padStart(7)} ${['p50', 'p95', 'p99'].map((p) => p.padStart(7)).join(' ')} ${'max ms'.padStart(8)}`,
  );
  await closedLoop(system.port, 'spread', CONNECTIONS, 2); // warm-up
  for (const mode of MODES)
    console.log(row(`closed ${mode}`, await closedLoop(system.port, mode, CONNECTIONS, seconds)));
  for (const mode of ['spread', 'hot'] as const) {
    console.log(row(`open ${rate}/s ${mode}`, await openLoop(system.port, mode, rate, seconds)));
  }
} finally {
  await system.demolish();
}
process.exit(0);
