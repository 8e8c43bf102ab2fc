// deploy/pi, checked without a board: the product, the broker, Postgres, systemd and nft accept its files, nothing runs as root or
// without a ceiling, and what shares a board fits into it.

import { copyFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readConfig, VARIABLES } from '../../../deploy/config/config.js';
import { findPostgres } from '../../../deploy/servers/postgres-binary.js';
import { run } from '../../../deploy/servers/processes.js';
import { unprivilegedUser } from '../../../deploy/servers/server-user.js';
import { patientMs } from '../../deadlines.js';
import { natsBinary } from '../../servers/real-servers.js';
import { bytesOf, environmentOf, lastOf, unitOf } from '../../servers/unit-file.js';

const test = suite('deploy/pi');
const FOLDER = 'deploy/pi';
const MIB = 1_048_576;
/** What a board with 4 GB has, less what its system takes. */
const BOARD_MIB = 3_400;
const OURS = ['holdfast', 'holdfast-feed', 'holdfast-backup'];
/** The stop of main.ts and its last resort. */
const STOP_S = 15;
/** systemd's own judgement, from 0 to 10; below 2 few services are. */
const EXPOSURE = 2;

const read = (name: string): string => readFileSync(join(FOLDER, name), 'utf8');
const files = readdirSync(FOLDER);
const units = files.filter((name) => name.endsWith('.service'));
const unit = (name: string) => unitOf(read(`${name}.service`));
const mib = (name: string, key: string): number => bytesOf(lastOf(unit(name), key)) / MIB;
const filled = (name: string) => environmentOf(read(name).replaceAll('CHANGE_ME', 'k3Qm8vXr2LpT7sYw9ZbN4dHf6GjC1aEu'));
const does = (command: string, args: readonly string[]) => run(command, args, { deadlineMs: patientMs(20_000) });

test('every unit restarts, has ceilings and deadlines, and is hardened', () => {
  assert.is(units.length, 6);
  for (const name of units) {
    const found = unitOf(read(name));
    const is = (key: string, value: string) => assert.is(lastOf(found, key), value, `${name}: ${key}`);
    is('Restart', 'always');
    is('NoNewPrivileges', 'yes');
    is('CapabilityBoundingSet', '');
    is('ProtectSystem', 'strict');
    is('ProtectHome', 'yes');
    is('PrivateTmp', 'yes');
    is('PrivateDevices', 'yes');
    is('SystemCallArchitectures', 'native');
    assert.ok(found.has('DynamicUser') || lastOf(found, 'User') !== 'root', `${name} runs as root`);
    assert.ok(bytesOf(lastOf(found, 'MemoryHigh')) < bytesOf(lastOf(found, 'MemoryMax')), name);
    assert.ok(Number(lastOf(found, 'TimeoutStopSec')) > 0 && Number(lastOf(found, 'TasksMax')) > 0, name);
    for (const path of found.get('EnvironmentFile') ?? [])
      assert.ok(files.includes(path.replace(/^-/, '').split('/').at(-1) ?? ''), path);
  }
});

test('a stop has its time', () => {
  for (const name of OURS) {
    const { STOP_DELAY_MS = '0' } = filled(`${name}.env`);
    assert.ok(Number(lastOf(unit(name), 'TimeoutStopSec')) >= Number(STOP_DELAY_MS) / 1_000 + STOP_S, name);
  }
});

test('the memory that a process manages itself is below its ceiling, and all of a board fits into it', () => {
  for (const name of OURS) {
    const [, heap, young] =
      /--max-old-space-size=(\d+) --max-semi-space-size=(\d+)/.exec(lastOf(unit(name), 'ExecStart')) ?? [];
    assert.ok(Number(heap) + 3 * Number(young) < mib(name, 'MemoryHigh'), name);
  }
  const goLimit = /^(\d+)MiB$/.exec(environmentOf(read('nats-server.env')).GOMEMLIMIT ?? '')?.[1];
  assert.ok(Number(goLimit) < mib('nats-server', 'MemoryHigh'));
  assert.ok(
    Number(/^shared_buffers = '(\d+)MB'$/m.exec(read('postgres.conf'))?.[1]) <
      mib('holdfast-postgres', 'MemoryHigh') / 2,
  );
  assert.ok(Number(/^maxmemory (\d+)mb$/m.exec(read('redis.conf'))?.[1]) < mib('holdfast-redis', 'MemoryHigh'));
  const board = (...names: string[]) => names.reduce((sum, name) => sum + mib(name, 'MemoryMax'), 0);
  assert.ok(board('nats-server', 'holdfast', 'holdfast-backup') < BOARD_MIB);
  assert.ok(board('holdfast-postgres', 'holdfast-feed', 'holdfast-redis') < BOARD_MIB);
});

