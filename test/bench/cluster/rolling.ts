// A rolling restart of three nodes under a steady load at all that are ready: orders, half of them with a key, and reads by
// id. A client that gets no answer goes to another node.

import type { Purchase } from '../../faults/rig/burst.js';
import { Burst, lastAnswer } from '../../faults/rig/burst.js';
import { checkLedger } from '../../faults/rig/ledger-check.js';
import type { RealSystem } from '../../faults/rig/real-system.js';
import { Registers } from '../../faults/rig/registers.js';
import { ms, progress, quantile, withCluster } from './figures.js';

const PACE_MS = 100;
const PRODUCTS = Array.from({ length: 200 }, (_, i) => `p${i}`);
const LANES = Array.from({ length: 4 }, (_, i) => `w${i}`);
const WARM_UP = 2_000;
const WITHIN_MS = 6_000;

function* purchases(): Generator<Purchase> {
  for (let i = 0; ; i++) {
    const user = `u${i}`;
    const items = [{ product_id: PRODUCTS[i % PRODUCTS.length] ?? '', quantity: 1 }];
    yield i % 2 === 0 ? { user, items, key: user } : { user, items };
  }
}

export const rolling = (rate = 1_000): Promise<void> =>
  withCluster(3, async (cluster) => {
    const { nodes, edges } = cluster;
    const first = nodes[0] as RealSystem;
    await first.stock([...PRODUCTS, ...LANES, 'shipped'], 1_000_000);
    const load = new Burst(edges, purchases(), Math.ceil((rate * PACE_MS) / 1_000), PACE_MS, WITHIN_MS);
    await load.reached(WARM_UP, 120_000);
    const registers = new Registers({ edges, products: LANES, ordered: 'shipped', paceMs: 20 });
    const since = performance.now();
    const before = load.entries.length;
    for (const node of nodes) {
      await cluster.end(node);
      await cluster.begin(node);
      await cluster.shared();
      progress(`${node.env.NODE_NAME} is back, ${load.entries.length - before} orders so far`);
    }
    const tookMs = performance.now() - since;
    await load.stop();
    await registers.stop();
    const during = load.entries.slice(before);
    const tries = during.map(({ attempts, refusals }) => attempts.length + refusals);
    const waits = during.flatMap(({ attempts }) => attempts.map(({ sentAt, endedAt }) => endedAt - sentAt));
    const unanswered = during.filter((entry) => lastAnswer(entry) === undefined);
    const troubles = new Map<string, number>();
    for (const { answer, failure } of during.flatMap(({ attempts }) => attempts)) {
      const how = failure ?? String(answer?.status);
      if (failure !== undefined || (answer?.status ?? 0) >= 500) troubles.set(how, (troubles.get(how) ?? 0) + 1);
    }
    for (const { how } of registers.failedReads) troubles.set(`read: ${how}`, (troubles.get(`read: ${how}`) ?? 0) + 1);
    console.log(`
restart of three nodes in ${ms(tookMs)}, ${((during.length / tookMs) * 1_000).toFixed(0)} orders/s of ${rate} asked for
  reads                          ${registers.reads} at ${((registers.reads / tookMs) * 1_000).toFixed(0)}/s
  failed reads                   ${registers.failedReads.length}
  reads that are not linearizable  ${registers.wrong.length}
  orders                         ${during.length}
  sent a second time             ${tries.filter((each) => each === 2).length}
  sent more than twice           ${tries.filter((each) => each > 2).length}
  given up without an answer     ${unanswered.length} (all without a key)
  an order's answer, p50 / p99 / max  ${ms(quantile(waits, 0.5))} / ${ms(quantile(waits, 0.99))} / ${ms(waits.reduce((a, b) => Math.max(a, b), 0))}
  troubles                       ${JSON.stringify(Object.fromEntries(troubles))}`);
    const tally = await checkLedger(first, load.entries, { others: nodes.slice(1) });
    console.log(`  nothing acknowledged is lost or doubled, verify is clean: ${JSON.stringify(tally)}`);
  });
