// What an order costs at 1, 2 and 4 nodes: CPU of the nodes, Postgres and the broker, appends, parts of records, messages.
// Closed loops with as many clients at each node. The load generator is not counted; what nodes do beside orders is.
//
// The clusters run at the same time and are loaded in turn, several times: so whatever else the machine does meets all of
// them. The first kind of orders needs no other node. It shows what four nodes cost on this machine before they share work.

import { setTimeout as pause } from 'node:timers/promises';
import { partitionOf, productId } from '../../../actors/ids.js';
import { type Cluster, PARTITIONS } from '../../faults/rig/cluster.js';
import type { RealSystem } from '../../faults/rig/real-system.js';
import { PRODUCTS, type SteadyLoop, steadyLoop } from '../load.js';
import { progress, withCluster } from './figures.js';
import { recordsDuring, type Spent, spent } from './spent.js';

const COUNTS = [1, 2, 4] as const;
/** At each node, so that turns can be as full at many nodes as at one. */
const CONNECTIONS = 48;
/** Orders of each kind and each node after which its code is compiled. */
const WARM_UP = 4_000;
const LONGEST_WARM_UP_MS = 40_000;
const ROUNDS = 3;
/** The loops have found their pace. */
const SETTLE_MS = 500;
const REST_MS = 4_000;
const STOCK = 1_000_000_000;
const KINDS = [
  ['of their own node', 'spread'],
  ['without keys', 'spread'],
  ['with keys', 'keyed'],
] as const;

type Sum = { [name in keyof Spent | 'orders' | 'counted' | 'appends' | 'parts']: number };

class Loaded {
  readonly sum: Sum = {
    ...{ seconds: 0, nodes: 0, postgres: 0, broker: 0, messages: 0 },
    ...{ orders: 0, counted: 0, appends: 0, parts: 0 },
  };

  constructor(
    readonly kind: string,
    readonly cluster: Cluster,
    private readonly loop: SteadyLoop,
  ) {}

  async warmUp(share: number): Promise<void> {
    const { nodes } = this.cluster;
    const until = performance.now() + LONGEST_WARM_UP_MS * share;
    this.loop.go();
    while (this.loop.placed() < WARM_UP * share * nodes.length && performance.now() < until) await pause(100);
    this.loop.rest();
    progress(`${this.kind}, ${nodes.length}: ${this.loop.placed()} orders to warm up, ${this.loop.failed()} failed`);
  }

  async measure(ms: number): Promise<void> {
    const { loop, cluster, sum } = this;
    loop.go();
    await pause(SETTLE_MS);
    const [before, first] = [await spent(cluster), loop.placed()];
    await pause(ms);
    const [after, last] = [await spent(cluster), loop.placed()];
    for (const name of Object.keys(before) as (keyof Spent)[]) sum[name] += after[name] - before[name];
    sum.orders += last - first;
    const { appends, parts } = await recordsDuring(cluster, () => pause(SETTLE_MS));
    sum.appends += appends;
    sum.parts += parts;
    sum.counted += loop.placed() - last;
    loop.rest();
    await pause(SETTLE_MS);
  }

  /** CPU of the cluster while nobody asks it, as a share of one core. */
  async atRest(ms: number): Promise<number> {
    const before = await spent(this.cluster);
    await pause(ms);
    const after = await spent(this.cluster);
    const us = (['nodes', 'postgres', 'broker'] as const).reduce((sum, name) => sum + after[name] - before[name], 0);
    return us / (after.seconds - before.seconds) / 1_000_000;
  }

  end(): void {
    this.loop.end();
  }
}

/** Orders at a node of a product that it owns. */
async function ownProducts(cluster: Cluster, all: readonly string[]): Promise<(at: number) => string> {
  const { nodes } = cluster;
  const map = await cluster.places(nodes[0] as RealSystem);
  const ownerOf = (id: string) => map[partitionOf('product', productId(id), PARTITIONS)]?.name;
  const own = nodes.map(({ env }) => all.filter((id) => ownerOf(id) === env.NODE_NAME));
  return (at) => own[at]?.[Math.floor(Math.random() * (own[at]?.length ?? 0))] ?? '';
}

async function loadedOf(cluster: Cluster): Promise<Loaded[]> {
  const products = Array.from({ length: PRODUCTS }, (_, i) => `p${i + 1}`);
  await (cluster.nodes[0] as RealSystem).stock(products, STOCK);
  const own = await ownProducts(cluster, products);
  const ports = cluster.nodes.map(({ port }) => port);
  return KINDS.map(([kind, mode], i) => {
    const loop = steadyLoop(ports, mode, CONNECTIONS * ports.length, i === 0 ? own : undefined);
    return new Loaded(kind, cluster, loop);
  });
}

/** Starts the clusters one inside the other: all of them end, whatever fails. */
async function withClusters(counts: readonly number[], run: (all: Loaded[]) => Promise<void>, all: Loaded[] = []) {
  const [count, ...rest] = counts;
  if (count === undefined) return run(all);
  await withCluster(count, async (cluster) => withClusters(rest, run, [...all, ...(await loadedOf(cluster))]));
}

const HEADS = ['orders/s', 'nodes us', 'Postgres', 'broker', 'all us', 'ratio', 'appends', 'parts', 'messages'];

function show(all: readonly Loaded[]): void {
  console.log(`\n${'orders, nodes'.padEnd(22)}${HEADS.map((head) => head.padStart(10)).join('')}`);
  const costOf = ({ sum }: Loaded) => (sum.nodes + sum.postgres + sum.broker) / sum.orders;
  for (const [kind] of KINDS) {
    const rows = all.filter((row) => row.kind === kind);
    for (const row of rows) {
      const { seconds, nodes, postgres, broker, messages, orders, counted, appends, parts } = row.sum;
      const whole = [orders / seconds, nodes / orders, postgres / orders, broker / orders, costOf(row)];
      const part = [costOf(row) / costOf(rows[0] as Loaded), appends / counted, parts / counted, messages / orders];
      const figures = [...whole.map((value) => value.toFixed(0)), ...part.map((value) => value.toFixed(2))];
      const name = `${kind}, ${row.cluster.nodes.length}`;
      console.log(`${name.padEnd(22)}${figures.map((figure) => figure.padStart(10)).join('')}`);
    }
  }
}

export async function cost(seconds = 8): Promise<void> {
  await withClusters(COUNTS, async (all) => {
    // In two goes: the first connections end while the others warm up.
    for (const share of [0.6, 1]) for (const each of all) await each.warmUp(share);
    for (let round = 0; round < ROUNDS; round++) {
      for (const each of all) await each.measure((seconds * 1_000) / ROUNDS);
      progress(`round ${round + 1} of ${ROUNDS}`);
    }
    show(all);
    for (const each of all) each.end();
    for (const each of all.filter(({ kind }) => kind === KINDS[0][0])) {
      const share = await each.atRest(REST_MS);
      console.log(`${each.cluster.nodes.length} at rest: ${(share * 100).toFixed(1)} % of a core`);
    }
  });
}
