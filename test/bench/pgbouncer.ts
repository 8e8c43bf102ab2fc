// npm run bench:pgbouncer [-- SECONDS=5 ROUNDS=3]: keyed orders of 50 connections with Postgres direct, and through a PgBouncer
// that pools by transaction. Both systems run beside each other and take turns, with the journal in JetStream and in Postgres.

import { loadavg } from 'node:os';
import { RealSystem } from '../faults/rig/real-system.js';
import { realPgBouncer } from '../servers/real-pgbouncer.js';
import { realPostgres } from '../servers/real-servers.js';
import { closedLoop, PRODUCTS } from './load.js';

const CONNECTIONS = 50;
const STOCK = 1_000_000_000;
const [seconds = 5, rounds = 3] = process.argv.slice(2).map(Number);
const WAYS = ['direct', 'through PgBouncer'] as const;

const middle = (figures: readonly number[]) => [...figures].sort((a, b) => a - b)[Math.floor(figures.length / 2)] ?? 0;

async function systemBehind(way: (typeof WAYS)[number], journal: string) {
  const postgres = await realPostgres();
  if ('skipped' in postgres) throw new Error(postgres.skipped);
  const bouncer = await realPgBouncer([postgres.nodeUrl]);
  if ('skipped' in bouncer) throw new Error(bouncer.skipped);
  const { nodeUrl, ownerUrl } = postgres;
  const url = way === 'direct' ? nodeUrl : bouncer.through(nodeUrl);
  const env = { DATABASE_URL: url, MIGRATIONS_DATABASE_URL: ownerUrl, JOURNAL: journal };
  const system = await RealSystem.build(env);
  if ('skipped' in system) throw new Error(system.skipped);
  await system.start();
  const products = Array.from({ length: PRODUCTS }, (_, i) => `p${i + 1}`);
  await system.stock(products, STOCK);
  await closedLoop(system.port, 'keyed', CONNECTIONS, 2); // warm-up
  const stop = async () => {
    await system.demolish();
    await bouncer.stop();
    await postgres.stop();
  };
  return { system, stop };
}

console.log(
  '| journal | way | orders/s (median) | p50 ms | p99 ms | of direct | load |\n|---|---|---|---|---|---|---|',
);
for (const journal of ['jetstream', 'postgres']) {
  const all = [await systemBehind('direct', journal), await systemBehind('through PgBouncer', journal)];
  const figures = WAYS.map(() => [] as Awaited<ReturnType<typeof closedLoop>>[]);
  try {
    for (let round = 0; round < rounds; round++)
      for (const [i, { system }] of all.entries())
        figures[i]?.push(await closedLoop(system.port, 'keyed', CONNECTIONS, seconds));
  } finally {
    for (const { stop } of all) await stop();
  }
  const perSecond = figures.map((each) => middle(each.map((one) => one.perSecond)));
  const at = (i: number, percentile: number) =>
    middle((figures[i] ?? []).map(({ latency }) => latency.getValueAtPercentile(percentile) / 1_000)).toFixed(1);
  for (const [i, way] of WAYS.entries()) {
    const ratio = (perSecond[i] ?? 0) / (perSecond[0] ?? 1);
    console.log(
      `| ${journal} | ${way} | ${perSecond[i]?.toFixed(0)} | ${at(i, 50)} | ${at(i, 99)} | ${ratio.toFixed(2)} | ${(loadavg()[0] ?? 0).toFixed(1)} |`,
    );
  }
}
process.exit(0);
