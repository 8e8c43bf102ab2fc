// As OPERATING describes it for several machines: three brokers and their clients speak TLS, each role has its own account on the
// broker, and the tables belong to another role than the one that works with them. Certificates are made when the test runs.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { NatsAccount } from '../../deploy/servers/nats-server.js';
import { until } from '../deadlines.js';
import { authorityIn } from '../servers/certificates.js';
import { RealCluster } from '../servers/real-cluster.js';
import { realPostgres } from '../servers/real-servers.js';
import { RealSystem } from './rig/real-system.js';

const READY_MS = 60_000;
const FED_MS = 30_000;
const test = suite('TLS and accounts');
const systems: RealSystem[] = [];
const folder = await mkdtemp(join(tmpdir(), 'holdfast-secured-'));
const certify = await authorityIn(folder);
const certified = 'skipped' in certify ? certify : await certify('IP:127.0.0.1,DNS:localhost');
const brokers = 'skipped' in certified ? certified : await RealCluster.start('2.15', certified);
const postgres = 'skipped' in brokers ? brokers : await realPostgres();

async function build(
  roles: string,
  account: NatsAccount,
  env: Readonly<Record<string, string>> = {},
): Promise<RealSystem> {
  if ('skipped' in postgres || 'skipped' in brokers || 'skipped' in certified) throw new Error('there are no servers');
  const system = await RealSystem.build({
    ...{ NODE_NAME: roles, ROLES: roles, JOURNAL: 'jetstream' },
    ...{ DATABASE_URL: postgres.nodeUrl, NATS_URL: brokers.urlAs(account), NODE_EXTRA_CA_CERTS: certified.authority },
    ...(account === 'node' && { NATS_TRIM_URL: brokers.urlAs('trim') }),
    ...{ NATS_MONITOR_URL: brokers.monitorUrl, NATS_REPLICAS: '3', ...env },
  });
  if ('skipped' in system) throw new Error(system.skipped);
  systems.push(system);
  return system;
}

/** As a broker tells on its monitoring port. */
async function messagesIn(stream: string): Promise<number> {
  if ('skipped' in brokers) return Number.NaN;
  const reply = await fetch(`${brokers.monitorUrl.split(',')[0]}/jsz?streams=true`);
  const { account_details: accounts = [] } = (await reply.json()) as {
    account_details?: { stream_detail: { name: string; state: { messages: number } }[] }[];
  };
  return accounts.flatMap(({ stream_detail: all }) => all).find(({ name }) => name === stream)?.state.messages ?? 0;
}

test('each role works with its own account, and an order comes through all of them', async () => {
  if ('skipped' in postgres) return;
  const actors = await build('actors', 'node', { MIGRATIONS_DATABASE_URL: postgres.ownerUrl });
  actors.open();
  const isReady = async () => (await actors.ask('/readyz', actors.inventoryPort))?.status === 200;
  const hasEnded = actors.over(READY_MS).then(
    () => true,
    () => true,
  );
  const begun = await Promise.race([hasEnded.then(() => false), until(isReady, READY_MS)]);
  assert.ok(begun, actors.lastWords());
  const [edge, feed] = [await build('edge', 'edge'), await build('feed', 'feed')];
  feed.open();
  await edge.start();
  await edge.stock(['SEALED'], 5);
  const placed = await edge.post('/api/orders', { user_id: 'u', product_id: 'SEALED', quantity: 2 }, 'a-key');
  assert.is(placed.status, 201, placed.text);
  assert.ok(await until(async () => (await messagesIn('FEED')) > 3, FED_MS, 100), feed.lastWords());
  const verdict = await actors.verify();
  assert.is(verdict.code, 0, verdict.output);
  for (const { output, env } of systems) assert.not.match(output, /permission/i, env.NODE_NAME);
});

test('a broker whose certificate nobody vouches for is not used, and neither is an account of less rights', async () => {
  if ('skipped' in postgres) return;
  const untrusting = await build('actors', 'node', { NODE_EXTRA_CA_CERTS: '' });
  untrusting.open();
  assert.is((await untrusting.over()).code, 1);
  assert.match(untrusting.output, /NATS cannot be used: .*its TLS certificate is not accepted/);
  const reader = await build('actors', 'reader');
  reader.open();
  assert.is((await reader.over()).code, 1);
  assert.match(reader.output, /NATS does not let holdfast_reader publish to .*deploy\/security\/nats-accounts\.conf/);
});

test.after(async () => {
  const awake = setInterval(() => {}, 1_000); // A child server does not keep this process alive.
  for (const system of systems.reverse()) await system.demolish();
  if (!('skipped' in postgres)) await postgres.stop();
  if (!('skipped' in brokers)) await brokers.stop();
  await rm(folder, { recursive: true, force: true });
  clearInterval(awake);
});

if ('skipped' in postgres) console.log(`SKIP TLS and accounts: ${postgres.skipped}`);
test.run();
