// Three nodes and a fourth on one broker and one Postgres, under load at every edge, while nodes and the broker are
// killed, stopped, joined and restarted. What clients were told is kept outside, and compared at the end.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../deadlines.js';
import { Burst, type Purchase } from './rig/burst.js';
import { Cluster } from './rig/cluster.js';
import { checkLedger } from './rig/ledger-check.js';
import type { RealSystem } from './rig/real-system.js';
import { Registers, staleReads } from './rig/registers.js';

const PRODUCTS = Array.from({ length: 24 }, (_, i) => `SHARED-${i}`);
const SCARCE = ['SCARCE-0', 'SCARCE-1'];
const WATCHED = ['WATCHED-0', 'WATCHED-1'];
const BUYERS = 8;
const PACE_MS = 100;
/** Then a client goes to another edge. */
const WITHIN_MS = 6_000;
const HEALED_MS = 5_000;
const FROZEN_MS = 8_000;
const MOVING_MS = 15_000;

const test = suite('a cluster under load');
const built = await Cluster.build();

/** Without end: of one to three lines, every second one with a key, and some keys sent twice at once. */
function* purchases(): Generator<Purchase> {
  for (let i = 0; ; i++) {
    const user = `buyer-${i}`;
    const scarce = i % 10 === 0 ? [SCARCE[(i / 10) % 2] ?? ''] : [];
    const lines = Array.from({ length: 1 + (i % 3) }, (_, line) => PRODUCTS[(i + 7 * line) % PRODUCTS.length] ?? '');
    const items = [...scarce, ...lines].map((product_id) => ({ product_id, quantity: 1 }));
    yield i % 2 === 0 ? { user, items, key: user } : { user, items };
    if (i % 16 === 0) yield { user, items, key: user };
  }
}

test('no old read and no early one passes for linearizable', () => {
  const [first, second] = [
    { kind: 'write' as const, beganAt: 0, endedAt: 1, value: 4 },
    { kind: 'write' as const, beganAt: 5, endedAt: 8, value: 5 },
  ];
  const read = (beganAt: number, endedAt: number, value: number) => ({
    kind: 'read' as const,
    beganAt,
    endedAt,
    value,
  });
  const wrong = (...reads: ReturnType<typeof read>[]) => staleReads([first, second, ...reads]).length;
  assert.is(wrong(read(2, 3, 4), read(6, 7, 4), read(6, 7, 5), read(9, 10, 5)), 0);
  assert.is(wrong(read(9, 10, 4)), 1);
  assert.is(wrong(read(2, 4, 5)), 1);
  assert.is(wrong(read(5.5, 6, 5), read(6.5, 7, 4)), 1);
});

