// A user is forgotten while the node is killed with -9 again and again: the command goes on where it was, nothing of the person
// is left in Postgres, the histories are whole, and keys are remembered.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { until } from '../deadlines.js';
import { databaseUrl } from './rig/addresses.js';
import { RealSystem } from './rig/real-system.js';

const test = suite('forget-user');
const SENTINEL = 'adasentinel';
const ORDERS = 400;
const AT_ONCE = 8;
const KILLS = 3;
/** More than so many orders are erased before a kill. */
const SOME = 10;
/** The most orders that one request erases: three of them leave some of all. */
const PART = 100;
const WITHIN_MS = 60_000;

const orderOf = (no: number) => ({
  ...{ user_id: 'ada', items: [{ product_id: 'p0', quantity: no % 2 === 0 ? 1 : 1_000_000 }] },
  ...{ user_email: `${SENTINEL}${no}@example.org`, notes: `for ${SENTINEL}`, shipping_address: { name: SENTINEL } },
});

const LEFT = `select (select count(*) from orders o where strpos(o::text, $1) > 0)::int as orders,
  (select count(*) from order_turns t where strpos(t::text, $1) > 0)::int as turns,
  (select count(*) from order_search s where strpos(s::text, $1) > 0)::int as words`;

/** How many rows have a word of the person. A node that starts anew may have moved Postgres. */
async function leftIn(system: RealSystem): Promise<{ orders: number; turns: number; words: number }> {
  const client = connectPostgres(await databaseUrl(system), { max: 1 });
  try {
    const [row] = await client.query<Awaited<ReturnType<typeof leftIn>>>('look', LEFT, [SENTINEL]);
    return row ?? { orders: -1, turns: -1, words: -1 };
  } finally {
    await client.end();
  }
}

test(`${ORDERS} orders; the node is killed ${KILLS} times`, async () => {
  const system = await RealSystem.build({ JOURNAL: 'jetstream' });
  if ('skipped' in system) return console.log(`SKIP ${system.skipped}`);
  try {
    await system.start();
    await system.stock(['p0'], 100_000);
    const numbers = Array.from({ length: ORDERS }, (_, i) => i);
    const answers = new Map<number, number>();
    const client = async () => {
      for (let no = numbers.shift(); no !== undefined; no = numbers.shift()) {
        const key = `k-${no}`;
        const isAnswered = async () => {
          const { status } = await system.post('/api/orders', orderOf(no as number), key);
          answers.set(no as number, status);
          return status === 201 || status === 409;
        };
        assert.ok(await until(isAnswered, WITHIN_MS), key);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, client));

    assert.ok(await until(async () => (await leftIn(system)).words === ORDERS, WITHIN_MS), 'all are indexed');
    const command = () => system.command('forget-user', 'ada', '--unshipped');
    let run: ReturnType<typeof command> | undefined;
    for (let kills = 0; kills < KILLS; kills++) {
      const before = (await leftIn(system)).orders;
      assert.ok(before > PART, `${before} orders are left before a kill: a part cannot erase all of them`);
      const part = system.post('/api/users/ada/forget', { unshipped: true }, `part-${kills}`).catch(() => undefined);
      const isUnderWay = async () => (await leftIn(system)).orders < before - SOME;
      assert.ok(await until(isUnderWay, WITHIN_MS, 5), `some of ${before} are erased`);
      await system.end('SIGKILL');
      await part;
      if (kills === KILLS - 1) run = command(); // Its node is away when it begins.
      await system.start();
      assert.ok(run !== undefined || (await leftIn(system)).orders > 0, 'the kill was in the midst');
    }
    for (let done = false; !done; run = undefined) {
      const { code, output } = await (run ?? command());
      assert.ok(code === 0 || code === 3, output);
      done = code === 0 && (await leftIn(system)).orders === 0;
      if (done) assert.match(output, /^histories +erased with the orders$/m);
    }
    assert.equal(await leftIn(system), { orders: 0, turns: 0, words: 0 });
    const verdict = await system.verify();
    assert.is(verdict.code, 0, verdict.output);
    for (const no of [0, 1, ORDERS - 2, ORDERS - 1]) {
      let again = { status: 0, text: '' };
      await until(async () => {
        again = await system.post('/api/orders', orderOf(no), `k-${no}`);
        return again.status !== 503;
      }, WITHIN_MS);
      assert.is(again.status, answers.get(no), again.text);
      assert.not.ok(again.text.includes(SENTINEL), 'answered without what was erased');
    }
  } finally {
    await system.demolish();
  }
});

test.run();
