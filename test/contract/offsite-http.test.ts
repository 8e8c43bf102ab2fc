/** The off-site over HTTP, against its own server: one upload a UTC day, checked bytes, refusals before the body. */
import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { startOffsiteServer } from '../../http/backup/offsite-server.js';
import { httpOffsite } from '../../storage/backup/http-offsite.js';
import { DayUsed } from '../../storage/backup/offsite.js';
import { archiveIn, offsiteContract } from './offsite.suite.js';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const signal = AbortSignal.any([]);
const DAY = 86_400_000;
const LARGE = 20_000_000;
const folder = mkdtempSync(join(tmpdir(), 'holdfast-offsite-server-'));
let aheadMs = 0;
const clock = { now: () => Date.now() + aheadMs };
const options = { host: '127.0.0.1', port: 0, folder, clock, logger: quiet };
let server = await startOffsiteServer(options);
const url = () => `http://127.0.0.1:${server.port}`;

const test = offsiteContract(
  'over HTTP',
  async () => httpOffsite(`${url()}/`),
  LARGE,
  async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  },
);

test('one a UTC day: the second is refused with the time until midnight, and may be asked for', async (context) => {
  aheadMs += DAY;
  const { offsite } = context;
  await offsite.upload(await archiveIn(context.folder, 1_000), false, signal);
  const second = await archiveIn(context.folder, LARGE);
  const refused = await offsite.upload(second, false, signal).catch((error: unknown) => error);
  assert.instance(refused, DayUsed);
  const { afterMs = 0 } = refused as DayUsed;
  assert.ok(afterMs > 0 && afterMs <= DAY, `${afterMs}`);
  await offsite.upload(second, true, signal);
  aheadMs += DAY;
  await offsite.upload(await archiveIn(context.folder, 1_000), false, signal);
});

test('the same again is there already, and uses no day', async (context) => {
  aheadMs += DAY;
  const archive = await archiveIn(context.folder, 5_000);
  await context.offsite.upload(archive, false, signal);
  await context.offsite.upload(archive, false, signal);
  const listed = (await context.offsite.list(signal)).filter(({ name }) => name === archive.name);
  assert.is(listed.length, 1);
});

test('a client without an expectation is served too; bad names, sums and paths are refused', async () => {
  aheadMs += DAY;
  const body = 'some bytes';
  const sum = createHash('sha256').update(body).digest('hex');
  const send = (headers: Record<string, string>, path = '/api/backup/upload') =>
    fetch(url() + path, { method: 'POST', headers, body });
  for (const [headers, status] of [
    [{ 'x-backup-name': '../x', 'x-backup-sha256': sum }, 400],
    [{ 'x-backup-name': 'x.json', 'x-backup-sha256': sum }, 400],
    [{ 'x-backup-name': 'x', 'x-backup-sha256': 'abc' }, 400],
    [{ 'x-backup-name': 'x', 'x-backup-sha256': '0'.repeat(64) }, 422],
    [{ 'x-backup-name': 'x', 'x-backup-sha256': sum }, 201],
    [{ 'x-backup-name': 'y', 'x-backup-sha256': sum }, 429],
    [{ 'x-backup-name': 'y', 'x-backup-sha256': sum, 'x-bypass-rate-limit': 'true' }, 201],
  ] as const) {
    const reply = await send(headers);
    assert.is(reply.status, status, JSON.stringify(headers));
    const { status: word, code } = (await reply.json()) as { readonly status: string; readonly code?: string };
    assert.equal([word, code !== undefined], status < 300 ? ['success', false] : ['error', true]);
    if (status === 429) assert.ok(Number(reply.headers.get('retry-after')) > 0);
  }
  assert.is((await fetch(`${url()}/api/orders`)).status, 404);
});

test('after a restart it knows what it has, and half an upload is gone', async (context) => {
  const before = await context.offsite.list(signal);
  await server.stop();
  server = await startOffsiteServer(options);
  assert.equal(await httpOffsite(url()).list(signal), before);
  assert.ok((await readdir(folder)).every((name) => !name.startsWith('.partial-')));
});

test('an off-site that is away is named, without its password', async () => {
  const away = httpOffsite('http://backup:s3cr3t@127.0.0.1:1');
  assert.is(away.place, 'http://127.0.0.1:1');
  const error = await away.list(signal).catch((failed: Error) => failed.message);
  assert.match(String(error), /does not answer/);
  assert.not.match(String(error), /s3cr3t/);
});

test.run();
