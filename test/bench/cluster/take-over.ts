// kill -9 of one of three nodes, again and again, under a light load: the time until every partition has answered again.

import { until } from '../../deadlines.js';
import { ms, progress, quantile, withCluster } from './figures.js';
import { Probes } from './probes.js';

const PACE_MS = 50;
const GIVE_UP_MS = 30_000;

export const takeOver = (kills = 20): Promise<void> =>
  withCluster(3, async (cluster) => {
    const { nodes, edges } = cluster;
    const probes = await Probes.stocked(nodes[0] as (typeof nodes)[0], edges, PACE_MS);
    const took: number[] = [];
    for (let i = 0; i < kills; i++) {
      const victim = nodes[i % nodes.length] as (typeof nodes)[0];
      const killedAt = performance.now();
      await cluster.end(victim, 'SIGKILL');
      if (!(await until(() => probes.allAnswered(killedAt) !== undefined, GIVE_UP_MS))) throw new Error(cluster.words);
      took.push((probes.allAnswered(killedAt) as number) - killedAt);
      progress(`kill ${i + 1} of ${kills}: everything answers after ${ms(took.at(-1) as number)}`);
      await cluster.begin(victim);
      await cluster.shared();
    }
    await probes.stop();
    console.log(`\ntake-over of ${kills} killed nodes: p50 ${ms(quantile(took, 0.5))}, max ${ms(Math.max(...took))}`);
  });
