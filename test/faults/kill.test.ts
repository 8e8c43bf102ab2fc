// kill -9 in the middle of a burst, three times over, with each journal: back in five seconds, nothing that
// was acknowledged is lost, nothing is done twice, and the public events are those of the histories.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { patientMs } from '../deadlines.js';
import { Burst, type Wish } from './rig/burst.js';
import { checkLedger, settled } from './rig/ledger-check.js';
import { RealSystem } from './rig/real-system.js';

const ORDERS = 3_000;
const CONNECTIONS = 60;
const KILLS = 3;
const BACK_MS = 5_000;
const PRODUCTS = Array.from({ length: 20 }, (_, i) => `KILL-${i}`);
/** All of it is asked for about twice: both outcomes are to be there. */
const STOCK = 150;

const test = suite('kill -9');
const houses: RealSystem[] = [];

test.after(async () => {
  for (const house of houses) await house.demolish();
});

/** Every second one without a key, every third one over two products, in both directions. */
function* wishes(): Generator<Wish> {
  for (let i = 0; i < ORDERS; i++) {
    const user = `buyer-${i}`;
    const first = PRODUCTS[i % PRODUCTS.length] ?? '';
    const second = PRODUCTS[(i * 7 + 3) % PRODUCTS.length] ?? '';
    const named = i % 3 === 0 && first !== second ? [first, second] : [first];
    const items = named.map((product_id) => ({ product_id, quantity: 1 }));
    yield i % 2 === 0 ? { user, items, key: `key-${i}` } : { user, items };
  }
}

for (const journal of ['jetstream', 'postgres'] as const) {
  test(`three times in a burst, journal in ${journal}`, async () => {
    const house = await RealSystem.build({ JOURNAL: journal });
    if ('skipped' in house) return console.log(`SKIP kill -9, ${journal}: ${house.skipped}`);
    houses.push(house);
    await house.start();
    await house.stock(PRODUCTS, STOCK);
    const burst = new Burst(house.url, wishes(), CONNECTIONS);
    for (let kill = 1; kill <= KILLS; kill++) {
      await burst.reached((ORDERS * kill) / (KILLS + 1));
      await house.end('SIGKILL');
      const backMs = await house.start();
      assert.ok(backMs < patientMs(BACK_MS), `back after ${backMs} ms`);
    }
    await burst.done;
    await settled(house);
    const counts = await checkLedger(house, burst.entries);
    assert.ok(counts.died > 0, 'the kills were to interrupt some');
    assert.ok((counts[201] ?? 0) > 0 && (counts[409] ?? 0) > 0, JSON.stringify(counts));
    assert.is((await house.end('SIGTERM')).code, 0);
    assert.equal(house.left(), []);
  });
}

test.run();
