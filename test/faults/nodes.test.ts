// Several nodes on one NATS and one Postgres share the partitions: one is killed, one joins, one leaves.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { patientMs } from '../deadlines.js';
import { Cluster, PARTITIONS } from './rig/cluster.js';
import type { RealSystem } from './rig/real-system.js';

/** The loss of a node is healed in this time, without a person. */
const HEALED_MS = 5_000;
/** The same where the node is not dead but does not run. */
const FROZEN_MS = 8_000;

const test = suite('several nodes');
const built = await Cluster.build();

if (!('skipped' in built)) {
  const cluster = built;
  let one: RealSystem;
  let two: RealSystem;
  let three: RealSystem;

  test.after(() => cluster.demolish());

  /** How many partitions were claimed meanwhile. */
  async function claimsDuring(run: () => Promise<unknown>): Promise<number> {
    const before = await cluster.places(one);
    await run();
    const after = await cluster.places(one);
    return after.reduce((sum, { epoch }, partition) => sum + epoch - (before[partition]?.epoch ?? 0), 0);
  }

  test('two nodes share the partitions equally, and the second takes no more than its share', async () => {
    one = await cluster.add('one');
    await cluster.begin(one);
    assert.equal(await cluster.sharesOf(one), [PARTITIONS]);
    two = await cluster.add('two');
    const claims = await claimsDuring(async () => {
      await cluster.begin(two);
      await cluster.shared();
    });
    assert.is(claims, PARTITIONS / 2);
    assert.equal(await cluster.sharesOf(two, one), [8, 8]);
  });

  test('after a kill -9 of one, the other owns everything within five seconds', async () => {
    await cluster.end(one, 'SIGKILL');
    console.log(`  its partitions run again after ${Math.round(await cluster.owned([two], HEALED_MS))} ms`);
    await cluster.begin(one);
    await cluster.shared();
  });

  test('a node that is stopped by SIGSTOP loses its partitions; when it goes on it begins again, and harms nobody', async () => {
    process.kill(two.pid, 'SIGSTOP');
    try {
      await cluster.owned([one], FROZEN_MS);
    } finally {
      process.kill(two.pid, 'SIGCONT');
    }
    assert.is(await claimsDuring(() => cluster.shared()), PARTITIONS / 2);
  });

  test('a third node that joins moves at most P/n + 1 partitions', async () => {
    three = await cluster.add('three');
    const claims = await claimsDuring(async () => {
      await cluster.begin(three);
      await cluster.shared();
    });
    assert.ok(claims <= PARTITIONS / 3 + 1, `${claims} claims`);
  });

  test('SIGTERM releases what a node has: the others own it at once, and it exits with 0', async () => {
    await cluster.end(two);
    await cluster.shared([one, three], patientMs(2_000));
    await cluster.end(three);
    await cluster.owned([one], 2_000);
    await cluster.end(one);
  });

  test.run();
} else console.log(`SKIP several nodes: ${built.skipped}`);
