// Partitions that move all the time among three nodes with many products, under load at all edges: how long a partition
// serves nobody, whether reads by id stay linearizable, and whether verify stays clean and conclusive.

import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Purchase } from '../../faults/rig/burst.js';
import { Burst } from '../../faults/rig/burst.js';
import type { Cluster } from '../../faults/rig/cluster.js';
import { checkVerify, settled } from '../../faults/rig/ledger-check.js';
import type { RealSystem } from '../../faults/rig/real-system.js';
import { Registers } from '../../faults/rig/registers.js';
import { ms, progress, quantile, withCluster } from './figures.js';
import { Probes } from './probes.js';

const MAIN = join(dirname(fileURLToPath(import.meta.url)), 'moving-node.js');
const NODES = 3;
const A_RECEIPT = 1_000;
const LANES = Array.from({ length: 4 }, (_, i) => `w${i}`);
const BUYERS = 8;
const BUYER_PACE_MS = 50;
const PROBE_PACE_MS = 40;
const LOOK_MS = 200;

function* purchases(products: number): Generator<Purchase> {
  for (let i = 0; ; i++) {
    const user = `u${i}`;
    const items = [i, i * 31].map((n) => ({ product_id: `p${n % products}`, quantity: 1 }));
    yield i % 2 === 0 ? { user, items, key: user } : { user, items: items.slice(0, 1) };
  }
}

/** Notes when each partition was claimed, until it is told to stop. */
class ClaimWatch {
  readonly claims: { readonly partition: number; readonly at: number }[] = [];
  private readonly epochs = new Map<number, number>();
  private isOver = false;
  private readonly done: Promise<void>;

  constructor(private readonly cluster: Cluster) {
    this.done = this.watch();
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await this.done;
  }

  private async watch(): Promise<void> {
    while (!this.isOver) {
      const places = await this.cluster.places(this.cluster.nodes[0] as RealSystem);
      for (const { partition, epoch, since, name } of places) {
        const before = this.epochs.get(partition);
        if (before === epoch || name === null || since === null) continue;
        this.epochs.set(partition, epoch);
        const at = Date.parse(since) - performance.timeOrigin;
        if (before !== undefined) this.claims.push({ partition, at });
      }
      await pause(LOOK_MS);
    }
  }
}

/** @param everyMs the time between two forced moves; they overlap when it is short */
export const moves = (seconds = 60, products = 100_000, everyMs = 200): Promise<void> =>
  withCluster(
    NODES,
    async (cluster) => {
      const { nodes, edges } = cluster;
      const first = nodes[0] as RealSystem;
      for (let i = 0; i < products; i += A_RECEIPT) {
        const receipt = Array.from({ length: Math.min(A_RECEIPT, products - i) }, (_, n) => `p${i + n}`);
        await first.stock(receipt, 1_000_000);
        if (i % 20_000 === 0) progress(`${i} of ${products} products are in stock`);
      }
      await first.stock([...LANES, 'shipped'], 1_000_000);
      for (const { pid } of nodes) process.kill(pid, 'SIGUSR2');
      const load = new Burst(edges, purchases(products), BUYERS, BUYER_PACE_MS);
      const registers = new Registers({ edges, products: LANES, ordered: 'shipped', paceMs: 50 });
      const probes = await Probes.stocked(first, edges, PROBE_PACE_MS);
      const watch = new ClaimWatch(cluster);
      const began = performance.now();
      let verdicts = 0;
      while (performance.now() - began < seconds * 1_000) {
        await checkVerify(first);
        verdicts++;
        progress(
          `${watch.claims.length} moves, ${registers.reads} reads, ${load.answered} orders, ${verdicts} verdicts`,
        );
      }
      const tookS = (performance.now() - began) / 1_000;
      await watch.stop();
      await load.stop();
      await registers.stop();
      await probes.stop();
      const pauses = watch.claims.flatMap(({ partition, at }) => probes.gapAt(partition, at) ?? []);
      const gaps = probes.answers.flatMap((each) =>
        each.slice(1).map(({ endedAt }, i) => endedAt - (each[i]?.endedAt ?? 0)),
      );
      const troubles = load.attempts().filter(({ answer }) => answer === undefined || answer.status >= 500);
      console.log(`
moves in ${tookS.toFixed(0)} s, one forced every ${everyMs} ms, with ${products} products: ${watch.claims.length}
  a partition without an answer around a move, p50 / p99 / max  ${ms(quantile(pauses, 0.5))} / ${ms(quantile(pauses, 0.99))} / ${ms(quantile(pauses, 1))}
  between two answers of a partition at any time, p50          ${ms(quantile(gaps, 0.5))}
  reads by id                    ${registers.reads} in ${registers.histories} histories, at ${edges.length} edges
  not linearizable               ${registers.wrong.length} ${registers.wrong.slice(0, 3).join('; ')}
  failed reads                   ${registers.failedReads.length}
  orders                         ${load.answered}
  5xx or no answer to an order   ${troubles.length}
  verdicts                       ${verdicts}, all clean`);
      for (const node of nodes) await settled(node);
      await checkVerify(first);
    },
    { MOVE_EVERY_MS: String(NODES * everyMs) },
    MAIN,
  );
