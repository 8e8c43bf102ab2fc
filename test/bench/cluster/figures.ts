// What the parts of the benchmark share: a cluster to measure, quantiles, and progress.

import { Cluster } from '../../faults/rig/cluster.js';
import type { Environment } from '../../faults/rig/real-system.js';

/** A running cluster of so many nodes. The cluster ends with `run`, however that went. */
export async function withCluster(
  nodes: number,
  run: (cluster: Cluster) => Promise<void>,
  env: Environment = {},
  main?: string,
): Promise<void> {
  const cluster = await Cluster.build({ LOG_LEVEL: 'warn', ...env }, main);
  if ('skipped' in cluster) throw new Error(cluster.skipped);
  try {
    await cluster.start(...Array.from({ length: nodes }, (_, i) => `node-${i + 1}`));
    await run(cluster);
  } finally {
    await cluster.demolish();
  }
}

/** The smallest value that so many of all are not above; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export const ms = (value: number): string => `${value.toFixed(0)} ms`;

const began = performance.now();
export function progress(line: string): void {
  console.log(`${((performance.now() - began) / 1_000).toFixed(0).padStart(5)} s  ${line}`);
}
