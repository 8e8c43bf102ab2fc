// kill -9 of a child server (the broker, then the postmaster) in the middle of a burst, with each journal.
// The product restarts the server, serves again, and still has everything that it acknowledged.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../deadlines.js';
import { Burst, type Purchase } from './rig/burst.js';
import { checkLedger } from './rig/ledger-check.js';
import { RealSystem } from './rig/real-system.js';

const CONNECTIONS = 20;
const PACE_MS = 20;
const SOME = 100;
const BACK_MS = 10_000;
const PRODUCTS = Array.from({ length: 10 }, (_, i) => `CHILD-${i}`);

const test = suite('a killed child');
const systems: RealSystem[] = [];

test.after(async () => {
  for (const system of systems) await system.demolish();
});

/** Sends orders until it is stopped; every second one has no key. */
function* purchases(name: string): Generator<Purchase> {
  for (let i = 0; ; i++) {
    const user = `${name}-${i}`;
    const items = [{ product_id: PRODUCTS[i % PRODUCTS.length] ?? '', quantity: 1 }];
    yield i % 2 === 0 ? { user, items, key: user } : { user, items };
  }
}

for (const journal of ['jetstream', 'postgres'] as const) {
  test(`journal in ${journal}`, async () => {
    const system = await RealSystem.build({ JOURNAL: journal });
    if ('skipped' in system) return console.log(`SKIP a killed child: ${system.skipped}`);
    systems.push(system);
    await system.start();
    await system.stock(PRODUCTS, 1_000_000);
    const { pid } = system;
    const burst = new Burst(system.url, purchases(journal), CONNECTIONS, PACE_MS);
    for (const part of ['nats', 'postgres'] as const) {
      const before = burst.answered;
      await burst.reached(before + SOME);
      const killed = system.childPid(part);
      system.signalChild(part, 'SIGKILL');
      const since = performance.now();
      const isBack = async () =>
        system.childPid(part) !== killed &&
        (await system.ask('/readyz'))?.status === 200 &&
        burst.attempts(since).filter(({ sentAt, answer }) => sentAt > since && answer?.status === 201).length > SOME;
      assert.ok(await until(isBack, BACK_MS, 50), `${part} is not back\n${system.lastWords()}`);
      assert.match(system.output, new RegExp(`${part}: ended without being asked to \\(killed by SIGKILL\\)`));
    }
    await burst.stop();
    assert.is(system.pid, pid, 'the process itself went on');
    for (const { purchase, attempts } of burst.entries) {
      for (const { failure } of attempts) assert.is(failure, undefined, `${purchase.user}: its connection broke`);
    }
    await checkLedger(system, burst.entries);
    assert.is((await system.end('SIGTERM')).code, 0);
    assert.equal(system.left(), []);
  });
}

test.run();
