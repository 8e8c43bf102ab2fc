// What a start refuses, and in which words: a folder in use, changed settings that were fixed by the first start,
// swapped stores, tables of a later version, a wrong environment. And /health reports a broker as the broker does.

import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openDataDir } from '../../deploy/servers/data-dir.js';
import { recall, remember } from '../../deploy/servers/kept-files.js';
import { rememberedPostgresUrl, startPostgres } from '../../deploy/servers/postgres-server.js';
import { until } from '../../deploy/servers/processes.js';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { realNats } from '../servers/real-servers.js';
import { brokerUrl, databaseUrl, monitorUrl } from './rig/addresses.js';
import { type Environment, RealSystem } from './rig/real-system.js';

const EXIT_CONFIG = 78;
const test = suite('starts');
const systems: RealSystem[] = [];
const built = await RealSystem.build();
if ('skipped' in built) console.log(`SKIP starts: ${built.skipped}`);
const system = built as RealSystem;
let order = '';

test.before(async () => {
  systems.push(system);
  await system.start();
  await system.stock(['SHELF'], 10);
  order = (await system.post('/api/orders', { user_id: 'first', product_id: 'SHELF', quantity: 1 }, 'a-key')).text;
});

test.after(async () => {
  for (const each of systems.reverse()) await each.demolish();
});

/** Starts another process beside the system; it must end by itself. */
async function refused(env: Environment): Promise<{ code: number | null; output: string }> {
  const other = await RealSystem.build(env);
  if ('skipped' in other) throw new Error(other.skipped);
  systems.push(other);
  other.open();
  const { code } = await other.over(20_000);
  assert.equal(other.left(), [], 'a refused start leaves nothing behind');
  return { code, output: other.output };
}

/** Starts this system again with changed settings; it must end by itself. */
async function refusedAgain(changes: Environment): Promise<{ code: number | null; output: string }> {
  system.output = '';
  system.open(changes);
  const { code } = await system.over(20_000);
  assert.equal(system.left(), [], 'a refused start leaves nothing behind');
  return { code, output: system.output };
}

const varz = async (url: string) => {
  const reply = await fetch(`${url}/varz`);
  return (await reply.json()) as { version: string; jetstream?: { config?: { sync_always?: boolean } } };
};

test('/health reports our own broker as the broker reports itself', async () => {
  const health = JSON.parse((await system.ask('/health'))?.text ?? '') as {
    status: string;
    journal: { kind: string; guarantee: string };
    dependencies: { nats: { version: string; sync_always: boolean } };
  };
  const monitored = await varz(await monitorUrl(system));
  assert.is(health.status, 'ok');
  assert.is(health.dependencies.nats.version, monitored.version);
  assert.is(health.dependencies.nats.sync_always, monitored.jetstream?.config?.sync_always === true);
  assert.is(health.journal.kind, 'jetstream');
  assert.match(health.journal.guarantee, /synced to disk/);
});

test('a ready node has the demo products, even if an earlier start was killed', async () => {
  for (const isKilled of [false, true]) {
    const other = await RealSystem.build({ SEED: 'demo', KAFKA_BROKERS: 'kafka.example:9092' });
    if ('skipped' in other) throw new Error(other.skipped);
    systems.push(other);
    if (isKilled) {
      other.open();
      assert.ok(await until(() => /this node runs/.test(other.output), 60_000, 1), other.lastWords());
      await other.end('SIGKILL');
    }
    other.open();
    // Reads as fast as one connection can: the time between the first write and the last product is short.
    const isReady = async () => (await other.ask('/readyz'))?.status === 200;
    const products = ['PROD-001', 'PROD-002', 'PROD-003', 'PROD-004', 'PROD-005'];
    const stock = async () =>
      Promise.all(products.map(async (id) => (await other.ask(`/api/inventory/${id}`))?.status));
    assert.ok(await until(isReady, 60_000, 1), other.lastWords());
    assert.equal(await stock(), [200, 200, 200, 200, 200]);
    const order = await other.post('/api/orders', { user_id: 'first', product_id: 'PROD-001', quantity: 1 });
    assert.is(order.status, 201, order.text);
    assert.match(other.output, /Kafka: a process with ROLES=feed feeds it/);
    await other.end('SIGTERM');
  }
});

