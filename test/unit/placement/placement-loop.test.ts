/** Three nodes share 16 partitions in virtual time: one is killed, one paused, one added, the broker is away. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId, nodeId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import { FakeCluster, HEALED_MS, PARTITIONS } from './fake-nodes.js';

const test = suite('placement');
const SEEDS = [1, 2, 3];

/** The course of a test, on several seeds: they differ in how long each call takes. */
function eachSeed(what: string, run: (cluster: FakeCluster) => Promise<void>): void {
  test(what, async () => {
    for (const seed of SEEDS) {
      const cluster = new FakeCluster(seed);
      await run(cluster);
      assert.equal(cluster.wronged, [], `seed ${seed}`);
    }
  });
}

async function ofThree(cluster: FakeCluster): Promise<FakeCluster> {
  for (const name of ['A', 'B', 'C']) cluster.start(name);
  await cluster.until(() => cluster.living.length === 3 && cluster.isEven, 60_000);
  return cluster;
}

/** The claims of a while. */
async function claimsOf(cluster: FakeCluster, run: () => Promise<unknown>): Promise<number> {
  const before = cluster.claims.length;
  await run();
  return cluster.claims.length - before;
}

eachSeed('a node that is alone takes everything within a second', async (cluster) => {
  cluster.start('A');
  await cluster.until(() => cluster.isWhole, 1_000);
});

eachSeed(
  'nodes that join one after the other take at most P/n + 1 partitions each, and nothing else moves',
  async (cluster) => {
    cluster.start('A');
    await cluster.until(() => cluster.isWhole, 1_000);
    for (const [at, name] of ['B', 'C', 'D'].entries()) {
      const node = cluster.start(name);
      const claims = await claimsOf(cluster, () => cluster.until(() => cluster.isEven, 60_000));
      const came = cluster.claims.slice(-claims);
      assert.ok(
        came.every((claim) => claim.node === node.id) && claims <= PARTITIONS / (at + 2) + 1,
        `${claims} moved`,
      );
    }
    const still = await claimsOf(cluster, () => cluster.pass(60_000));
    assert.is(still, 0, 'equal shares stay where they are');
  },
);

eachSeed('a killed node’s partitions run again on the others in time, and only those have moved', async (cluster) => {
  await ofThree(cluster);
  const [dead] = cluster.nodes;
  const lost = dead?.host.states().size ?? 0;
  dead?.kill();
  const claims = await claimsOf(cluster, () => cluster.until(() => cluster.isWhole, HEALED_MS));
  assert.is(claims, lost);
  assert.ok(cluster.isEven);
});

eachSeed('a node that is paused for a second keeps everything', async (cluster) => {
  await ofThree(cluster);
  const claims = await claimsOf(cluster, async () => {
    cluster.nodes[1]?.pause();
    await cluster.pass(1_000);
    cluster.nodes[1]?.wake();
    await cluster.pass(20_000);
  });
  assert.is(claims, 0);
});

eachSeed('a node that was paused for long judges nobody when it wakes, and gets a share again', async (cluster) => {
  await ofThree(cluster);
  const [sleeper] = cluster.nodes;
  sleeper?.pause();
  await cluster.until(() => cluster.isWhole, HEALED_MS);
  await cluster.pass(30_000);
  sleeper?.wake();
  await cluster.until(() => cluster.isEven, 60_000);
  assert.is(sleeper?.warnings.filter((line) => line.includes('is gone')).length, 0);
});

eachSeed(
  'all nodes but one paused: the one takes over everything; when they wake nobody is wronged',
  async (cluster) => {
    await ofThree(cluster);
    const [, ...sleepers] = cluster.nodes;
    for (const node of sleepers) node.pause();
    await cluster.until(() => cluster.isWhole, HEALED_MS);
    for (const node of sleepers) node.wake();
    await cluster.until(() => cluster.isEven, 60_000);
  },
);

eachSeed(
  'a broker that is away for ten seconds and loses every heartbeat: nobody is judged, and nothing moves',
  async (cluster) => {
    await ofThree(cluster);
    const claims = await claimsOf(cluster, async () => {
      cluster.brokerIsAway = true;
      await cluster.pass(10_000);
      cluster.bucket.lose();
      cluster.brokerIsAway = false;
      await cluster.pass(20_000);
    });
    assert.is(claims, 0);
    assert.is(cluster.sealed.size, 0);
    assert.ok(cluster.isEven);
  },
);

eachSeed('a node that dies while the broker is away is judged once that is back, and not before', async (cluster) => {
  await ofThree(cluster);
  cluster.brokerIsAway = true;
  await cluster.pass(5_000);
  cluster.nodes[2]?.kill();
  await cluster.pass(5_000);
  assert.is(cluster.sealed.size, 0);
  cluster.brokerIsAway = false;
  await cluster.until(() => cluster.isWhole, HEALED_MS + limits.silentMs);
});

eachSeed('while Postgres is away a dead node’s journal is not sealed', async (cluster) => {
  await ofThree(cluster);
  cluster.postgresIsAway = true;
  cluster.nodes[2]?.kill();
  await cluster.pass(20_000);
  assert.is(cluster.sealed.size, 0);
  cluster.postgresIsAway = false;
  await cluster.until(() => cluster.isWhole, HEALED_MS);
});