test('the product accepts each environment, and none with the passwords as they come', () => {
  for (const name of OURS) {
    const env = filled(`${name}.env`);
    for (const key of Object.keys(env)) assert.ok(VARIABLES.includes(key), `${name}.env: ${key}`);
    const config = readConfig(env);
    assert.is(config.environment, 'production');
    assert.is(config.fetchServers, 'never');
    assert.is(config.natsReplicas, 3);
    assert.throws(() => readConfig(environmentOf(read(`${name}.env`))), /ADMIN_KEY/);
  }
  const [node, feed, backup] = OURS.map((name) => filled(`${name}.env`));
  for (const key of [
    'DATABASE_URL',
    'NATS_MONITOR_URL',
    'NATS_REPLICAS',
    'JOURNAL',
    'FEED',
    'EVENTS_MIB',
    'EVENTS_AGE_H',
    'AUTH',
  ]) {
    assert.is(node?.[key], feed?.[key], key);
    if (key !== 'DATABASE_URL') assert.is(node?.[key], backup?.[key], key);
  }
});

test('three nodes, the feeds and the backup have their connections', () => {
  const pool = (name: string) => Number(filled(`${name}.env`).DATABASE_POOL) + 13;
  const most = Number(/^max_connections = (\d+)$/m.exec(read('postgres.conf'))?.[1]);
  const ofADump = 7;
  assert.ok(3 * pool('holdfast') + pool('holdfast-feed') + pool('holdfast-backup') + ofADump < most);
});