test('a second start on the same DATA_DIR is refused in a clear sentence', async () => {
  const { code, output } = await refused({ DATA_DIR: system.dataDir });
  assert.is(code, 1);
  assert.match(output, new RegExp(`DATA_DIR ${system.dataDir} is in use by the process with pid ${system.pid}`));
  assert.is((await system.ask('/readyz'))?.status, 200);
});

test('a port in use is refused by name', async () => {
  const { code, output } = await refused({ PORT: String(system.port) });
  assert.is(code, 1);
  assert.match(output, new RegExp(`Cannot listen on 127\\.0\\.0\\.1:${system.port}.*PORT`));
});

test('every mistake in the environment is named, in one line of the log, exit 78', async () => {
  const { code, output } = await refused({
    PORT: 'many',
    JOURNAL: 'paper',
    PARTITIONS: '0',
    ORDER_TIMEOUT_S: '-1',
    PAYMENT_SUCCESS_RATE: '2',
    DATABASE_URL: 'mysql://me:s3cr3t@db/shop',
  });
  assert.is(code, EXIT_CONFIG);
  const line = JSON.parse(output) as { level: string; msg: string; mistakes: string[] };
  assert.equal([line.level, line.mistakes.length], ['error', 6]);
  for (const name of ['PORT', 'JOURNAL', 'PARTITIONS', 'ORDER_TIMEOUT_S', 'PAYMENT_SUCCESS_RATE', 'DATABASE_URL']) {
    const mistake = line.mistakes.find((each) => each.startsWith(`${name} is `)) ?? '';
    assert.match(mistake, /; it must be /, name);
    assert.ok(line.msg.includes(mistake));
  }
  assert.not.match(output, /s3cr3t/);
});

test('an empty database beside the known broker is refused as another database', async () => {
  const admin = await databaseUrl(system, 'superuser');
  const client = connectPostgres(admin, { max: 1 });
  await client.query('make an empty database', 'create database swapped', [], 20_000);
  await client.end();
  const swapped = admin.replace(/\/[^/]*$/, '/swapped');
  const { code, output } = await refused({ DATABASE_URL: swapped, NATS_URL: await brokerUrl(system) });
  assert.is(code, 1);
  assert.match(output, /the database remembers no system: DATABASE_URL points at another database than before/);
});

test('tables of a later version are refused by name and left unchanged', async () => {
  const client = connectPostgres(await databaseUrl(system, 'owner'), { max: 1 });
  const later = '9999_of_a_later_version';
  await client.query('come from later', 'insert into holdfast_migrations (name, run_on) values ($1, now())', [later]);
  try {
    const { code, output } = await refused({
      DATABASE_URL: await databaseUrl(system),
      NATS_URL: await brokerUrl(system),
    });
    assert.is(code, 1);
    assert.match(output, new RegExp(`the tables in Postgres are newer than this version of Holdfast.* ${later}`));
    assert.is((await system.ask('/readyz'))?.status, 200, 'the one that knows them goes on');
  } finally {
    await client.query('forget it', 'delete from holdfast_migrations where name = $1', [later]);
    await client.end();
  }
});