eachSeed('a node whose heartbeats are lost, and whose journal grows, keeps what it has', async (cluster) => {
  await ofThree(cluster);
  const [mute] = cluster.nodes;
  if (mute !== undefined) mute.isBusy = true;
  const put = cluster.bucket.put;
  cluster.bucket.put = async (heartbeat) => (heartbeat.node === mute?.id ? undefined : put(heartbeat));
  await cluster.pass(30_000);
  assert.is(cluster.sealed.size, 0);
  assert.ok(cluster.isWhole);
});

eachSeed('messages that reach nobody make a node look once for each heartbeat, not once each', async (cluster) => {
  await ofThree(cluster);
  const [one, other] = cluster.nodes;
  const { all } = cluster.bucket;
  let looks = 0;
  cluster.bucket.all = () => {
    looks++;
    return all();
  };
  for (let i = 0; i < 200; i++) {
    one?.placement.hint(other?.id);
    await cluster.pass(10);
  }
  const [steps, heartbeats] = [2_000 / limits.placementStepMs, 2_000 / limits.heartbeatMs];
  assert.ok(looks <= 3 * (steps + 1) + heartbeats + 1, `${looks} looks of three nodes in two seconds`);
});

eachSeed('a node that leaves is followed at once, and nobody is judged', async (cluster) => {
  await ofThree(cluster);
  const [leaver] = cluster.nodes;
  const had = leaver?.host.states().size ?? 0;
  const claims = await claimsOf(cluster, async () => {
    const left = leaver?.leave();
    await cluster.until(() => leaver?.state === 'dead', 1_000);
    await left;
    await cluster.until(() => cluster.isWhole, 1_500);
  });
  assert.is(claims, had);
  assert.is(cluster.sealed.size, 0);
});

eachSeed(
  'after a stop of all, nodes that come back share everything, also what a node has that does not come back',
  async (cluster) => {
    await ofThree(cluster);
    for (const node of cluster.nodes) node.kill();
    await cluster.pass(100_000);
    cluster.bucket.lose();
    cluster.nodes.splice(0);
    cluster.start('A');
    cluster.start('B');
    await cluster.until(() => cluster.isEven, HEALED_MS + 10_000);
  },
);

test('without NATS one node owns everything, and another waits for it by name', async () => {
  const cluster = new FakeCluster(1, false);
  const one = cluster.start('A');
  await cluster.until(() => cluster.isWhole, 1_000);
  const other = cluster.start('B');
  await cluster.pass(60_000);
  assert.is(other.host.states().size, 0);
  assert.is(other.waitsFor, one.id);
  const left = one.leave();
  await cluster.until(() => one.state === 'dead', 1_000);
  await left;
  await cluster.until(() => other.host.states().size === PARTITIONS, 2_000);
  assert.is(other.waitsFor, undefined);
});

test('without NATS nothing is taken beside another node, also what is free', async () => {
  const cluster = new FakeCluster(1, false);
  const other = nodeId('other');
  cluster.map[3] = { epoch: 1, node: other, journal: journalId('J') };
  const node = cluster.start('A');
  await cluster.pass(60_000);
  assert.is(node.host.states().size, 0);
  assert.is(node.waitsFor, other);
});

test('whatever happens to nodes and broker, once it is over everything runs, in equal shares', async () => {
  for (let seed = 100; seed < 115; seed++) {
    const cluster = new FakeCluster(seed);
    const { chance } = cluster;
    for (const name of ['A', 'B', 'C', 'D']) cluster.start(name);
    for (let i = 0; i < 25; i++) {
      await cluster.pass(chance.between(100, 6_000));
      const node = chance.any(cluster.nodes.filter(({ state }) => state !== 'dead'));
      const kind = chance.pick(['kill', 'pause', 'wake', 'broker', 'postgres', 'lose', 'busy', 'start']);
      if (kind === 'kill' && cluster.living.length > 1) node?.kill();
      if (kind === 'pause' && cluster.living.length > 1) node?.pause();
      if (kind === 'wake' && node?.state === 'paused') node.wake();
      if (kind === 'broker') cluster.brokerIsAway = !cluster.brokerIsAway;
      if (kind === 'postgres') cluster.postgresIsAway = !cluster.postgresIsAway;
      if (kind === 'lose') cluster.bucket.lose();
      if (kind === 'busy' && node !== undefined) node.isBusy = !node.isBusy;
      if (kind === 'start' && cluster.nodes.length < 8) cluster.start(`N${i}`);
    }
    cluster.brokerIsAway = false;
    cluster.postgresIsAway = false;
    for (const node of cluster.nodes) if (node.state === 'paused') node.wake();
    await cluster
      .until(() => cluster.isEven, 120_000)
      .catch((error: Error) => {
        throw new Error(`seed ${seed}: ${error.message}`);
      });
    assert.equal(cluster.wronged, [], `seed ${seed}`);
  }
});

test.run();
