// JOURNAL is trimmed by an account of its own, on the broker that a node starts as on given ones. Without that account a node starts
// and takes orders all the same, and says which setting is missing.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connectNats } from '../../bus/nats/nats.js';
import { until } from '../deadlines.js';
import { brokerUrl } from './rig/addresses.js';
import { Cluster } from './rig/cluster.js';
import { RealSystem } from './rig/real-system.js';

/** Every start tries the log, and trims what it tried. */
const TRIAL = 'journal.self-test';
const SAID_MS = 20_000;
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const test = suite('trims');
const systems: RealSystem[] = [];
const cluster = await Cluster.build({ SEED: 'none' });
test.after(async () => {
  const awake = setInterval(() => {}, 1_000); // A child server does not keep this process alive.
  for (const system of systems) await system.demolish();
  if (!('skipped' in cluster)) await cluster.demolish();
  clearInterval(awake);
});

async function trialsIn(url: string): Promise<number> {
  const nats = await connectNats(url, { name: 'trims test', log: quiet });
  try {
    type Info = { state: { subjects?: Record<string, number> } };
    const { state } = await nats.api<Info>('STREAM.INFO.JOURNAL', { subjects_filter: TRIAL });
    return state.subjects?.[TRIAL] ?? 0;
  } finally {
    await nats.close();
  }
}

test('on our own broker', async () => {
  const system = await RealSystem.build();
  if ('skipped' in system) return console.log(`SKIP our own broker: ${system.skipped}`);
  systems.push(system);
  await system.start();
  assert.is(await trialsIn(await brokerUrl(system)), 1, 'a trial is at least two records, and one is left');
  assert.not.match(system.output, /trim/i);
});

test('on a given broker, by NATS_TRIM_URL', async () => {
  if ('skipped' in cluster) return console.log(`SKIP a given broker: ${cluster.skipped}`);
  const node = await cluster.add('given');
  await cluster.begin(node);
  assert.is(await trialsIn(cluster.nats.url), 1);
  assert.not.match(node.output, /trim/i);
});

test('without it, and with one that the broker refuses, a node serves and says what is missing', async () => {
  if ('skipped' in cluster) return;
  const refused = (await cluster.nats.as('trim')).replace(/:[^:@]*@/, ':another@');
  for (const [name, url, says] of [
    [
      'untrimmed',
      '',
      /JOURNAL is not trimmed, and grows: set NATS_TRIM_URL to the brokers with the user holdfast_trim/,
    ],
    ['refused', refused, /NATS cannot be used: .*refuses this user.*Correct NATS_TRIM_URL=nats:\/\/\*\*\*@/],
  ] as const) {
    const node = await cluster.add(name, { NATS_TRIM_URL: url });
    await cluster.begin(node);
    assert.ok(await until(() => says.test(node.output), SAID_MS), node.lastWords());
    await node.stock([`OF-${name}`], 5);
    const placed = await node.post('/api/orders', { user_id: 'u', product_id: `OF-${name}`, quantity: 2 }, name);
    assert.is(placed.status, 201, placed.text);
    assert.not.match(node.output, /another@/);
  }
});

test.run();
