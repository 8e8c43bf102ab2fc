/** The role: its lease, its desk over HTTP, and what its metrics and status say. */
import { Registry } from 'prom-client';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BackupRole } from '../../../deploy/backup/backup-role.js';
import { watchBackups } from '../../../deploy/telemetry/backup-metrics.js';
import { backupOperations } from '../../../http/api/operations/backup-operations.js';
import { memoryLeases } from '../../../storage/memory/memory-leases.js';
import { until } from '../../deadlines.js';
import { Credentials } from '../auth/credentials.js';
import { replyFault } from '../edge/documented.js';
import { type Fixture, type Shown, startFixture } from '../edge/edge-fixture.js';
import { DAY, everythingIsWhole, HOUR, MINUTE, partialsIn, type Rig, rigOf } from './backup-rig.js';

const WITHIN_MS = 10_000;
const ADMIN_KEY = 'b1946ac92492d2347c6235b4d2611184';
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

interface Context {
  rig: Rig;
  role: BackupRole;
  leases: ReturnType<typeof memoryLeases>;
  f: Fixture;
  base: string;
}

const roleOf = ({ backups, clock, folder }: Rig, leases: Context['leases']) =>
  new BackupRole({ backups, folder, leases, clock, logger: quiet });

const test = suite<Context>('the role backup');
test.before.each(async (context) => {
  context.rig = rigOf();
  context.leases = memoryLeases();
  context.role = roleOf(context.rig, context.leases);
  context.role.start();
  context.f = await startFixture({ backup: { port: 0, desk: context.role } });
  context.base = `http://127.0.0.1:${context.f.edge.ports.backup}`;
  assert.ok(await until(async () => (await context.role.status()).role === 'running', WITHIN_MS));
});
test.after.each(async ({ rig, role, f }) => {
  await f.stop();
  await role.stop();
  await rig.end();
});

/** What differs from the documentation of the operation at the path. */
const faultOf = (path: string, { status, text, headers }: Shown): string | undefined => {
  const operation = backupOperations.find((each) => each.path === path);
  if (operation === undefined) return `there is no ${path}`;
  return replyFault(operation, { status, text, contentType: headers.get('content-type') ?? '' });
};

test('triggers answer when they are done, join what runs, and the status tells all', async ({ rig, f, base }) => {
  await rig.drive(1_000);
  const both = await Promise.all([0, 1].map(() => f.post(`${base}/api/backup/trigger-dump`, '')));
  for (const reply of both) {
    assert.is(reply.status, 200, reply.text);
    assert.is(faultOf('/api/backup/trigger-dump', reply), undefined);
  }
  assert.is(rig.dumps.taken, 2);
  const uploaded = await f.post(`${base}/api/v1/backup/trigger-upload`, '');
  assert.is(uploaded.status, 200, uploaded.text);
  assert.is(faultOf('/api/backup/trigger-upload', uploaded), undefined);
  assert.is(rig.offsite.stored.length, 1);
  await rig.drive(MINUTE);
  const status = await f.get(`${base}/api/backup/status`);
  assert.is(faultOf('/api/backup/status', status), undefined);
  assert.equal([status.at('data.role'), status.at('data.dumps'), status.at('data.offsite')], ['running', 2, 'memory']);
  assert.equal([status.at('data.rpo_seconds'), status.at('data.rto_seconds')], [60, 1.5]);
  assert.equal(status.at('data.unsaved'), { orders: 3, since: status.at('data.last_dump.taken_at') });
  assert.is(status.at('data.next.archive_at'), '2026-11-30T00:00:00.000Z');
  assert.is(status.at('data.last_upload.name'), status.at('data.last_archive.name'));
});

test('a second upload of the day is 429 with the time until midnight, unless it is asked for', async (context) => {
  const { rig, f, base } = context;
  await rig.drive(HOUR);
  const path = `${base}/api/backup/trigger-upload`;
  assert.is((await f.post(path, '')).status, 200);
  await rig.drive(HOUR);
  const refused = await f.post(path, '');
  assert.equal([refused.status, refused.at('code')], [429, 'rate_limited']);
  assert.is(refused.headers.get('retry-after'), String((DAY - 2 * HOUR) / 1_000));
  assert.is((await f.post(path, '', { 'X-Bypass-Rate-Limit': 'true' })).status, 200);
  assert.is(rig.offsite.stored.length, 2);
});

