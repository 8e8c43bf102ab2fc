// A node of several that stops: what it is asked until its connections have ended, the owners answer.

import { Agent } from 'node:http';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { patientMs, until } from '../deadlines.js';
import { burst, orderIdIn, send } from './rig/burst.js';
import { Cluster } from './rig/cluster.js';
import type { RealSystem } from './rig/real-system.js';

const SHARED_MS = 30_000;
const END_MS = 10_000;
const CLIENTS = 8;
const test = suite('a node that leaves');
const built = await Cluster.build();

/** Reads and places at a node until its connections end. @returns the statuses of the answers, by method. */
async function client(system: RealSystem, orders: readonly string[], seen: Map<string, number>): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const note = ({ status }: { readonly status: number }, method: string) => {
    const what = `${method} ${status}`;
    seen.set(what, (seen.get(what) ?? 0) + 1);
  };
  try {
    for (let i = 0; ; i++) {
      const order = orders[i % orders.length];
      note(await send(agent, `${system.url}/api/orders/${order}`, 'GET'), 'GET');
      const body = { user_id: 'leaver', product_id: 'LEFT', quantity: 1 };
      note(await send(agent, `${system.url}/api/orders`, 'POST', body), 'POST');
    }
  } catch {
    // The node has ended the connection, and takes no new one.
  } finally {
    agent.destroy();
  }
}

if ('skipped' in built) console.log(`SKIP a node that leaves: ${built.skipped}`);
else {
  test.after(() => built.demolish());
  test('no read fails, and no order is refused, while a node of two stops under load', () => leave(built));
  test.run();
}

async function leave(cluster: Cluster): Promise<void> {
  await cluster.start('one', 'two');
  const [one, two] = cluster.nodes as [RealSystem, RealSystem];
  await one.stock(['LEFT', 'KEPT'], 1_000_000);
  const purchases = Array.from({ length: 40 }, (_, i) => ({
    user: `keeper-${i}`,
    key: `keeper-${i}`,
    items: [{ product_id: 'KEPT', quantity: 1 }],
  }));
  const entries = await burst(one.url, purchases, 10);
  const orders = entries.map(({ attempts }) => orderIdIn(attempts.at(-1)?.answer?.text ?? '') ?? '');

  const seen = new Map<string, number>();
  const clients = Array.from({ length: CLIENTS }, () => client(two, orders, seen));
  assert.ok(await until(() => (seen.get('POST 201') ?? 0) > 50, SHARED_MS));
  const { code, tookMs } = await two.end('SIGTERM');
  await Promise.all(clients);
  console.log(`  while it stopped: ${JSON.stringify(Object.fromEntries(seen))}`);
  assert.is(code, 0, two.lastWords());
  assert.ok(tookMs < patientMs(END_MS), `it took ${tookMs} ms`);
  assert.equal([...seen.keys()].sort(), ['GET 200', 'POST 201']);
  await until(async () => (await one.ask('/readyz'))?.status === 200, SHARED_MS);
  for (const order of orders) assert.is((await one.ask(`/api/orders/${order}`))?.status, 200);
  assert.is((await one.verify()).code, 0);
}
