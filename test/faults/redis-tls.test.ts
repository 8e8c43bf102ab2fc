// Redis over TLS (rediss://) with a private CA. Holdfast uses it if NODE_EXTRA_CA_CERTS names the CA and the
// certificate names the host. Otherwise it is a Redis that does not answer; nothing is sent to it.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort } from '../../deploy/servers/free-ports.js';
import { until } from '../deadlines.js';
import { authorityIn } from '../servers/certificates.js';
import { type RealRedis, realRedis } from '../servers/real-redis.js';
import type { Skipped } from '../servers/real-servers.js';
import { RealSystem } from './rig/real-system.js';

const WAIT_MS = 15_000;

const test = suite('redis over TLS');
const folder = await mkdtemp(join(tmpdir(), 'holdfast-tls-'));
const authority = join(folder, 'ca.crt');
const certify = await authorityIn(folder);
const server = await secured('IP:127.0.0.1');
const built =
  'skipped' in server ? server : await RealSystem.build({ REDIS_URL: server.url, NODE_EXTRA_CA_CERTS: authority });

if ('skipped' in server || 'skipped' in built) {
  console.log(`SKIP redis over TLS: ${'skipped' in server ? server.skipped : 'skipped' in built ? built.skipped : ''}`);
} else {
  const system = built;
  test.after(async () => {
    await system.demolish();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const redisIs = async () => {
    const { text = '{}' } = (await system.ask('/health')) ?? {};
    return (JSON.parse(text) as { dependencies: { redis: { status: string } } }).dependencies.redis.status;
  };
  const keysIn = async (redis: RealRedis) => {
    const reply = await redis.command('DBSIZE');
    return Number(/:(\d+)/.exec(reply)?.[1] ?? Number.NaN);
  };
  const ledger = async () => {
    const reply = await system.ask('/api/inventory/SEALED/ledger');
    assert.is(reply?.status, 200, reply?.text);
    return (JSON.parse(reply?.text ?? '{}') as { data: readonly object[] }).data;
  };
  const hits = 'holdfast_cache_reads_total\\{read="product",outcome="hit"\\}';

  test('with its CA, Redis is used over an encrypted connection', async () => {
    await system.start();
    assert.ok(await until(async () => (await redisIs()) === 'up', WAIT_MS, 50), system.lastWords());
    await system.stock(['SEALED'], 5);
    const isHit = async () => {
      assert.ok((await ledger()).length <= 1);
      return (await system.metric(hits)) > 0;
    };
    assert.ok(await until(isHit, WAIT_MS, 50), 'nothing is read from it');
    assert.ok((await keysIn(server)) > 0);
    await system.end('SIGTERM');
  });

  test('without its CA, nothing is sent to Redis, and everything else works', async () => {
    await system.start({ NODE_EXTRA_CA_CERTS: '' });
    const isTold = async () =>
      (await ledger()).length === 1 && /Redis \(REDIS_URL\) does not answer/.test(system.output);
    assert.ok(await until(isTold, WAIT_MS, 50), system.lastWords());
    assert.is(await redisIs(), 'down');
    assert.match(system.output, /"cause":"[^"]*certificate/);
    await system.end('SIGTERM');
  });

  test("another host's certificate is refused", async () => {
    const other = await secured('DNS:elsewhere.example');
    if ('skipped' in other) throw new Error(other.skipped);
    try {
      await system.start({ REDIS_URL: other.url });
      const isTold = async () => (await ledger()).length === 1 && /altnames|elsewhere/.test(system.output);
      assert.ok(await until(isTold, WAIT_MS, 50), system.lastWords());
      assert.is(await redisIs(), 'down');
      assert.is(await keysIn(other), 0);
      await system.end('SIGTERM');
    } finally {
      await other.stop();
    }
  });
}

test.run();

// ---------------------------------------------------------------- machinery

/** A Redis with a certificate for this name alone; its plain port serves this test. */
async function secured(name: string): Promise<RealRedis | Skipped> {
  if ('skipped' in certify) return certify;
  const made = await certify(name);
  if ('skipped' in made) return made;
  const port = await freePort();
  const tls = ['--tls-port', String(port), '--tls-cert-file', made.certificate, '--tls-key-file', made.key];
  try {
    const redis = await realRedis([...tls, '--tls-ca-cert-file', made.authority, '--tls-auth-clients', 'no']);
    return 'skipped' in redis ? redis : { ...redis, url: `rediss://127.0.0.1:${port}` };
  } catch (error) {
    if (!/Bad directive/.test(String(error))) throw error;
    return { skipped: 'this redis-server was built without TLS' };
  }
}
