// The role `backup` beside a real system: a dump by hand, off-site and encrypted, and from nothing but the archive to serving.

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort } from '../../deploy/servers/free-ports.js';
import { startOffsiteServer } from '../../http/backup/offsite-server.js';
import { passingKeys } from '../../storage/backup/age.js';
import { unpackArchive } from '../../storage/backup/archive.js';
import { until } from '../deadlines.js';
import { RealSystem } from './rig/real-system.js';

const WITHIN_MS = 60_000;
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
/** Orders after the dump. */
const LATER = 12;
const ORDER = { user_id: 'ada', items: [{ product_id: 'p0', quantity: 2 }] };

const test = suite('the role backup of a real system');

/** A busy machine may answer 503 first: the client repeats. */
async function answered(system: RealSystem): Promise<{ readonly status: number; readonly text: string }> {
  let reply = { status: 0, text: '' };
  await until(async () => {
    reply = await system.post('/api/orders', ORDER, 'a-key');
    return reply.status !== 503;
  }, WITHIN_MS);
  return reply;
}

test('dumped, archived, encrypted, off-site; and restored from what the off-site has', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-role-'));
  const vault = join(folder, 'vault');
  const offsite = await startOffsiteServer({
    ...{ host: '127.0.0.1', port: 0, folder: vault, logger: quiet },
    clock: { now: Date.now },
  });
  const { identity, recipient } = await passingKeys();
  const port = await freePort();
  const first = await RealSystem.build({
    ...{ ROLES: 'all,backup', BACKUP_PORT: String(port), BACKUP_AGE_RECIPIENT: recipient },
    BACKUP_OFFSITE_URL: `http://127.0.0.1:${offsite.port}`,
  });
  const second = await RealSystem.build();
  if ('skipped' in first || 'skipped' in second) {
    await offsite.stop();
    return console.log(`SKIP ${'skipped' in first ? first.skipped : ''}`);
  }
  const ask = async (method: string, path: string, headers: Record<string, string> = {}) => {
    const reply = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers });
    return { status: reply.status, text: await reply.text() };
  };
  const status = async () => JSON.parse((await ask('GET', '/api/backup/status')).text).data;
  try {
    await first.start();
    await first.stock(['p0'], 100);
    const placed = await answered(first);
    assert.is(placed.status, 201, placed.text);
    // The first one may join the dump that the start has begun, before the order.
    let dumped = { status: 0, text: '' };
    const isIn = async () => {
      dumped = await ask('POST', '/api/backup/trigger-dump');
      return /Backups need pg_dump/.test(dumped.text) || (await status()).last_dump?.orders === 1;
    };
    if (!(await until(isIn, WITHIN_MS))) assert.unreachable(dumped.text);
    if (/Backups need pg_dump/.test(dumped.text)) return console.log(`SKIP ${dumped.text.slice(0, 300)}`);
    assert.ok([200, 202].includes(dumped.status), dumped.text);
    const [one, two] = await Promise.all([0, 1].map(() => ask('POST', '/api/backup/trigger-upload')));
    assert.ok(
      [one, two].every((reply) => reply !== undefined && reply.status < 300),
      `${one?.text} ${two?.text}`,
    );
    assert.ok(await until(async () => (await status()).last_upload !== null, WITHIN_MS));
    assert.is((await ask('POST', '/api/backup/trigger-upload')).status, 429);
    const health = JSON.parse((await ask('GET', '/health')).text);
    assert.is(health.dependencies.backup.status, 'up');
    assert.match((await ask('GET', '/metrics')).text, /^holdfast_backup_age_seconds \d/m);
    const { taken_at: takenAt } = (await status()).last_dump;
    for (let i = 0; i < LATER; i++) assert.is((await first.post('/api/orders', ORDER, `later-${i}`)).status, 201);
    const unsaved = async () => (await status()).unsaved;
    assert.ok(await until(async () => (await unsaved()).orders >= LATER, WITHIN_MS), JSON.stringify(await unsaved()));
    const told = await unsaved();
    assert.match((await ask('GET', '/metrics')).text, /^holdfast_backup_unsaved_orders \d/m);
    await first.end('SIGKILL');

    const [archive = ''] = (await readdir(vault)).filter((name) => name.endsWith('.age'));
    const dump = join(folder, 'dump');
    await unpackArchive(join(vault, archive), dump, identity);
    const came = await second.command('restore', '--to', dump);
    assert.is(came.code, 0, came.output);
    assert.match(came.output, /What came later is lost: at most as many orders as/);
    await second.start();
    const listed = JSON.parse(await (await fetch(`${second.url}/api/orders?fresh=true&limit=50`)).text()).data;
    const lost = LATER + 1 - listed.length;
    assert.ok(lost > 0 && lost <= told.orders && told.orders <= LATER + 1, `${lost} lost, ${told.orders} told`);
    assert.ok(told.since >= takenAt, 'since the newest dump');
    const again = await answered(second);
    assert.equal([again.status, again.text], [placed.status, placed.text]);
    assert.is((await second.verify()).code, 0);
  } finally {
    await first.demolish();
    await second.demolish();
    await offsite.stop();
    await rm(folder, { recursive: true, force: true });
  }
});

test.run();
