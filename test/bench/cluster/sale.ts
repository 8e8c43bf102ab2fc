// A flash sale at four nodes: many buyers want one of 100 units, and the owner of the product is killed in the middle.

import * as assert from 'node:assert';
import { partitionOf, productId } from '../../../actors/ids.js';
import type { Purchase } from '../../faults/rig/burst.js';
import { Burst } from '../../faults/rig/burst.js';
import { PARTITIONS } from '../../faults/rig/cluster.js';
import { checkLedger } from '../../faults/rig/ledger-check.js';
import type { RealSystem } from '../../faults/rig/real-system.js';
import { ms, progress, quantile, withCluster } from './figures.js';
import { Probes } from './probes.js';

const UNITS = 100;
const SOLD_BEFORE = 30;
const AT_ONCE = 60;
const PROBE_PACE_MS = 20;
const HOT = 'HOT';

function* purchases(buyers: number): Generator<Purchase> {
  for (let i = 0; i < buyers; i++) {
    const user = `buyer-${i}`;
    const items = [{ product_id: HOT, quantity: 1 }];
    yield i % 2 === 0 ? { user, items, key: user } : { user, items };
  }
}

export const sale = (buyers = 10_000): Promise<void> =>
  withCluster(4, async (cluster) => {
    const { nodes, edges } = cluster;
    const first = nodes[0] as RealSystem;
    await first.stock([HOT], UNITS);
    const probes = await Probes.stocked(first, edges, PROBE_PACE_MS);
    const places = await cluster.places(first);
    const hot = partitionOf('product', productId(HOT), PARTITIONS);
    const owner = nodes.find(({ env }) => env.NODE_NAME === places[hot]?.name) as RealSystem;
    const survivors = nodes.filter((node) => node !== owner);
    const load = new Burst(edges, purchases(buyers), AT_ONCE);
    await load.reached(SOLD_BEFORE);
    const killedAt = performance.now();
    await cluster.end(owner, 'SIGKILL');
    progress(`the owner of ${HOT} is killed after ${load.answered} answers`);
    await load.done;
    await cluster.owned(survivors, 30_000);
    const endedAt = performance.now();
    await probes.stop();
    const gaps = probes.longestGaps(killedAt, endedAt);
    const isDeads = (partition: number) => places[partition]?.name === owner.env.NODE_NAME;
    const sold = load.attempts().filter(({ answer }) => answer?.status === 201);
    progress(`all buyers have an answer after ${ms(endedAt - killedAt)}`);
    const tally = await checkLedger(survivors[0] as RealSystem, load.entries, { others: survivors.slice(1) });
    const stock = (await (survivors[0] as RealSystem).ask(`/api/inventory/${HOT}`))?.text ?? '';
    assert.match(stock, /"on_hand":0,"held":0/);
    console.log(`
${buyers} buyers, ${UNITS} units, four nodes, the product's owner killed
  heard 201                      ${sold.length} (${UNITS - sold.length} of the sold units' buyers were not answered)
  units left                     0; nothing lost or doubled, verify clean
  answers                        ${JSON.stringify(tally)}
  the longest gap of other owners' products  ${ms(Math.max(...gaps.filter((_, partition) => !isDeads(partition))))}, median ${ms(
    quantile(
      gaps.filter((_, partition) => !isDeads(partition)),
      0.5,
    ),
  )}
  the longest gap of the dead owner's        ${ms(Math.max(...gaps.filter((_, partition) => isDeads(partition))))}`);
  });
