// kill -9 of a child in the middle of a burst, the broker's and then the postmaster's, with each journal:
// the product starts it again by itself, serves again, and what it had acknowledged is there.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../deadlines.js';
import { Burst, type Wish } from './rig/burst.js';
import { checkLedger } from './rig/ledger-check.js';
import { RealSystem } from './rig/real-system.js';

const CONNECTIONS = 20;
const PACE_MS = 20;
const SOME = 100;
const BACK_MS = 10_000;
const PRODUCTS = Array.from({ length: 10 }, (_, i) => `CHILD-${i}`);

const test = suite('a killed child');
const houses: RealSystem[] = [];

test.after(async () => {
  for (const house of houses) await house.demolish();
});

/** As many as there is time for; every second one without a key. */
function* wishes(name: string): Generator<Wish> {
  for (let i = 0; ; i++) {
    const user = `${name}-${i}`;
    const items = [{ product_id: PRODUCTS[i % PRODUCTS.length] ?? '', quantity: 1 }];
    yield i % 2 === 0 ? { user, items, key: user } : { user, items };
  }
}

for (const journal of ['jetstream', 'postgres'] as const) {
  test(`journal in ${journal}`, async () => {
    const house = await RealSystem.build({ JOURNAL: journal });
    if ('skipped' in house) return console.log(`SKIP a killed child: ${house.skipped}`);
    houses.push(house);
    await house.start();
    await house.stock(PRODUCTS, 1_000_000);
    const { pid } = house;
    const burst = new Burst(house.url, wishes(journal), CONNECTIONS, PACE_MS);
    for (const part of ['nats', 'postgres'] as const) {
      const before = burst.answered;
      await burst.reached(before + SOME);
      const killed = house.childPid(part);
      house.signalChild(part, 'SIGKILL');
      const since = performance.now();
      const isBack = async () =>
        house.childPid(part) !== killed &&
        (await house.ask('/readyz'))?.status === 200 &&
        burst.attempts(since).filter(({ sentAt, answer }) => sentAt > since && answer?.status === 201).length > SOME;
      assert.ok(await until(isBack, BACK_MS, 50), `${part} is not back\n${house.lastWords()}`);
      assert.match(house.output, new RegExp(`${part}: ended without being asked to \\(killed by SIGKILL\\)`));
    }
    await burst.stop();
    assert.is(house.pid, pid, 'the process itself went on');
    for (const { wish, attempts } of burst.entries) {
      for (const { failure } of attempts) assert.is(failure, undefined, `${wish.user}: its connection broke`);
    }
    await checkLedger(house, burst.entries);
    assert.is((await house.end('SIGTERM')).code, 0);
    assert.equal(house.left(), []);
  });
}

test.run();
