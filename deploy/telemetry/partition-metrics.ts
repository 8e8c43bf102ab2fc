// The metrics of this node's partitions, and of its place among the nodes.

import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { shownState } from '../../bus/node/claimed-places.js';
import type { PartitionHost, PartitionMeter } from '../../bus/node/partition-host.js';

const BOUNDS = [0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];
const STATES = ['running', 'joining', 'moving'] as const;

export function partitionMeter(registry: Registry): PartitionMeter {
  const registers = [registry];
  const moves = new Counter({
    name: 'holdfast_partition_moves_total',
    help: 'Partitions that came to this node, each with a new epoch (in), and that it gave to another one (out).',
    labelNames: ['direction'],
    registers,
  });
  for (const direction of ['in', 'out']) moves.inc({ direction }, 0);
  const takeOver = new Histogram({
    name: 'holdfast_take_over_duration_seconds',
    help: 'Time from the seal of a dead journal until its partitions run here.',
    buckets: BOUNDS,
    registers,
  });
  return {
    took(durationMs, partitions, isOfDead) {
      moves.inc({ direction: 'in' }, partitions);
      if (isOfDead) takeOver.observe(durationMs / 1_000);
    },
    gave: () => moves.inc({ direction: 'out' }),
  };
}

interface Watched {
  /** Of the system. */
  readonly partitions: number;
  readonly host: () => PartitionHost | undefined;
  /** Nodes that share the partitions, as this one sees it. */
  readonly members: () => number;
  /** Requests of this edge to other nodes that have no answer yet. */
  readonly asks: () => number;
}

export function watchPartitions(registry: Registry, { partitions: all, host, members, asks }: Watched): void {
  const registers = [registry];
  const partitions: Gauge = new Gauge({
    name: 'holdfast_partitions',
    help: 'Partitions of this node, by state.',
    labelNames: ['state'],
    registers,
    collect: () => {
      const states = [...(host()?.states().values() ?? [])].map(({ state }) => shownState(state));
      for (const state of STATES) partitions.set({ state }, states.filter((each) => each === state).length);
    },
  });
  const ofSystem = new Gauge({
    name: 'holdfast_system_partitions',
    help: 'Partitions of the whole system (PARTITIONS): each should run on one node.',
    registers,
  });
  ofSystem.set(all);
  const nodes: Gauge = new Gauge({
    name: 'holdfast_members',
    help: 'Nodes that share the partitions, as this one sees it.',
    registers,
    collect: () => nodes.set(members()),
  });
  const outstanding: Gauge = new Gauge({
    name: 'holdfast_peer_requests',
    help: 'Requests of this edge to owners on other nodes that have no answer yet.',
    registers,
    collect: () => outstanding.set(asks()),
  });
}
