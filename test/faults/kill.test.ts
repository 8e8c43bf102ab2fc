// kill -9 in the middle of a burst, three times, with each journal. The node is back within five seconds, has lost
// nothing acknowledged and done nothing twice. The public events match the stored histories.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { patientMs } from '../deadlines.js';
import { Burst, type Purchase } from './rig/burst.js';
import { checkLedger, settled } from './rig/ledger-check.js';
import { RealSystem } from './rig/real-system.js';

const ORDERS = 3_000;
const CONNECTIONS = 60;
const KILLS = 3;
const BACK_MS = 5_000;
const PRODUCTS = Array.from({ length: 20 }, (_, i) => `KILL-${i}`);
/** Less than the demand: both outcomes occur. */
const STOCK = 150;

const test = suite('kill -9');
const systems: RealSystem[] = [];

test.after(async () => {
  for (const system of systems) await system.demolish();
});

/** Every second order has no key; every third one has two products, named in both orders. */
function* purchases(): Generator<Purchase> {
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
  test(`killed three times in a burst, journal in ${journal}`, async () => {
    const system = await RealSystem.build({ JOURNAL: journal });
    if ('skipped' in system) return console.log(`SKIP kill -9, ${journal}: ${system.skipped}`);
    systems.push(system);
    await system.start();
    await system.stock(PRODUCTS, STOCK);
    const burst = new Burst(system.url, purchases(), CONNECTIONS);
    for (let kill = 1; kill <= KILLS; kill++) {
      await burst.reached((ORDERS * kill) / (KILLS + 1));
      await system.end('SIGKILL');
      const backMs = await system.start();
      assert.ok(backMs < patientMs(BACK_MS), `back after ${backMs} ms`);
    }
    await burst.done;
    await settled(system);
    const counts = await checkLedger(system, burst.entries);
    assert.ok(counts.died > 0, 'the kills were to interrupt some');
    assert.ok((counts[201] ?? 0) > 0 && (counts[409] ?? 0) > 0, JSON.stringify(counts));
    assert.is((await system.end('SIGTERM')).code, 0);
    assert.equal(system.left(), []);
  });
}

test.run();