test('a step that fails is 503 with its sentence, and stays in the status until it is done', async (context) => {
  const { rig, role, f, base } = context;
  await rig.drive(0);
  const at = rig.backups.volume.dumps[0]?.takenAt;
  assert.equal(role.verdict, { clean: true, at, violations: 0, of: 'last dump' });
  rig.dumps.fault = 'the dump is not clean';
  const failed = await f.post(`${base}/api/backup/trigger-dump`, '');
  assert.is(failed.status, 503);
  assert.match(String(failed.at('message')), 'The dump has failed: the dump is not clean.');
  assert.equal([role.verdict?.clean, role.verdict?.violations], [false, 2]);
  const status = await f.get(`${base}/api/backup/status`);
  assert.equal([status.at('data.errors.0.step'), status.at('data.errors.0.failures')], ['dump', 1]);
  assert.is(faultOf('/api/backup/status', status), undefined);
});

test('one process works; the other says so, and takes over when the lease is free', async (context) => {
  const { rig, leases, role } = context;
  const other = rigOf();
  const second = roleOf(other, leases);
  const f = await startFixture({ backup: { port: 0, desk: second } });
  try {
    second.start();
    const base = `http://127.0.0.1:${f.edge.ports.backup}`;
    assert.is((await f.get(`${base}/api/backup/status`)).at('data.role'), 'elsewhere');
    assert.is((await f.post(`${base}/api/backup/trigger-dump`, '')).status, 503);
    await rig.drive(0);
    await role.stop();
    assert.ok(await until(async () => (await second.status()).role === 'running', WITHIN_MS));
    await other.drive(0);
    assert.is(other.dumps.taken, 1);
  } finally {
    await f.stop();
    await second.stop();
    await other.end();
  }
});

test('a lease that is lost in mid-dump: the next holder works alone, and nothing that counts is removed', async (context) => {
  const { rig, leases, role } = context;
  await rig.drive(MINUTE);
  const [first] = rig.backups.volume.dumps;
  let goOn = () => {};
  rig.dumps.gate = new Promise((resolve) => {
    goOn = resolve;
  });
  const cut = role.dump().catch((error: Error) => error);
  const other = rigOf(rig.clock.now() + 10 * MINUTE, rig.folder);
  const second = roleOf(other, leases);
  try {
    assert.ok(await until(async () => (await partialsIn(rig.folder)).length > 0, WITHIN_MS));
    const half = await partialsIn(rig.folder);
    second.start();
    leases.lose('backup');
    assert.ok(await until(async () => (await second.status()).role === 'running', WITHIN_MS));
    const left = await partialsIn(rig.folder); // The second's own dump may be among them by now.
    assert.not(
      left.some((path) => half.includes(path)),
      'the half dump is removed',
    );
    await other.drive(0);
    goOn();
    assert.instance(await cut, Error, 'the half dump gets no name');
    assert.equal(await everythingIsWhole(rig.folder), { dumps: 2, archives: 0 });
    assert.is(other.backups.volume.dumps[1]?.name, first?.name);
    assert.equal(await partialsIn(rig.folder), []);
    assert.is.not((await role.status()).role, 'running');
  } finally {
    goOn(); // Else no role ends: the deadline of its stop is on a clock that stands still.
    await role.stop(); // Before the second, else it takes the lease again.
    await second.stop();
  }
});

test('the port serves backups and health, no orders; and for admins alone', async ({ f, base, role }) => {
  assert.is((await f.get(`${base}/livez`)).status, 200);
  assert.is((await f.get(`${base}/api/orders`)).status, 404);
  assert.is((await f.get(`${f.base}/api/backup/status`)).status, 404, 'not on the first port');
  assert.match((await f.get(`${base}/openapi.json`)).text, '/api/backup/trigger-upload');
  const credentials = await Credentials.start(quiet, ADMIN_KEY);
  const guarded = await startFixture({ auth: credentials.auth, backup: { port: 0, desk: role } });
  try {
    const at = `http://127.0.0.1:${guarded.edge.ports.backup}/api/backup/status`;
    const answers = async (headers: Record<string, string>) => (await guarded.get(at, headers)).status;
    const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
    assert.is(await answers({}), 401);
    assert.is(await answers(bearer(await credentials.key(['orders:write']))), 403);
    assert.is(await answers(bearer(ADMIN_KEY)), 200);
  } finally {
    await guarded.stop();
    await credentials.stop();
  }
});

test('metrics: no age without a dump, then age and restore', async ({ rig }) => {
  const registry = new Registry();
  watchBackups(registry, rig.backups, 5 * MINUTE);
  const empty = rigOf();
  const none = new Registry();
  watchBackups(none, empty.backups, 5 * MINUTE);
  await empty.end();
  assert.not.match(await none.metrics(), /^holdfast_backup_age_seconds \d/m);
  await rig.drive(2 * MINUTE);
  const text = await registry.metrics();
  assert.match(text, /^holdfast_backup_age_seconds 120$/m);
  assert.match(text, /^holdfast_backup_restore_seconds 1.5$/m);
  assert.match(text, /^holdfast_backup_unsaved_orders 3$/m);
  assert.not.match(await none.metrics(), /^holdfast_backup_unsaved_orders \d/m);
});

test.run();