if (!('skipped' in built)) {
  const cluster = built;
  let load: Burst;
  let registers: Registers;
  let one: RealSystem;
  let two: RealSystem;
  let three: RealSystem;
  let four: RealSystem;

  test.after(() => cluster.demolish());

  /**
   * Runs a phase, and tells how the clients fared: at `troubled` nodes, which may not answer, and at all others.
   * @returns what went without an answer at the others
   */
  async function phase(
    name: string,
    troubled: readonly RealSystem[],
    run: () => Promise<unknown>,
  ): Promise<readonly string[]> {
    const since = performance.now();
    await run();
    const isOurs = (edge: string) => !troubled.some(({ url }) => url === edge);
    const attempts = load.attempts(since);
    const failed = [
      ...attempts
        .filter(({ answer }) => answer === undefined || answer.status >= 500)
        .map(({ edge, answer, failure }) => ({ edge, how: `POST ${answer?.status ?? failure}` })),
      ...registers.failedReads
        .filter(({ endedAt }) => endedAt > since)
        .map(({ edge, how }) => ({ edge, how: `GET ${how}` })),
    ];
    const count = (all: typeof failed) => {
      const counts: Record<string, number> = {};
      for (const { how } of all) counts[how] = (counts[how] ?? 0) + 1;
      return JSON.stringify(counts);
    };
    const others = failed.filter(({ edge }) => isOurs(edge));
    const answers = attempts.filter(({ answer }) => (answer?.status ?? 500) < 500);
    const slowest = Math.max(0, ...answers.map(({ sentAt, endedAt }) => endedAt - sentAt));
    const took = `${((performance.now() - since) / 1_000).toFixed(1)} s`;
    const elsewhere =
      troubled.length === 0 ? '' : `, at the node itself ${count(failed.filter(({ edge }) => !isOurs(edge)))}`;
    console.log(
      `  ${name}: ${took}, ${answers.length} orders answered, the slowest after ${slowest.toFixed(0)} ms; without an answer ${count(others)}${elsewhere}`,
    );
    return others.map(({ how }) => how);
  }

  /** Nobody goes without an answer where no node fails: an order may have to come again once, a read never. */
  async function plannedPhase(name: string, run: () => Promise<unknown>): Promise<void> {
    const without = await phase(name, [], run);
    assert.equal(
      without.filter((how) => how !== 'POST 503'),
      [],
      cluster.words,
    );
  }

  test('three nodes share the work', async () => {
    await cluster.start('one', 'two', 'three');
    [one, two, three] = cluster.nodes as [RealSystem, RealSystem, RealSystem];
    await one.stock(PRODUCTS, 1_000_000);
    await one.stock(SCARCE, 40);
    await one.stock(['SHIPPED'], 1_000_000);
    load = new Burst(cluster.edges, purchases(), BUYERS, PACE_MS, WITHIN_MS);
    registers = new Registers({ edges: cluster.edges, products: WATCHED, ordered: 'SHIPPED', paceMs: 50 });
    await plannedPhase('at rest', () => load.reached(300));
  });

  test('one is killed, and comes back', async () => {
    await phase('kill -9', [two], async () => {
      await cluster.end(two, 'SIGKILL');
      console.log(`  its partitions run again after ${Math.round(await cluster.owned([one, three], HEALED_MS))} ms`);
    });
    await phase('it comes back', [], async () => {
      await cluster.begin(two);
      await cluster.shared();
    });
  });

  test('one is stopped for longer than a death takes, and goes on', async () => {
    await phase('SIGSTOP', [three], async () => {
      process.kill(three.pid, 'SIGSTOP');
      try {
        await cluster.owned([one, two], FROZEN_MS);
      } finally {
        process.kill(three.pid, 'SIGCONT');
      }
    });
    await phase('SIGCONT', [three], () => cluster.shared());
  });

  test('a fourth joins, and ends by SIGTERM', async () => {
    four = await cluster.add('four');
    await plannedPhase('a fourth joins', async () => {
      await cluster.begin(four);
      await cluster.shared();
    });
    await plannedPhase('it ends', async () => {
      await cluster.end(four);
      await cluster.owned([one, two, three], HEALED_MS);
    });
  });

  test('the broker is killed in the middle of a move', async () => {
    await phase('the broker is killed', [], async () => {
      const before = (await cluster.places(one)).map(({ epoch }) => epoch);
      const begun = cluster.begin(four);
      const moves = async () => {
        const places = await cluster.places(one);
        return places.some(({ epoch, state }, i) => state !== 'running' || epoch !== before[i]);
      };
      assert.ok(await until(moves, MOVING_MS, 2), cluster.words);
      process.kill(cluster.nats.pid(), 'SIGKILL');
      await begun;
      await cluster.shared();
    });
  });

  test('all are restarted, one after the other', async () => {
    await plannedPhase('a rolling restart', async () => {
      for (const node of cluster.nodes) {
        await cluster.end(node);
        await cluster.begin(node);
        await cluster.shared();
      }
    });
  });

  test('nothing acknowledged is lost or doubled, and every read was of its time', async () => {
    await load.stop();
    await registers.stop();
    assert.equal(registers.wrong.slice(0, 5), [], `${registers.wrong.length} reads are not linearizable`);
    const others = cluster.nodes.filter((node) => node !== one);
    const tally = await checkLedger(one, load.entries, { others });
    console.log(`  ${JSON.stringify(tally)}; ${registers.reads} reads in ${registers.histories} histories`);
    for (const node of cluster.nodes) await cluster.end(node);
  });
} else console.log(`SKIP a cluster under load: ${built.skipped}`);

test.run();
