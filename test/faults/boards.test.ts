// Every query of Grafana's boards, and every metric of the rules and of OPERATING.md, on a loaded system with all its parts: Redis,
// feeds, a webhook, backups. A real Prometheus scrapes it and is asked.

import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort } from '../../deploy/servers/free-ports.js';
import { until } from '../deadlines.js';
import { prometheusBinaries, RealPrometheus } from '../servers/real-prometheus.js';
import { realRedis } from '../servers/real-redis.js';
import { RealSystem } from './rig/real-system.js';

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly datasource: { readonly uid: string };
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const FOLDER = 'deploy/observe/grafana';
const RULES = 'deploy/observe/rules.yml';
const WITHIN_MS = 90_000;
const MOST_ORDERS = 20_000;
const BETWEEN_MS = 20;
const PRODUCTS = ['p0', 'p1', 'p2', 'p3'];

const boards = readdirSync(FOLDER).map((name) => ({ name, ...JSON.parse(readFileSync(`${FOLDER}/${name}`, 'utf8')) }));
const panels: readonly Panel[] = boards.flatMap(({ panels }) => panels);
const rules = readFileSync(RULES, 'utf8');

const test = suite('boards');
const binaries = await prometheusBinaries();
const redis = await realRedis();
const receiver = createServer((request, reply) => {
  request.resume();
  reply.end('ok');
}).listen(0, '127.0.0.1');
const receiverUrl = () => `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
const built = await RealSystem.build({
  ...{ ROLES: 'all,backup', BACKUP_PORT: String(await freePort()), BACKUP_EVERY_S: '10', WEBHOOK_ALLOW: '127.0.0.1' },
  ...('skipped' in redis ? {} : { REDIS_URL: redis.url }),
});
if ('skipped' in built) console.log(`SKIP boards: ${built.skipped}`);
const system = built as RealSystem;
let isLoaded = true;
let load: Promise<void> | undefined;

test.before(async () => {
  await system.start();
  await system.stock(PRODUCTS, 100_000);
  await system.post('/api/webhooks', { url: receiverUrl(), types: ['order.confirmed.v1'] });
  load = orders();
});

test.after(async () => {
  isLoaded = false;
  await load;
  await system.demolish();
  receiver.close();
  if (!('skipped' in redis)) await redis.stop();
});

/** Orders, one after the other, some of them too large; and reads of the first one, which has left memory. */
async function orders(): Promise<void> {
  let first: string | undefined;
  for (let i = 0; isLoaded && i < MOST_ORDERS; i++) {
    const [product_id, quantity] = [PRODUCTS[i % PRODUCTS.length], i % 7 === 6 ? 1_000_000 : 1];
    const placed = await system.post('/api/orders', { user_id: 'u', product_id, quantity }).catch(() => undefined);
    first ??= /"order_id":"([^"]+)"/.exec(placed?.text ?? '')?.[1];
    await system.ask(`/api/orders/${first}`);
    await system.ask('/api/orders?user_id=u&page_size=1');
    await pause(BETWEEN_MS);
  }
}

test('there are four boards; each panel has a title, and its own place in the board', () => {
  assert.equal(boards.map(({ uid }) => uid).sort(), [
    'holdfast-actors',
    'holdfast-cluster',
    'holdfast-orders',
    'holdfast-stores',
  ]);
  for (const { panels, name } of boards) {
    const places = new Set((panels as { gridPos: object }[]).map(({ gridPos }) => JSON.stringify(gridPos)));
    assert.is(places.size, panels.length, name);
    assert.is(new Set((panels as Panel[]).map(({ id }) => id)).size, panels.length, name);
  }
  for (const { title, datasource, targets } of panels) {
    assert.ok(title.length > 0 && datasource.uid === 'prometheus');
    for (const { legendFormat } of targets) assert.ok(legendFormat.length > 0, title);
  }
});

test('every query of every board has numbers', async () => {
  if ('missing' in binaries) return console.log(`SKIP the queries of boards: ${binaries.missing}`);
  const prometheus = await RealPrometheus.start(binaries, { targets: [`127.0.0.1:${system.port}`], rules });
  try {
    const queries = panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })));
    let missing = queries;
    const areAllThere = async () => {
      const left: typeof missing = [];
      for (const query of missing) {
        const samples = await prometheus.query(query.expr.replaceAll('$__rate_interval', '20s'));
        if (!samples.some(({ value }) => Number.isFinite(value))) left.push(query);
      }
      missing = left;
      return missing.length === 0;
    };
    await until(areAllThere, WITHIN_MS, 1_000);
    const noPgDump = /Backups need pg_dump/.exec(system.output)?.[0];
    if (noPgDump !== undefined) {
      console.log(`SKIP the queries of backups: ${noPgDump}`);
      missing = missing.filter(({ expr }) => !/holdfast_(backup|verify)_/.test(expr));
    }
    assert.equal(missing, []);
    assert.ok(queries.length > 50);
  } finally {
    await prometheus.stop();
  }
});

test('OPERATING.md has every metric, and the rules have no other', async () => {
  const text = (await system.ask('/metrics'))?.text ?? '';
  const metrics = new Set([...text.matchAll(/^# TYPE (holdfast_\S+)/gm)].map(([, name = '']) => name));
  assert.ok(metrics.size > 60);
  const [, table = ''] = /\n\| about \| metrics.*?\n((?:\|.*\n)+)/.exec(readFileSync('OPERATING.md', 'utf8')) ?? [];
  const told = [...table.matchAll(/`([a-z_]+\*?)`/g)].map(([, name = '']) => name);
  const isTold = (name: string) =>
    told.some((one) =>
      one.endsWith('*') ? name.startsWith(`holdfast_${one.slice(0, -1)}`) : name === `holdfast_${one}`,
    );
  assert.equal(
    [...metrics].filter((name) => !isTold(name)),
    [],
  );
  if ('skipped' in redis) return console.log(`SKIP the metrics of Redis in the rules: ${redis.skipped}`);
  const used = new Set(
    [...rules.matchAll(/\bholdfast_[a-z_]+/g)].map(([name]) => name.replace(/_(bucket|count|sum)$/, '')),
  );
  // Told only where there is a replica: faults/read-replica looks at it.
  used.delete('holdfast_read_replica_used');
  assert.equal(
    [...used].filter((name) => !metrics.has(name)),
    [],
  );
});

if (!('skipped' in built)) test.run();