test('the firewall names the port of every server', () => {
  const listens = [
    ...[...read('nats-server.conf').matchAll(/:(\d+)"$/gm)].map(([, port]) => port),
    ...[...read('postgres.conf').matchAll(/^port = (\d+)$/gm)].map(([, port]) => port),
    ...[...read('redis.conf').matchAll(/^port (\d+)$/gm)].map(([, port]) => port),
  ];
  const [, dropped = ''] = /tcp dport \{ ([\d, ]+) \} drop/.exec(read('nftables.conf')) ?? [];
  assert.equal(new Set(dropped.split(', ')), new Set(listens));
});

test('the loop of the README draws every password, and whoever shares one has it', async () => {
  const [loop = ''] = /^for name in [\s\S]*?^done .*$/m.exec(read('README.md')) ?? [];
  const copy = mkdtempSync(join(tmpdir(), 'holdfast-pi-'));
  try {
    cpSync(FOLDER, copy, { recursive: true });
    const drawn = await run('sh', ['-c', loop], { deadlineMs: patientMs(20_000), cwd: copy });
    assert.is(drawn.code, 0, drawn.output);
    const written = (name: string) => readFileSync(join(copy, name), 'utf8');
    const env = (name: string) => environmentOf(written(`${name}.env`));
    for (const name of readdirSync(copy).filter((each) => /\.(env|conf)$/.test(each)))
      assert.not.match(written(name), /CHANGE_ME/, name);
    const [node, feed, backup, owner] = [...OURS, 'holdfast-owner'].map(env);
    const [broker, database] = ['nats-server', 'postgres-passwords'].map(env);
    const within = (urls = '') => urls.split(',').map((url) => new URL(url).password);
    for (const its of within(node?.NATS_URL)) assert.is(its, broker?.HOLDFAST_PASSWORD);
    for (const its of within(node?.NATS_TRIM_URL)) assert.is(its, broker?.HOLDFAST_TRIM_PASSWORD);
    for (const its of within(feed?.NATS_URL)) assert.is(its, broker?.HOLDFAST_FEED_PASSWORD);
    for (const its of within(backup?.NATS_URL)) assert.is(its, broker?.HOLDFAST_BACKUP_PASSWORD);
    for (const its of within(owner?.NATS_URL)) assert.is(its, broker?.HOLDFAST_PASSWORD);
    assert.equal(within(backup?.DATABASE_URL), [database?.POSTGRES_BACKUP_PASSWORD]);
    for (const urls of [node?.DATABASE_URL, feed?.DATABASE_URL, owner?.DATABASE_URL])
      assert.equal(within(urls), [database?.POSTGRES_NODE_PASSWORD]);
    assert.equal(within(owner?.MIGRATIONS_DATABASE_URL), [database?.POSTGRES_OWNER_PASSWORD]);
    // Who else has it could change the tables from elsewhere.
    const having = readdirSync(copy).filter((name) => written(name).includes(database?.POSTGRES_OWNER_PASSWORD ?? ''));
    assert.equal(having.sort(), ['holdfast-owner.env', 'postgres-passwords.env']);
    const redis = env('redis-password').REDIS_PASSWORD;
    assert.match(written('holdfast.env'), new RegExp(`^# REDIS_URL=redis://holdfast:${redis}@`, 'm'));
    assert.is(node?.ADMIN_KEY, feed?.ADMIN_KEY);
    const all = [...Object.values(database ?? {}), ...Object.values(broker ?? {}), node?.ADMIN_KEY];
    assert.is(new Set(all).size, all.length);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
});

test('the README names every file', () => {
  for (const name of files) if (name !== 'README.md') assert.ok(read('README.md').includes(name), name);
});

test('the broker accepts its configuration', async () => {
  const nats = await natsBinary();
  if ('missing' in nats) {
    console.log(`SKIP deploy/pi/nats-server.conf: ${nats.missing}`);
    return;
  }
  const env = { PATH: process.env.PATH, ...environmentOf(read('nats-server.env')) };
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-pi-'));
  try {
    for (const file of [join(FOLDER, 'nats-server.conf'), 'deploy/security/nats-accounts.conf'])
      copyFileSync(file, join(folder, basename(file)));
    const args = ['-t', '-c', join(folder, 'nats-server.conf')];
    const checked = await run(nats.command, args, { deadlineMs: patientMs(10_000), env });
    assert.is(checked.code, 0, checked.output);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('Postgres accepts its configuration', async () => {
  const home = mkdtempSync(join(tmpdir(), 'holdfast-pi-'));
  const user = unprivilegedUser();
  const found = await findPostgres(home, user);
  try {
    if ('missing' in found || found.binaries.major < 15) {
      console.log(`SKIP deploy/pi/postgres.conf: no Postgres 15 or newer here`);
      return;
    }
    const settings = ['-C', 'wal_compression', '-D', tmpdir(), '-c', `config_file=${resolve(FOLDER, 'postgres.conf')}`];
    const options = { deadlineMs: patientMs(10_000), user, cwd: '/' };
    const checked = await run(join(found.binaries.folder, 'postgres'), settings, options);
    // Some builds know no lz4, and name it.
    assert.match(checked.output, /^lz4$|"wal_compression": "lz4"/m);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});

test('systemd accepts the units, and finds them little exposed', async () => {
  if ((await does('systemd-analyze', ['--version'])).code !== 0) {
    console.log('SKIP systemd-analyze: it is not here; the units were read as text only');
    return;
  }
  const paths = units.map((name) => join(FOLDER, name));
  const { output } = await does('systemd-analyze', ['verify', ...paths]);
  // The servers need not be installed here.
  const said = output.split('\n').filter((line) => line.includes('.service') && !line.includes('is not executable'));
  assert.equal(said, []);
  for (const path of paths) {
    const judged = await does('systemd-analyze', ['security', '--offline=true', '--no-pager', path]);
    const exposure = /exposure level for [\w.-]+: ([\d.]+)/.exec(judged.output)?.[1];
    assert.ok(Number(exposure) <= EXPOSURE, `${path}: ${exposure ?? judged.output}`);
  }
});

test('nft accepts the firewall', async () => {
  const checked = await does('nft', ['--check', '--file', join(FOLDER, 'nftables.conf')]);
  if (/ENOENT|Operation not permitted/.test(checked.output)) console.log(`SKIP nft: ${checked.output.split('\n')[0]}`);
  else assert.is(checked.code, 0, checked.output);
});

test.run();
