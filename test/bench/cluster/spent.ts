// What a cluster has used up so far. Nothing here asks a node: an answer to another kind of request costs it compiled code.

import { readFileSync } from 'node:fs';
import { connectNats } from '../../../bus/nats/nats.js';
import type { Cluster } from '../../faults/rig/cluster.js';
import { family } from '../../faults/rig/process-family.js';

/** A tick of /proc, in microseconds. */
const TICK_US = 10_000;
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

/** The CPU time of a process, all its descendants, and those that it has waited for. */
function cpuUs(root: number): number {
  return [root, ...family(root)].reduce((sum, pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number);
      const [own, ended] = [(fields[11] ?? 0) + (fields[12] ?? 0), (fields[13] ?? 0) + (fields[14] ?? 0)];
      return sum + (own + ended) * TICK_US;
    } catch {
      return sum; // it has ended
    }
  }, 0);
}

export interface Spent {
  readonly seconds: number;
  readonly nodes: number;
  readonly postgres: number;
  readonly broker: number;
  readonly messages: number;
}

export async function spent({ nodes, postgres, nats }: Cluster): Promise<Spent> {
  const varz = (await (await fetch(`${nats.monitorUrl}/varz`)).json()) as { in_msgs: number };
  return {
    seconds: performance.now() / 1_000,
    nodes: nodes.reduce((sum, { pid }) => sum + cpuUs(pid), 0),
    postgres: cpuUs(postgres.pid()),
    broker: cpuUs(nats.pid()),
    messages: varz.in_msgs,
  };
}

/** Reads along in the journals. The broker works for this: nothing else is measured meanwhile. */
export async function recordsDuring(cluster: Cluster, run: () => Promise<unknown>) {
  let [appends, parts] = [0, 0];
  const reader = await connectNats(await cluster.nats.as('operator'), { name: 'bench', log: quiet });
  const end = reader.subscribe('journal.*', (text) => {
    appends++;
    parts += Object.keys((JSON.parse(text) as { parts?: object }).parts ?? {}).length;
  });
  await run();
  end();
  await reader.close();
  return { appends, parts };
}