test('an empty broker beside the known database is refused, and /health reports a given broker', async () => {
  const nats = await realNats();
  if ('skipped' in nats) return console.log(`SKIP a swapped broker: ${nats.skipped}`);
  try {
    const { code, output } = await refused({ DATABASE_URL: await databaseUrl(system), NATS_URL: nats.url });
    assert.is(code, 1);
    assert.match(output, /NATS_URL points at another broker than before/);

    const other = await RealSystem.build({ NATS_URL: nats.url, NATS_MONITOR_URL: nats.monitorUrl });
    if ('skipped' in other) throw new Error(other.skipped);
    systems.push(other);
    await other.start();
    const health = (await other.ask('/health'))?.text ?? '';
    const { jetstream } = await varz(nats.monitorUrl);
    assert.match(health, new RegExp(`"sync_always":${jetstream?.config?.sync_always === true}`));
    assert.match(health, /"source":"NATS_URL/);
    // Two systems that have both started once; one of them gets the other's broker.
    await other.end('SIGTERM');
    other.output = '';
    other.open({ NATS_URL: await brokerUrl(system) });
    assert.is((await other.over()).code, 1);
    assert.match(other.output, /DATABASE_URL or NATS_URL points at another one than before/);
  } finally {
    await nats.stop();
  }
});

test('a broker without NATS_MONITOR_URL is not trusted: the journal goes to Postgres', async () => {
  const nats = await realNats();
  if ('skipped' in nats) return console.log(`SKIP an unknown broker: ${nats.skipped}`);
  try {
    const other = await RealSystem.build({ NATS_URL: nats.url });
    if ('skipped' in other) throw new Error(other.skipped);
    systems.push(other);
    await other.start();
    const health = (await other.ask('/health'))?.text ?? '';
    assert.match(health, /"sync_always":"unknown"/);
    assert.match(health, /"kind":"postgres"/);
    assert.is((await other.end('SIGTERM')).code, 0);
  } finally {
    await nats.stop();
  }
});

test('changed PARTITIONS and JOURNAL are refused by name; with the old values it starts and has its data', async () => {
  assert.is((await system.end('SIGTERM')).code, 0);
  assert.equal(system.left(), []);
  const partitions = await refusedAgain({ PARTITIONS: '8' });
  assert.is(partitions.code, 1);
  assert.match(partitions.output, /PARTITIONS is 8, but the first start settled 16/);
  const journal = await refusedAgain({ JOURNAL: 'postgres' });
  assert.is(journal.code, 1);
  assert.match(journal.output, /JOURNAL is postgres, but the first start settled jetstream/);
  await system.start();
  const again = await system.post('/api/orders', { user_id: 'first', product_id: 'SHELF', quantity: 1 }, 'a-key');
  assert.is(again.text, order);
});

test('a DATA_DIR from before the accounts starts again by itself, and has its data', async () => {
  assert.is((await system.end('SIGTERM')).code, 0);
  await forgetAccounts(system.dataDir);
  await system.start();
  const again = await system.post('/api/orders', { user_id: 'first', product_id: 'SHELF', quantity: 1 }, 'a-key');
  assert.is(again.text, order);
  assert.is((await system.post('/api/orders', { user_id: 'first', product_id: 'SHELF', quantity: 1 })).status, 201);
  const client = connectPostgres(await databaseUrl(system), { max: 1 });
  const [{ me, owner } = { me: '', owner: '' }] = await client.query<{ me: string; owner: string }>(
    'ask who is who',
    `select current_user as me, (select relowner::regrole::text from pg_class where oid = 'orders'::regclass) as owner`,
  );
  await client.end();
  assert.equal([me, owner], ['holdfast_node', 'holdfast_owner']);
  assert.is((await system.verify()).code, 0);
});

/** Leaves the folder as an older version would: one superuser has made all tables, and each server has one password. */
async function forgetAccounts(path: string): Promise<void> {
  const dataDir = await openDataDir(path);
  const postgres = await startPostgres(dataDir.path, () => {});
  const admin = connectPostgres((await rememberedPostgresUrl(path, 'superuser')) ?? '', { max: 1 });
  try {
    await admin.query('drop what another test made', 'drop database if exists swapped', [], 20_000);
    await admin.query(
      'forget the roles',
      `reassign owned by holdfast_owner to holdfast;
       drop owned by holdfast_owner, holdfast_node, holdfast_reader;
       drop role holdfast_owner, holdfast_node, holdfast_reader;
       grant create on schema public to public`,
    );
  } finally {
    await admin.end();
    await postgres.stop();
  }
  for (const name of ['postgres.json', 'nats.json']) {
    const { passwords, ...older } = (await recall<{ passwords?: object }>(join(path, name))) ?? {};
    assert.ok(passwords);
    await remember(join(path, name), older);
  }
  await dataDir.release();
}

if (!('skipped' in built)) test.run();
